"""Passes providers whose agent is heard from; an external provider (heartbeat: none) is always alive."""

from scheduler import reasons
from scheduler.filters.kind import Filter
from scheduler.types import Candidate, Refusal, Resource


def check(candidate: Candidate, resource: Resource) -> Refusal | None:
    return None if candidate.alive else Refusal(reasons.NOT_ALIVE)


# Not pushed down: liveness lives in the heartbeats table, beside the shard, not in it.
FILTER = Filter("alive", reasons.NOT_ALIVE, pushed_down=False, check=check)

"""Passes providers that are enabled and whose root is: a disabled host's children are not for sale."""

from scheduler import reasons
from scheduler.filters.kind import Filter
from scheduler.types import Candidate, Refusal, Resource

ENABLED = "enabled"


def check(candidate: Candidate, resource: Resource) -> Refusal | None:
    if candidate.state != ENABLED:
        return Refusal(reasons.STATE, f"{candidate.state}: {candidate.state_reason}".rstrip(": "))
    if candidate.root_state != ENABLED:
        return Refusal(reasons.STATE, f"its root is {candidate.root_state}")
    return None


FILTER = Filter("state", reasons.STATE, pushed_down=True, check=check)

"""The shape of a filter."""

from collections.abc import Callable
from dataclasses import dataclass

from scheduler.types import Candidate, Policy, Refusal, Resource

Check = Callable[[Candidate, Resource], Refusal | None]


@dataclass(frozen=True, slots=True)
class Filter:
    """`check(candidate, resource)` gives None when it passes, else the refusal.

    `pushed_down` says that the resource class turns it into part of its query, so that Cassandra has already applied it
    to what a sampled search sees (a full sweep and `explain` apply it here, to count what it removed). `under` makes
    the check of a filter whose limits the policy has; None: it has none.
    """

    name: str
    reason: str
    pushed_down: bool
    check: Check
    under: Callable[[Policy], Check | None] | None = None

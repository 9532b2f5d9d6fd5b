"""The shape of a weigher."""

from collections.abc import Callable
from dataclasses import dataclass

from scheduler.types import Candidate, Policy, Resource

Weigh = Callable[[Candidate, Resource], float]


@dataclass(frozen=True, slots=True)
class Weigher:
    """`weigh(candidate, resource)` gives 0.0 to 1.0, relative to the provider's own size so mixed hardware is fair.
    `under` makes it for a weigher that asks the policy."""

    name: str
    weigh: Weigh
    under: Callable[[Policy], Weigh] | None = None

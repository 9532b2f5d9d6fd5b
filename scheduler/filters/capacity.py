"""Passes providers with enough of every amount, claims in flight counted."""

from scheduler import reasons
from scheduler.filters.kind import Filter
from scheduler.types import Candidate, Refusal, Resource


def short_by(candidate: Candidate, resource: Resource) -> dict[str, int]:
    """Per column how much is missing; empty when it fits. A column that the provider does not have counts as 0."""
    missing = {name: wanted - candidate.available.get(name, 0) for name, wanted in resource.amounts.items() if wanted}
    return {name: amount for name, amount in missing.items() if amount > 0}


def check(candidate: Candidate, resource: Resource) -> Refusal | None:
    missing = short_by(candidate, resource)
    if not missing:
        return None
    return Refusal(reasons.CAPACITY, "short by " + ", ".join(f"{n} {name}" for name, n in sorted(missing.items())))


FILTER = Filter("capacity", reasons.CAPACITY, pushed_down=True, check=check)

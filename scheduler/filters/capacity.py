"""Passes providers with enough of every amount, claims in flight counted."""

from scheduler import reasons
from scheduler.filters.kind import Filter
from scheduler.types import Candidate, Refusal, Resource


def short_by(candidate: Candidate, resource: Resource) -> dict[str, int]:
    """Per column how much is missing; empty when it fits. A column that the provider does not have counts as 0."""
    has = candidate.available
    missing = {}
    for name, wanted in resource.amounts.items():
        if wanted and wanted > has.get(name, 0):
            missing[name] = wanted - has.get(name, 0)
    return missing


def check(candidate: Candidate, resource: Resource) -> Refusal | None:
    missing = short_by(candidate, resource)
    if not missing:
        return None
    return Refusal(reasons.CAPACITY, "short by " + ", ".join(f"{n} {name}" for name, n in sorted(missing.items())))


FILTER = Filter("capacity", reasons.CAPACITY, pushed_down=True, check=check)

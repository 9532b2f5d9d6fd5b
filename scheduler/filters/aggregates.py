"""Passes members of at least one of the aggregates asked for."""

from scheduler import reasons
from scheduler.filters.kind import Filter
from scheduler.types import Candidate, Refusal, Resource


def check(candidate: Candidate, resource: Resource) -> Refusal | None:
    if not resource.aggregates or resource.aggregates & candidate.aggregates:
        return None
    return Refusal(reasons.AGGREGATES, f"in none of {', '.join(sorted(resource.aggregates))}")


# Not pushed down: "one of" has no form in a CQL filter.
FILTER = Filter("aggregates", reasons.AGGREGATES, pushed_down=False, check=check)

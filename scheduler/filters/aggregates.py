"""Passes members of at least one of the aggregates asked for, and of those that the request's image is kept to."""

from scheduler import reasons
from scheduler.filters.kind import Filter
from scheduler.types import Candidate, Refusal, Resource


def check(candidate: Candidate, resource: Resource) -> Refusal | None:
    for wanted in (resource.aggregates, resource.kept_for):
        if wanted and not wanted & candidate.aggregates:
            return Refusal(reasons.AGGREGATES, f"in none of {', '.join(sorted(wanted))}")
    return None


# Not pushed down: "one of" has no form in a CQL filter.
FILTER = Filter("aggregates", reasons.AGGREGATES, pushed_down=False, check=check)

"""Passes providers with every required trait, one of each set of which any will do, and no forbidden one."""

from scheduler import reasons
from scheduler.filters.kind import Filter
from scheduler.types import Candidate, Refusal, Resource


def check(candidate: Candidate, resource: Resource) -> Refusal | None:
    missing = resource.required - candidate.traits
    if missing:
        return Refusal(reasons.TRAITS, f"misses {', '.join(sorted(missing))}")
    for any_of in resource.any_of:
        if not any_of & candidate.traits:
            return Refusal(reasons.TRAITS, f"has none of {', '.join(sorted(any_of))}")
    unwanted = resource.forbidden & candidate.traits
    if unwanted:
        return Refusal(reasons.TRAITS, f"has {', '.join(sorted(unwanted))}")
    return None


FILTER = Filter("traits", reasons.TRAITS, pushed_down=True, check=check)

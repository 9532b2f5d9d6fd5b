"""Passes providers with every required trait and no forbidden one."""

from scheduler import reasons
from scheduler.filters.kind import Filter
from scheduler.types import Candidate, Refusal, Resource


def check(candidate: Candidate, resource: Resource) -> Refusal | None:
    missing = resource.required - candidate.traits
    if missing:
        return Refusal(reasons.TRAITS, f"misses {', '.join(sorted(missing))}")
    unwanted = resource.forbidden & candidate.traits
    if unwanted:
        return Refusal(reasons.TRAITS, f"has {', '.join(sorted(unwanted))}")
    return None


FILTER = Filter("traits", reasons.TRAITS, pushed_down=True, check=check)

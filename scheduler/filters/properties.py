"""Passes providers whose properties are equal to those asked for."""

from scheduler import reasons
from scheduler.filters.kind import Filter
from scheduler.types import Candidate, Refusal, Resource


def check(candidate: Candidate, resource: Resource) -> Refusal | None:
    for name, wanted in resource.properties.items():
        has = candidate.properties.get(name)
        if has != wanted:
            return Refusal(reasons.PROPERTIES, f"{name} is {has!r}, not {wanted!r}")
    return None


FILTER = Filter("properties", reasons.PROPERTIES, pushed_down=True, check=check)

"""Passes providers whose properties are what was asked for."""

from collections.abc import Iterator
from typing import Any

from scheduler import reasons
from scheduler.filters.kind import Filter
from scheduler.types import AT_LEAST, AT_MOST, EQUAL, ONE_OF, UNEQUAL, Candidate, Condition, Refusal, Resource


def conditions(resource: Resource) -> Iterator[Condition]:
    """All of them, the plain ones too."""
    yield from (Condition(name, EQUAL, value) for name, value in resource.properties.items())
    yield from resource.conditions


def meets(has: Any, condition: Condition) -> bool:
    """`has` is None when the provider does not have the property."""
    wanted: Any = condition.value
    match condition.operator:
        case "==":
            return bool(has == wanted)
        case "!=":
            return bool(has != wanted)
        case ">=":
            return has is not None and bool(has >= wanted)
        case "<=":
            return has is not None and bool(has <= wanted)
        case "in":
            return has in wanted
    raise ValueError(f"no operator {condition.operator!r}")


_WORDS = {
    EQUAL: "not",
    UNEQUAL: "but must not be",
    AT_LEAST: "not at least",
    AT_MOST: "not at most",
    ONE_OF: "not one of",
}


def check(candidate: Candidate, resource: Resource) -> Refusal | None:
    for condition in conditions(resource):
        has = candidate.properties.get(condition.property)
        if not meets(has, condition):
            wanted = condition.value
            shown = ", ".join(map(repr, wanted)) if isinstance(wanted, tuple) else repr(wanted)
            told = f"{condition.property} is {has!r}, {_WORDS[condition.operator]} {shown}"
            return Refusal(reasons.PROPERTIES, told)
    return None


# All but `!=` are pushed down (CQL has no such condition); `check` asks for all of them again.
FILTER = Filter("properties", reasons.PROPERTIES, pushed_down=True, check=check)

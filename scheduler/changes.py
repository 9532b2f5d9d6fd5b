"""What would make a request fit: the smallest changes of it, each with how many providers would then do.

One pass over the providers. A provider counts for a change when nothing but what is changed keeps it from the request.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from scheduler.filters import capacity, properties
from scheduler.filters.kind import Filter
from scheduler.types import Candidate, Resource

MOST = 10  # changes that are named
OF_THE_OPERATOR = {"alive", "state", "cell", "isolation", "crowd", "builds"}  # no change of the request helps


@dataclass(frozen=True, slots=True)
class Change:
    """`to` of an amount is the largest that would do; None: leave it out. `providers`: how many would do then."""

    what: str
    wanted: str | int | None
    to: str | int | None
    providers: int
    text: str
    by_operator: bool = False


def changes(candidates: Iterable[Candidate], resource: Resource, filters: Sequence[Filter]) -> list[Change]:
    """The changes that would each be enough, the smallest first; then what an operator could do."""
    rooms: dict[str, list[int]] = {}  # of providers that lack only this amount: what they have
    several: list[Mapping[str, int]] = []  # what providers have that lack only amounts, more than one
    others: dict[tuple[str, str], int] = {}
    for candidate in candidates:
        failing = [one for one in filters if one.check(candidate, resource)]
        if len(failing) != 1:
            continue
        name = failing[0].name
        if name == capacity.FILTER.name:
            short = capacity.short_by(candidate, resource)
            has = {column: max(0, candidate.available.get(column, 0)) for column in short}
            if len(short) == 1:
                column = next(iter(short))
                rooms.setdefault(column, []).append(has[column])
            else:
                several.append(has)
        else:
            for what in _parts(name, candidate, resource):
                others[what] = others.get(what, 0) + 1
    found = [change for column, has in rooms.items() for change in _smaller(column, has, resource.amounts[column])]
    found += [_left_out(*what, count) for what, count in others.items()]
    if not rooms and several:
        found.append(_nearest_of_several(several, resource))
    return sorted(found, key=_order)[:MOST]


def fewer(count: int, copies: int, providers: int) -> Change:
    """So many copies of the request as there is room for, on so many providers."""
    return Change("count", count, copies, providers, f"count {copies} instead of {count}: {_hosts(providers)}")


def _order(change: Change) -> tuple[bool, float, int]:
    share = 0.5
    if isinstance(change.wanted, int) and isinstance(change.to, int) and change.wanted:
        share = 1 - change.to / change.wanted
    return change.by_operator, share, -change.providers


def _smaller(column: str, has: Sequence[int], wanted: int) -> list[Change]:
    """The largest that any provider has, and, when many more have it, the first halving that does."""
    most = max(has)
    steps = [most]
    halved = wanted // 2
    while halved > most:
        halved //= 2
    if 0 < halved < most:
        steps.append(halved)
    found: list[Change] = []
    for to in steps:
        count = sum(one >= to for one in has)
        if to > 0 and (not found or count > found[0].providers):
            found.append(Change(column, wanted, to, count, f"{column} {to} instead of {wanted}: {_hosts(count)}"))
    return found


def _nearest_of_several(several: Sequence[Mapping[str, int]], resource: Resource) -> Change:
    def distance(has: Mapping[str, int]) -> float:
        return max(1 - there / resource.amounts[column] for column, there in has.items())

    nearest = min(several, key=distance)
    count = sum(all(one.get(c, resource.amounts[c]) >= there for c, there in nearest.items()) for one in several)
    parts = [f"{column} {there} instead of {resource.amounts[column]}" for column, there in sorted(nearest.items())]
    return Change(", ".join(sorted(nearest)), None, None, count, f"{' and '.join(parts)}: {_hosts(count)}")


def _parts(name: str, candidate: Candidate, resource: Resource) -> list[tuple[str, str]]:
    """What this one filter objects to, when it is one thing; nothing when it is several."""
    found: list[tuple[str, str]]
    if name == "traits":
        found = [("required", trait) for trait in resource.required - candidate.traits]
        found += [("forbidden", trait) for trait in resource.forbidden & candidate.traits]
        found += [("any_of", ", ".join(sorted(some))) for some in resource.any_of if not some & candidate.traits]
    elif name == "properties":
        wanted = properties.conditions(resource)
        unmet = [one for one in wanted if not properties.meets(candidate.properties.get(one.property), one)]
        found = [("properties", f"{one.property} {one.operator} {_shown(one.value)}") for one in unmet]
    elif name == "aggregates":
        named = [one for one in (resource.aggregates, resource.kept_for) if one and not one & candidate.aggregates]
        found = [("aggregates", ", ".join(sorted(one))) for one in named]
    else:
        found = [(name, "")]
    return found if len(found) == 1 else []


def _left_out(what: str, value: str, count: int) -> Change:
    if what in OF_THE_OPERATOR:
        text = _BY_OPERATOR[what].format(_hosts(count))
        return Change(what, None, None, count, text, by_operator=True)
    text = f"without {what}{' ' + value if value else ''}: {_hosts(count)}"
    return Change(what, value or None, None, count, text)


_BY_OPERATOR = {
    "alive": "{} would do if they were heard from",
    "state": "{} would do if they were enabled",
    "cell": "{} would do in cells that are disabled or were not asked",
    "isolation": "{} would do if their aggregates admitted this project and image",
    "crowd": "{} would do if the policy allowed more instances on a host",
    "builds": "{} would do when builds in flight are done",
}


def _hosts(count: int) -> str:
    return f"{count} provider{'s' * (count != 1)}"


def _shown(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)

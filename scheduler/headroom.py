"""Headroom: how many more of one shape fit, and what would be left over that none of it can use.

Pure arithmetic over hosts as they are told, a shard at a time: rooms are added up, so no cloud need be in memory.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from scheduler import reasons
from scheduler.filters import crowd
from scheduler.select import enabled_filters
from scheduler.types import Amounts, Candidate, Policy, Resource

LATER = (reasons.CAPACITY, reasons.BUILDS)  # filters that do not say who is passed over


@dataclass(frozen=True, slots=True)
class Room:
    """What some hosts have room for. `fits` is how many more, on `hosts` of the `seen`; `refused` (reason -> hosts) is
    who was passed over before its amounts were looked at. Of the others, `free` is what they have of each column that
    is asked for, and `binds` how many hosts each column runs out first on (`crowd`: the policy's limit of one host)."""

    seen: int = 0
    hosts: int = 0
    fits: int = 0
    free: Mapping[str, int] = field(default_factory=dict)
    binds: Mapping[str, int] = field(default_factory=dict)
    refused: Mapping[str, int] = field(default_factory=dict)

    def __add__(self, other: "Room") -> "Room":
        return Room(
            self.seen + other.seen,
            self.hosts + other.hosts,
            self.fits + other.fits,
            _summed(self.free, other.free),
            _summed(self.binds, other.binds),
            _summed(self.refused, other.refused),
        )

    def usable(self, amounts: Amounts) -> dict[str, int]:
        """What of `free` so many more of the shape would take; the rest of it is stranded."""
        return {name: self.fits * amount for name, amount in amounts.items() if amount}

    def stranded_share(self, column: str, usable: int) -> float:
        """0.0 to 1.0: how much of what is free of a column is of no use."""
        free = self.free.get(column, 0)
        return round((free - usable) / free, 4) if free else 0.0


def rooms(
    candidates: Iterable[Candidate],
    resource: Resource,
    shapes: Sequence[Amounts],
    policy: Policy,
    indivisible: bool = False,
) -> list[Room]:
    """The room for each of several shapes of one class, each as if it were alone; all of them want hosts like
    `resource`, whose own amounts do not count. `indivisible`: one takes a whole host. Builds in flight take nobody's
    room: they end."""
    filters = [one for one in enabled_filters(policy) if one.reason not in LATER]
    most = policy.max_instances if crowd.FILTER.name in policy.filters else 0
    seen = 0
    refused: Counter[str] = Counter()
    passed: list[Candidate] = []
    whatever = replace(resource, amounts={})
    for candidate in candidates:
        seen += 1
        refusal = next(filter(None, (one.check(candidate, whatever) for one in filters)), None)
        if refusal is None:
            passed.append(candidate)
        else:
            refused[refusal.reason] += 1
    return [_room(passed, amounts, Room(seen=seen, refused=dict(refused)), indivisible, most) for amounts in shapes]


def _room(passed: Sequence[Candidate], amounts: Amounts, so_far: Room, indivisible: bool, most: int) -> Room:
    wanted = sorted((name, amount) for name, amount in amounts.items() if amount)
    free = dict.fromkeys((name for name, _ in wanted), 0)
    binds: Counter[str] = Counter()
    hosts = fits = 0
    for candidate in passed:
        room = [(max(0, candidate.available.get(name, 0)), amount, name) for name, amount in wanted]
        for has, _, name in room:
            free[name] += has
        times, _, first = min((has // amount, has % amount / amount, name) for has, amount, name in room)
        if most and most - candidate.claims - candidate.instances < times:
            times, first = most - candidate.claims - candidate.instances, reasons.CROWD
        binds[first] += 1
        fits += min(times, 1) if indivisible else times
        hosts += times > 0
    return replace(so_far, hosts=hosts, fits=fits, free=free, binds=dict(binds))


def _summed(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    return {name: one.get(name, 0) + other.get(name, 0) for name in {**one, **other}}

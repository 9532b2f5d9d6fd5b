"""How many more of a shape each cell can take: one pass over the shards for all shapes of a class, within a time."""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from django.conf import settings

from conductor.recent_shapes import Asked, recent_shapes
from conductor.types import ScheduleRequest
from conductor.wish import bound, homes_of, policy_of
from providers.resource_classes.registry import resource_class
from providers.shards import shards_of
from providers.sweeps import read_shards
from scheduler.headroom import Room, rooms
from scheduler.types import Policy
from store.home import Home


@dataclass(frozen=True, slots=True)
class CellRoom:
    """One cell's room for a shape, from so many of its shards."""

    cell: str
    room: Room
    shards_read: int
    shards: int


@dataclass(frozen=True, slots=True)
class ShapeRoom:
    """A shape and its room, cell by cell."""

    asked: Asked
    cells: tuple[CellRoom, ...]

    @property
    def whole(self) -> Room:
        return sum((one.room for one in self.cells), Room())


@dataclass(frozen=True, slots=True)
class Headroom:
    """`requests`: how many were looked at for the shapes, None when one was given. Not every shard was read when the
    time was up (settings.HEADROOM_SECONDS): then there is more room than this."""

    shapes: tuple[ShapeRoom, ...]
    shards_read: int
    shards: int
    requests: int | None = None

    @property
    def complete(self) -> bool:
        return self.shards_read == self.shards


def headroom(request: ScheduleRequest) -> Headroom:
    """How many more like the one resource of this request. Raises Invalid for an unknown cell or filter."""
    until = time.monotonic() + settings.HEADROOM_SECONDS
    return _headroom(request, homes_of(request), (0,), until)


def headroom_of_recent(cell: str, project: str) -> Headroom:
    """How many more of each shape that was asked for lately, on any host that a request of this project may be on.
    Raises Invalid for an unknown cell."""
    until = time.monotonic() + settings.HEADROOM_SECONDS
    request = ScheduleRequest(consumer="", project=project, resources=(), body={}, username="", cell=cell)
    homes = homes_of(request)
    recent = recent_shapes(homes)
    request = replace(request, resources=tuple(one.resource for one in recent.shapes))
    found = _headroom(request, homes, [one.times for one in recent.shapes], until)
    return replace(found, requests=recent.requests)


def _headroom(request: ScheduleRequest, homes: Sequence[Home], times: Sequence[int], until: float) -> Headroom:
    policy = policy_of(request)
    asked = [Asked(*one) for one in zip(bound(request, homes).resources, times, strict=True)]
    by_class: dict[str, list[int]] = {}
    for position, one in enumerate(asked):
        by_class.setdefault(one.resource.resource_class, []).append(position)
    found: dict[int, ShapeRoom] = {}
    shards_read = shards = 0
    for name, positions in by_class.items():
        counted = _of_class(name, homes, [asked[position] for position in positions], policy, until)
        found |= dict(zip(positions, counted, strict=True))
        shards_read += sum(cell.shards_read for cell in counted[0].cells)
        shards += sum(cell.shards for cell in counted[0].cells)
    return Headroom(tuple(found[position] for position in range(len(asked))), shards_read, shards)


def _of_class(
    name: str, homes: Sequence[Home], asked: Sequence[Asked], policy: Policy, until: float
) -> list[ShapeRoom]:
    """All shapes of one class, of hosts that must all be alike: the shards are read once. Some of them are read however
    little time is left."""
    of_class = resource_class(name)
    shards = shards_of(homes, name)
    summed = {home.cell: [Room()] * len(asked) for home in homes}
    shards_read: Counter[str] = Counter()
    for home, candidates in read_shards(shards, of_class):
        amounts = [one.resource.amounts for one in asked]
        more = rooms(candidates, asked[0].resource, amounts, policy, of_class.indivisible)
        summed[home.cell] = [so_far + here for so_far, here in zip(summed[home.cell], more, strict=True)]
        shards_read[home.cell] += 1
        if time.monotonic() > until:
            break
    there = Counter(home.cell for home, _ in shards)
    of_shapes = [
        tuple(CellRoom(cell, room[n], shards_read[cell], there[cell]) for cell, room in summed.items())
        for n in range(len(asked))
    ]
    return [ShapeRoom(one, in_cells) for one, in_cells in zip(asked, of_shapes, strict=True)]

"""The shapes that were really asked for lately, placed or not: what a cloud is worth is measured by these."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from conductor.identify import home_of
from providers.refusals import NotFound
from providers.resource_classes.registry import resource_class
from scheduler.types import Resource
from store.home import Home
from store.session import keyspace, read_many

REQUESTS = 200  # looked at
HOURS = 24  # with requests, of each cell
SHAPES = 10  # told of
AT_ONCE = 50  # rows read side by side


@dataclass(frozen=True, slots=True)
class Asked:
    """A shape, and how many of it were asked for lately (0: nobody looked)."""

    resource: Resource
    times: int = 0


@dataclass(frozen=True, slots=True)
class RecentShapes:
    """Classes with amounts, whatever else their hosts had to be, the most frequent first; of how many requests."""

    shapes: tuple[Asked, ...]
    requests: int


def recent_shapes(homes: Sequence[Home]) -> RecentShapes:
    """Of the newest requests of these cells. Reads at the most HOURS partitions a cell and two rows a request."""
    ids = _newest(homes)
    counts: Counter[tuple[str, tuple[tuple[str, int], ...]]] = Counter()
    for body in _bodies(ids):
        count = body.get("count", 1)
        for one in body.get("resources", ()):
            shape = _known(one)
            if shape is not None:
                counts[shape] += count
    found = [Asked(Resource(name, dict(amounts)), times) for (name, amounts), times in counts.most_common(SHAPES)]
    return RecentShapes(tuple(found), len(ids))


def _known(one: Mapping[str, Any]) -> tuple[str, tuple[tuple[str, int], ...]] | None:
    """None for a class that was deleted since."""
    try:
        of_class = resource_class(one["resource_class"])
    except NotFound:
        return None
    return of_class.name, tuple(sorted((n, v) for n, v in one["amounts"].items() if v and n in of_class.amounts))


def _newest(homes: Sequence[Home]) -> list[UUID]:
    cql = "SELECT hour FROM {}.request_hours WHERE cell = ? LIMIT ?"
    pages = read_many((cql.format(keyspace(home.datacenter)), [home.cell, HOURS]) for home in homes)
    listed = {home: {row["hour"] for row in rows} for home, rows in zip(homes, pages, strict=True)}
    found: list[UUID] = []
    cql = "SELECT id, request_id FROM {}.requests_by_hour WHERE cell = ? AND hour = ? LIMIT ?"
    for hour in sorted(set().union(*listed.values()), reverse=True)[:HOURS]:
        room = REQUESTS - len(found)
        there = [home for home in homes if hour in listed[home]]
        pages = read_many((cql.format(keyspace(home.datacenter)), [home.cell, hour, room]) for home in there)
        rows = sorted((row for page in pages for row in page), key=lambda row: row["id"].time, reverse=True)
        found += [row["request_id"] for row in rows[:room]]
        if len(found) == REQUESTS:
            break
    return found


def _bodies(ids: Sequence[UUID]) -> Iterator[Mapping[str, Any]]:
    """As they were asked, also of requests that were retired since; those that never got a row are left out."""
    for begin in range(0, len(ids), AT_ONCE):
        at_home = [(one, home) for one in ids[begin : begin + AT_ONCE] if (home := home_of(one)) is not None]
        cql = "SELECT body FROM {}.requests WHERE request_id = ?"
        pages = read_many((cql.format(keyspace(home.datacenter)), [one]) for one, home in at_home)
        yield from (json.loads(row["body"]) for rows in pages for row in rows)
        gone = [where for where, rows in zip(at_home, pages, strict=True) if not rows]
        cql = "SELECT row FROM {}.ended_requests WHERE request_id = ?"
        pages = read_many((cql.format(keyspace(home.datacenter)), [one]) for one, home in gone)
        yield from (json.loads(json.loads(row["row"])["body"]) for rows in pages for row in rows)

"""Who is alive: plain writes with a time to live and the server's clock, beside the shard, never in the record."""

import datetime as dt
import logging
import math
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings

from providers.records import Location, aware
from providers.shards import SIZE, all_shards
from store.failures import StoreUnavailable
from store.home import Home
from store.session import READ, keyspace, read, read_many, write, write_many

log = logging.getLogger("sched_portal.providers")

ALWAYS = "none"  # heartbeat: none - an external provider, always alive
AGENT = "agent"
# A heartbeat counts for HEARTBEAT_TTL seconds, and is kept this much longer, to tell since when a host is silent. What
# is left of its time to live says which of the two it is, by the server's clock alone.
KEPT = 30 * 86400
# What went wrong on a host lately is kept beside its heartbeat, each entry with its own time to live, so that whoever
# asks who is alive learns it for nothing.
FAILURES_KEPT, CONFLICTS_KEPT = 1800, 180
STRETCH = 60  # seconds: conflicts are noted once in each
HEARD = "provider_id, seen_at, TTL(seen_at) AS left"


BEATS = 2.5  # intervals that a beat counts: two may be lost
SIZE_KEPT = 60.0  # seconds
_sizes: dict[tuple[str, Home], tuple[float, int]] = {}  # how many hosts a cell has, about
NOTED = 10_000
_noted: set[tuple[UUID, int]] = set()  # conflicts that this process noted already


@dataclass(frozen=True, slots=True)
class Heard:
    """When a provider's agent was heard from last (None: never, or not for KEPT seconds), and whether that counts."""

    seen_at: dt.datetime | None
    alive: bool


@dataclass(frozen=True, slots=True)
class Rhythm:
    """How often the agents of a cell are to beat, and how long a beat counts. Seconds."""

    interval: int
    ttl: int


def rhythm(home: Home) -> Rhythm:
    """HEARTBEAT_INTERVAL and HEARTBEAT_TTL, and slower in a cell whose hosts would beat more than HEARTBEATS_A_SECOND
    times a second."""
    key = (keyspace(home.datacenter), home)
    until, hosts = _sizes.get(key, (0.0, 0))
    if until < time.monotonic():
        hosts = SIZE * sum(all_shards(home).values())  # the last shards are not full: rather slower than faster
        _sizes[key] = (time.monotonic() + SIZE_KEPT, hosts)
    interval = max(settings.HEARTBEAT_INTERVAL, hosts // max(1, settings.HEARTBEATS_A_SECOND))
    return Rhythm(interval, max(settings.HEARTBEAT_TTL, math.ceil(BEATS * interval)))


def beat(location: Location) -> None:
    """Says that the provider's agent is there; counts for the cell's `rhythm(...).ttl` seconds."""
    write(*_beat(location))


def beat_together(locations: Iterable[Location]) -> None:
    """As `beat`, of several; those of a shard go in one message."""
    write_many(_beat(one) for one in locations)


def _beat(location: Location) -> tuple[str, list[Any]]:
    cql = (
        f"INSERT INTO {keyspace(location.home.datacenter)}.heartbeats "
        "(cell, resource_class, shard, provider_id, seen_at) VALUES (?, ?, ?, ?, toTimestamp(now())) USING TTL ?"
    )
    key = [location.home.cell, location.resource_class, location.shard, location.provider_id]
    return cql, [*key, rhythm(location.home).ttl + KEPT]


def silence(location: Location) -> None:
    """Forgets the heartbeat of a provider that is removed."""
    cql = (
        f"DELETE FROM {keyspace(location.home.datacenter)}.heartbeats "
        "WHERE cell = ? AND resource_class = ? AND shard = ? AND provider_id = ?"
    )
    write(cql, [location.home.cell, location.resource_class, location.shard, location.provider_id])


def mode_of(row: Mapping[str, Any]) -> str:
    """How the root of a capacity row is heard from: its agent speaks for the whole tree. (A row that was not projected
    since schema version 2 has only its own.)"""
    mode: str = row.get("root_heartbeat") or row["heartbeat"]
    return mode


def counts(row: Mapping[str, object]) -> bool:
    """Whether a row, read as HEARD, still says that its provider is alive."""
    left = row["left"]
    return isinstance(left, int) and left > KEPT


def heard(row: Mapping[str, object] | None) -> Heard:
    """What a row, read as HEARD, says; None when there is none."""
    seen_at = row["seen_at"] if row else None
    return Heard(aware(seen_at), counts(row)) if row and isinstance(seen_at, dt.datetime) else Heard(None, False)


def last_heard(location: Location) -> Heard:
    """Of one root provider."""
    cql = (
        f"SELECT {HEARD} FROM {keyspace(location.home.datacenter)}.heartbeats "
        "WHERE cell = ? AND resource_class = ? AND shard = ? AND provider_id = ?"
    )
    rows = read(cql, [location.home.cell, location.resource_class, location.shard, location.provider_id])
    return heard(rows[0] if rows else None)


@dataclass(frozen=True, slots=True)
class Signs:
    """How a root is: alive, builds that failed in the last half hour, and in how many of the last minutes claims on it
    were refused for want of room."""

    alive: bool
    failed_builds: int = 0
    conflicts: int = 0


def note_failed_build(location: Location, claim_id: UUID) -> None:
    """Once a claim, however often it is said."""
    _note(location, "failed_builds", str(claim_id), FAILURES_KEPT)


def note_conflict(location: Location) -> None:
    stretch = int(time.time()) // STRETCH
    key = (location.provider_id, stretch)
    if key in _noted:
        return
    if len(_noted) > NOTED:
        _noted.clear()
    _noted.add(key)
    _note(location, "conflicts", str(stretch), CONFLICTS_KEPT)


def _note(location: Location, column: str, what: str, seconds: int) -> None:
    cql = (
        f"UPDATE {keyspace(location.home.datacenter)}.heartbeats USING TTL ? SET {column} = {column} + ? "
        "WHERE cell = ? AND resource_class = ? AND shard = ? AND provider_id = ?"
    )
    key = [location.home.cell, location.resource_class, location.shard, location.provider_id]
    try:
        write(cql, [seconds, {what}, *key])
    except StoreUnavailable as error:  # it only weighs: nothing may fail for it
        log.info("%s of provider %s is not noted: %s", column, location.provider_id, error)


def signs_of(rows: Iterable[Mapping[str, Any]], home: Home) -> dict[UUID, Signs]:
    """Of these rows' roots that have an agent (capacity rows of one cell; one query per shard of roots)."""
    return {row["provider_id"]: _signs(row) for row in _vital(rows, home)}


def _signs(row: Mapping[str, Any]) -> Signs:
    return Signs(counts(row), len(row["failed_builds"] or ()), len(row["conflicts"] or ()))


def alive_among(rows: Iterable[Mapping[str, Any]], home: Home) -> set[UUID]:
    """Which of these rows' roots are heard from."""
    return {row["provider_id"] for row in _vital(rows, home) if counts(row)}


def _vital(rows: Iterable[Mapping[str, Any]], home: Home) -> Iterable[Mapping[str, Any]]:
    wanted: dict[tuple[str, int], set[UUID]] = {}
    for row in rows:
        if mode_of(row) != ALWAYS:
            wanted.setdefault((row["root_resource_class"], row["root_shard"]), set()).add(row["root_id"])
    cql = (
        f"SELECT {HEARD}, failed_builds, conflicts FROM {keyspace(home.datacenter)}.heartbeats "
        "WHERE cell = ? AND resource_class = ? AND shard = ?"
    )
    queries = []
    for (of_class, shard), roots in wanted.items():
        if len(roots) <= 64:  # a sample: these rows only; else the whole shard
            queries.append((f"{cql} AND provider_id IN ?", [home.cell, of_class, shard, sorted(roots, key=str)]))
        else:
            queries.append((cql, [home.cell, of_class, shard]))
    return (row for found in read_many(queries, READ) for row in found)


def is_alive(location: Location, heartbeat: str) -> bool:
    """Whether one root provider is alive now."""
    if heartbeat == ALWAYS:
        return True
    row = {
        "heartbeat": heartbeat,
        "root_resource_class": location.resource_class,
        "root_shard": location.shard,
        "root_id": location.provider_id,
    }
    return location.provider_id in alive_among([row], location.home)

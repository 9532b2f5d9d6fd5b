"""Who is alive: plain writes with a time to live and the server's clock, beside the shard, never in the record."""

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings

from providers.records import Location, aware
from store.home import Home
from store.session import READ, keyspace, read, read_many, write

ALWAYS = "none"  # heartbeat: none - an external provider, always alive
AGENT = "agent"
# A heartbeat counts for HEARTBEAT_TTL seconds, and is kept this much longer, to tell since when a host is silent. What
# is left of its time to live says which of the two it is, by the server's clock alone.
KEPT = 30 * 86400
HEARD = "provider_id, seen_at, TTL(seen_at) AS left"


@dataclass(frozen=True, slots=True)
class Heard:
    """When a provider's agent was heard from last (None: never, or not for KEPT seconds), and whether that counts."""

    seen_at: dt.datetime | None
    alive: bool


def beat(location: Location) -> None:
    """Says that the provider's agent is there; counts for HEARTBEAT_TTL seconds."""
    cql = (
        f"INSERT INTO {keyspace(location.home.datacenter)}.heartbeats "
        "(cell, resource_class, shard, provider_id, seen_at) VALUES (?, ?, ?, ?, toTimestamp(now())) USING TTL ?"
    )
    key = [location.home.cell, location.resource_class, location.shard, location.provider_id]
    write(cql, [*key, settings.HEARTBEAT_TTL + KEPT])


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


def alive_among(rows: Iterable[Mapping[str, Any]], home: Home) -> set[UUID]:
    """Which of these rows' roots are heard from (capacity rows of one cell; one query per shard of roots)."""
    wanted: dict[tuple[str, int], set[UUID]] = {}
    for row in rows:
        if mode_of(row) != ALWAYS:
            wanted.setdefault((row["root_resource_class"], row["root_shard"]), set()).add(row["root_id"])
    cql = (
        f"SELECT {HEARD} FROM {keyspace(home.datacenter)}.heartbeats "
        "WHERE cell = ? AND resource_class = ? AND shard = ?"
    )
    queries = []
    for (of_class, shard), roots in wanted.items():
        if len(roots) <= 64:  # a sample: these rows only; else the whole shard
            queries.append((f"{cql} AND provider_id IN ?", [home.cell, of_class, shard, sorted(roots, key=str)]))
        else:
            queries.append((cql, [home.cell, of_class, shard]))
    return {row["provider_id"] for found in read_many(queries, READ) for row in found if counts(row)}


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

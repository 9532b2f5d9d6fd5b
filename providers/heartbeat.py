"""Who is alive: plain writes with a time to live and the server's clock, beside the shard, never in the record."""

from collections.abc import Iterable, Mapping
from uuid import UUID

from django.conf import settings

from providers.records import Location
from store.home import Home
from store.session import READ, keyspace, read_many, write

ALWAYS = "none"  # heartbeat: none - an external provider, always alive
AGENT = "agent"


def beat(location: Location) -> None:
    """Says that the provider's agent is there; holds for HEARTBEAT_TTL seconds."""
    cql = (
        f"INSERT INTO {keyspace(location.home.datacenter)}.heartbeats "
        "(cell, resource_class, shard, provider_id, seen_at) VALUES (?, ?, ?, ?, toTimestamp(now())) USING TTL ?"
    )
    home = location.home
    write(cql, [home.cell, location.resource_class, location.shard, location.provider_id, settings.HEARTBEAT_TTL])


def silence(location: Location) -> None:
    """Forgets the heartbeat of a provider that is removed."""
    cql = (
        f"DELETE FROM {keyspace(location.home.datacenter)}.heartbeats "
        "WHERE cell = ? AND resource_class = ? AND shard = ? AND provider_id = ?"
    )
    write(cql, [location.home.cell, location.resource_class, location.shard, location.provider_id])


def alive_among(rows: Iterable[Mapping[str, object]], home: Home) -> set[UUID]:
    """Which of these rows' roots are heard from (capacity rows of one cell; one query per shard of roots)."""
    wanted: dict[tuple[object, object], set[object]] = {}
    for row in rows:
        if row["heartbeat"] != ALWAYS:
            wanted.setdefault((row["root_resource_class"], row["root_shard"]), set()).add(row["root_id"])
    cql = (
        f"SELECT provider_id FROM {keyspace(home.datacenter)}.heartbeats "
        "WHERE cell = ? AND resource_class = ? AND shard = ?"
    )
    queries = []
    for (of_class, shard), roots in wanted.items():
        if len(roots) <= 64:  # a sample: these rows only; else the whole shard
            queries.append((f"{cql} AND provider_id IN ?", [home.cell, of_class, shard, sorted(roots, key=str)]))
        else:
            queries.append((cql, [home.cell, of_class, shard]))
    return {row["provider_id"] for found in read_many(queries, READ) for row in found}


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

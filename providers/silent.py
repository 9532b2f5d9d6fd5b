"""Hosts that were declared silent: their heartbeats stopped, a conductor said so, and what they had begun is moved on.

Declared, not only silent: it is said once, by one transaction, and holds until the host is heard again.
"""

import datetime as dt
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from providers.heartbeat import HEARD, counts
from providers.records import aware
from store.home import Home
from store.lwt import Applied, Statement, run
from store.session import READ, keyspace, lwt_profile, read

A_QUERY = 100  # ids


@dataclass(frozen=True, slots=True)
class Silent:
    """A host (root provider) that was declared silent. `claims_moved`: its open claims were looked at after that."""

    provider_id: UUID
    name: str
    resource_class: str
    shard: int
    seen_at: dt.datetime | None
    declared_at: dt.datetime
    claims_moved: bool


def declare(home: Home, one: Silent) -> bool:
    """Whether this call said it first. No answer counts as no: whoever looks next finds out."""
    cql = (
        f"INSERT INTO {_table(home)} (cell, provider_id, name, resource_class, shard, seen_at, declared_at, "
        "claims_moved) VALUES (?, ?, ?, ?, ?, ?, ?, false) IF NOT EXISTS"
    )
    key = [home.cell, one.provider_id, one.name, one.resource_class, one.shard, one.seen_at, one.declared_at]
    return isinstance(run([Statement(cql, key)], home.datacenter, "silent.declare"), Applied)


def claims_moved(home: Home, provider_id: UUID) -> None:
    cql = f"UPDATE {_table(home)} SET claims_moved = true WHERE cell = ? AND provider_id = ? IF EXISTS"
    run([Statement(cql, [home.cell, provider_id])], home.datacenter, "silent.moved")


def heard_again(home: Home, provider_id: UUID) -> bool:
    """Whether this call took it off the list."""
    cql = f"DELETE FROM {_table(home)} WHERE cell = ? AND provider_id = ? IF EXISTS"
    return isinstance(run([Statement(cql, [home.cell, provider_id])], home.datacenter, "silent.heard"), Applied)


def silent_among(home: Home, provider_ids: Collection[UUID]) -> set[UUID]:
    """Which of these root providers of one cell are declared silent, and are silent still. Read where it is written, at
    a quorum."""
    ids = sorted(provider_ids, key=str)
    cql = f"SELECT provider_id, resource_class, shard FROM {_table(home)} WHERE cell = ? AND provider_id IN ?"
    found: set[UUID] = set()
    for begin in range(0, len(ids), A_QUERY):
        rows = read(cql, [home.cell, ids[begin : begin + A_QUERY]], lwt_profile(home.datacenter))
        found |= {row["provider_id"] for row in rows if not _is_heard(home, row)}
    return found


def _is_heard(home: Home, row: Mapping[str, Any]) -> bool:
    """It is back, and nobody has said so yet."""
    cql = (
        f"SELECT {HEARD} FROM {keyspace(home.datacenter)}.heartbeats "
        "WHERE cell = ? AND resource_class = ? AND shard = ? AND provider_id = ?"
    )
    key = [home.cell, row["resource_class"], row["shard"], row["provider_id"]]
    return any(counts(one) for one in read(cql, key, lwt_profile(home.datacenter)))


def all_silent(home: Home) -> Iterable[Silent]:
    """Every host of a cell that is declared silent; read in pages."""
    after: UUID | None = None
    while True:
        where = "" if after is None else " AND provider_id > ?"
        cql = f"SELECT * FROM {_table(home)} WHERE cell = ?{where} LIMIT 1000"
        rows = read(cql, [home.cell] if after is None else [home.cell, after], READ)
        for row in rows:
            seen_at = aware(row["seen_at"]) if row["seen_at"] else None
            yield Silent(
                row["provider_id"],
                row["name"] or "",
                row["resource_class"] or "",
                row["shard"] or 0,
                seen_at,
                aware(row["declared_at"]) or dt.datetime.now(dt.UTC),
                bool(row["claims_moved"]),
            )
        if len(rows) < 1000:
            return
        after = rows[-1]["provider_id"]


def _table(home: Home) -> str:
    return f"{keyspace(home.datacenter)}.silent_hosts"

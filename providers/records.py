"""Reads a provider tree: its providers' own rows, and the claims, instances and closed ids on them."""

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from providers.refusals import NotFound
from providers.resource_classes.kind import NIL, ResourceClass
from providers.resource_classes.registry import known_class
from scheduler.types import Candidate
from store.home import Home
from store.session import QUORUM, keyspace, read

Row = Mapping[str, Any]
PROVIDER, CLAIM, INSTANCE, CLOSED = "provider", "claim", "instance", "closed"


@dataclass(frozen=True, slots=True)
class Location:
    """What the lookup by id knows; every part of it is immutable."""

    provider_id: UUID
    root_id: UUID
    home: Home
    resource_class: str
    shard: int


@dataclass(frozen=True, slots=True)
class OwnRow:
    """A provider's own row; `row` has the table's columns, the properties give them meaning."""

    row: Row

    @property
    def id(self) -> UUID:
        found: UUID = self.row["provider_id"]
        return found

    @property
    def resource_class(self) -> ResourceClass:
        return known_class(self.row["resource_class"])

    @property
    def state_version(self) -> int:
        return int(self.row["state_version"])

    @property
    def amounts(self) -> dict[str, int]:
        return self.resource_class.amounts_of(self.row)

    @property
    def available(self) -> dict[str, int]:
        return self.resource_class.amounts_of(self.row, "available_")

    @property
    def totals(self) -> dict[str, int]:
        return self.resource_class.amounts_of(self.row, "total_")

    @property
    def reserved(self) -> dict[str, int]:
        return self.resource_class.amounts_of(self.row, "reserved_")

    @property
    def ratios(self) -> dict[str, float]:
        return self.resource_class.ratios_of(self.row)


@dataclass(frozen=True, slots=True)
class Record:
    """A claim (negative amounts), an instance (zero amounts and what it gives back) or a closed id."""

    id: UUID
    root_id: UUID
    provider_id: UUID
    provider_name: str
    home: Home
    kind: str
    state: str
    resource_class: str
    request_id: UUID
    epoch: int
    member: int
    consumer: str
    project: str
    amounts: Mapping[str, int]
    gives_back: Mapping[str, int]
    created_at: dt.datetime | None
    expires_at: dt.datetime | None
    release_requested: bool
    instance: Mapping[str, Any] | None
    generation: int


@dataclass(frozen=True, slots=True)
class Tree:
    """One partition: a root, its children, and what is on them, as of `generation`."""

    root_id: UUID
    home: Home
    generation: int
    providers: Mapping[UUID, OwnRow]
    records: tuple[Record, ...]

    @property
    def root(self) -> OwnRow:
        return self.providers[self.root_id]

    def claims_on(self, provider_id: UUID) -> list[Record]:
        return [r for r in self.records if r.provider_id == provider_id and r.kind == CLAIM]

    def instances_on(self, provider_id: UUID) -> list[Record]:
        return [r for r in self.records if r.provider_id == provider_id and r.kind == INSTANCE]


def locate(provider_id: UUID) -> Location:
    """Where a provider lives. Raises NotFound. A location may outlive its provider: the tree decides."""
    rows = read(f"SELECT * FROM {keyspace()}.providers_by_id WHERE provider_id = ?", [provider_id])
    if not rows or rows[0]["removed"]:
        raise NotFound(f"no provider {provider_id}")
    return location_of(rows[0])


def location_of(row: Row) -> Location:
    home = Home(row["cell"], row["datacenter"])
    return Location(row["provider_id"], row["root_id"], home, row["resource_class"], row["shard"])


def read_tree(home: Home, root_id: UUID, profile: str = QUORUM) -> Tree:
    """One partition in one select, generation and rows as of one instant. An empty tree has no providers."""
    rows = read(f"SELECT * FROM {keyspace(home.datacenter)}.provider_records WHERE root_id = ?", [root_id], profile)
    return tree_of(home, root_id, rows)


def tree_of(home: Home, root_id: UUID, rows: list[dict[str, Any]]) -> Tree:
    own = {row["provider_id"]: OwnRow(row) for row in rows if row["record_id"] == NIL}
    # A partition whose last row was deleted still answers with one row of statics, all else null.
    records = tuple(record_of(home, row) for row in rows if row["record_id"] not in (NIL, None))
    generation = rows[0]["generation"] if rows else 0
    return Tree(root_id, home, generation or 0, own, records)


def read_provider(provider_id: UUID) -> tuple[Tree, OwnRow]:
    """The provider and the tree it is in. Raises NotFound."""
    location = locate(provider_id)
    tree = read_tree(location.home, location.root_id)
    if provider_id not in tree.providers:
        raise NotFound(f"no provider {provider_id}")
    return tree, tree.providers[provider_id]


def record_of(home: Home, row: Row) -> Record:
    return Record(
        id=row["record_id"],
        root_id=row["root_id"],
        provider_id=row["provider_id"],
        provider_name=row["name"] or "",
        home=Home(row.get("cell") or home.cell, home.datacenter),
        kind=row["kind"],
        state=row["state"],
        resource_class=row["resource_class"],
        request_id=row["request_id"],
        epoch=row["epoch"] or 0,
        member=row["member"] or 0,
        consumer=row["consumer"] or "",
        project=row["project"] or "",
        amounts=_claimed(row),
        gives_back=dict(row["gives_back"] or {}),
        created_at=aware(row["created_at"]),
        expires_at=aware(row["expires_at"]),
        release_requested=bool(row["release_requested"]),
        instance=json.loads(row["instance"]) if row["instance"] else None,
        generation=row["generation"] or 0,
    )


def _claimed(row: Row) -> dict[str, int]:
    if row["kind"] != CLAIM or not row["resource_class"]:
        return {}
    amounts = known_class(row["resource_class"]).amounts_of(row)
    return {name: value for name, value in amounts.items() if value}


def state_above(tree: Tree, own: OwnRow) -> str:
    """What the root and the parents in between say to a provider: `enabled`, or the first other state from the root's
    down (a root's own is its own). A parent that is not in `tree`, as after a refusal, is not asked."""
    states = [tree.providers.get(tree.root_id, own).row["state"]]
    parent = tree.providers.get(own.row["parent_id"])
    while parent is not None:
        states.append(parent.row["state"])
        parent = tree.providers.get(parent.row["parent_id"])
    return next((state for state in states if state != "enabled"), "enabled")


def candidate_of(tree: Tree, own: OwnRow, alive: bool = True) -> Candidate:
    """The provider's record as a decision sees it, for `fits` after a refusal and for near misses."""
    row, root = own.row, tree.providers.get(tree.root_id, own)
    return Candidate(
        provider_id=own.id,
        root_id=tree.root_id,
        cell=row["cell"],
        datacenter=tree.home.datacenter,
        resource_class=row["resource_class"],
        name=row["name"],
        state=row["state"],
        state_reason=row["state_reason"] or "",
        root_state=state_above(tree, own),
        state_version=own.state_version,
        root_state_version=root.state_version,
        generation=tree.generation,
        amounts=own.amounts,
        available=own.available,
        totals=own.totals,
        properties=own.resource_class.properties_of(row),
        traits=frozenset(row["traits"] or ()),
        aggregates=frozenset(row["aggregates"] or ()),
        rack=row["rack"] or "",
        zone=row["zone"] or "",
        heartbeat=row["heartbeat"],
        alive=alive,
        shard=row["shard"],
        parent_id=row["parent_id"],
    )


def aware(at: dt.datetime | None) -> dt.datetime | None:
    """The driver gives UTC without saying so."""
    return at.replace(tzinfo=dt.UTC) if at is not None else None

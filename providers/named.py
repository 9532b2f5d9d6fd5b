"""Providers that somebody named by their ids, as their own records have them now."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from providers.admission import admission
from providers.aggregates import all_aggregates
from providers.heartbeat import ALWAYS, alive_among
from providers.records import Location, OwnRow, Tree, candidate_of, location_of, tree_of
from scheduler.types import Candidate
from store.home import Home
from store.session import keyspace, read_many

TOGETHER = 32  # partitions read side by side


@dataclass(frozen=True, slots=True)
class Named:
    """A provider in its tree, and whether its root is heard from."""

    tree: Tree
    own: OwnRow
    alive: bool

    @property
    def candidate(self) -> Candidate:
        """With what is on it and what its aggregates keep it for."""
        labels = frozenset(self.own.row["aggregates"] or ())
        return replace(
            candidate_of(self.tree, self.own, self.alive),
            claims=len(self.tree.claims_on(self.own.id)),
            instances=len(self.tree.instances_on(self.own.id)),
            admits=admission(labels, all_aggregates()),
        )


def read_named(provider_ids: Collection[UUID]) -> dict[UUID, Named | None]:
    """Those that were ever registered; None for one that was removed. One partition a tree, as many as are named."""
    locations = _locations(list(dict.fromkeys(provider_ids)))
    trees = _trees([one for one in locations.values() if one is not None])
    alive = _alive(list(trees.values()))
    found: dict[UUID, Named | None] = dict.fromkeys(locations)
    for provider_id, location in locations.items():
        tree = trees[location.root_id] if location is not None else None
        if tree is not None and provider_id in tree.providers:
            found[provider_id] = Named(tree, tree.providers[provider_id], tree.root_id in alive)
    return found


def _locations(ids: Sequence[UUID]) -> dict[UUID, Location | None]:
    cql = f"SELECT * FROM {keyspace()}.providers_by_id WHERE provider_id = ?"
    pages = _side_by_side([(cql, [one]) for one in ids])
    rows = {one: page[0] for one, page in zip(ids, pages, strict=True) if page}
    return {one: None if row["removed"] else location_of(row) for one, row in rows.items()}


def _trees(locations: Sequence[Location]) -> dict[UUID, Tree]:
    homes = {one.root_id: one.home for one in locations}
    cql = "SELECT * FROM {}.provider_records WHERE root_id = ?"
    pages = _side_by_side([(cql.format(keyspace(home.datacenter)), [root]) for root, home in homes.items()])
    return {root: tree_of(home, root, page) for (root, home), page in zip(homes.items(), pages, strict=True)}


def _alive(trees: Sequence[Tree]) -> set[UUID]:
    roots: dict[Home, list[Mapping[str, Any]]] = {}
    for tree in trees:
        if tree.root_id in tree.providers:
            row = tree.root.row
            asked = {"root_id": tree.root_id, "root_resource_class": row["resource_class"], "root_shard": row["shard"]}
            roots.setdefault(tree.home, []).append({**asked, "heartbeat": row["heartbeat"]})
    always = {row["root_id"] for rows in roots.values() for row in rows if row["heartbeat"] == ALWAYS}
    return always.union(*(alive_among(rows, home) for home, rows in roots.items()))


def _side_by_side(queries: Sequence[tuple[str, list[Any]]]) -> list[list[dict[str, Any]]]:
    return [page for begin in range(0, len(queries), TOGETHER) for page in read_many(queries[begin : begin + TOGETHER])]

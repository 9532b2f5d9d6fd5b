"""Where room came back and the projection does not show it, in a class too large to read all its records again.

A claim is on its cell's list from before it is made until some time after it ended (claims/lookups.py). So where a
process died between giving room back and showing it is among the providers on that list. (docs/adr/0013)
"""

import time
from collections.abc import Collection, Iterator, Sequence
from typing import Any
from uuid import UUID

from claims.find import providers_on_list
from providers.candidates import Shard
from providers.projection import project_together
from providers.records import candidate_of, tree_of
from providers.resource_classes.kind import NIL
from providers.tree_columns import columns_of
from scheduler.filters.kind import Filter
from scheduler.fits import fits
from scheduler.types import Candidate, Resource
from store.failures import StoreUnavailable
from store.home import Home
from store.session import QUORUM, keyspace, read_many

TOGETHER = 32  # partitions read by one message
AT_ONCE = 4  # such messages side by side
NOT_OF_A_RECORD = ("alive",)  # filters that own rows alone cannot answer; the query does, after the projection


def freed(homes: Collection[Home], resource: Resource, filters: Sequence[Filter], until: float) -> list[Shard]:
    """Projects anew the listed providers whose own record fits while the projection is behind it; the shards they are
    in. Raises StoreUnavailable when that takes longer than `until` (time.monotonic())."""
    asked = [one for one in filters if one.name not in NOT_OF_A_RECORD]
    found: set[Shard] = set()
    for home in homes:
        fitting = [c for c in _listed(home, resource, until) if fits(c, resource, asked) is None]
        behind = _behind(home, fitting)
        project_together([(home, root_id) for root_id in {c.root_id for c in behind}])
        found |= {(home, c.shard) for c in behind}
    return sorted(found, key=lambda shard: (shard[0].cell, shard[1]))


def _listed(home: Home, resource: Resource, until: float) -> Iterator[Candidate]:
    """The listed providers of the class, from their own rows and their roots'."""
    roots: dict[UUID, set[UUID]] = {}
    for root_id, provider_id in providers_on_list(home):
        if resource.only_on is None or root_id in resource.only_on:
            roots.setdefault(root_id, {root_id}).add(provider_id)
    cql = (
        f"SELECT {columns_of(frozenset([resource.resource_class]))} FROM {keyspace(home.datacenter)}.provider_records "
        "WHERE root_id IN ? AND provider_id IN ? AND record_id = ?"
    )
    ids = list(roots)
    for begin in range(0, len(ids), TOGETHER * AT_ONCE):
        if time.monotonic() > until:
            told = f"only {begin} of {len(ids)} providers where claims ended lately could be read again"
            raise StoreUnavailable(f"{told} in the time that the policy gives a sweep (sweep_seconds); ask again")
        group = ids[begin : begin + TOGETHER * AT_ONCE]
        some = [group[first : first + TOGETHER] for first in range(0, len(group), TOGETHER)]
        pages = read_many((cql, [few, sorted(set().union(*(roots[root] for root in few))), NIL]) for few in some)
        for row_of_tree in _by_tree(row for rows in pages for row in rows):
            tree = tree_of(home, row_of_tree[0]["root_id"], row_of_tree)
            of_class = (one for one in tree.providers.values() if one.row["resource_class"] == resource.resource_class)
            yield from (candidate_of(tree, own) for own in of_class)


def _by_tree(rows: Iterator[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    trees: dict[UUID, list[dict[str, Any]]] = {}
    for row in rows:
        trees.setdefault(row["root_id"], []).append(row)
    return list(trees.values())


def _behind(home: Home, candidates: Sequence[Candidate]) -> list[Candidate]:
    """Those that the capacity table shows as they were earlier, or not at all."""
    shards: dict[tuple[str, int], list[Candidate]] = {}
    for candidate in candidates:
        shards.setdefault((candidate.resource_class, candidate.shard), []).append(candidate)
    cql = (
        f"SELECT provider_id, generation FROM {keyspace(home.datacenter)}.capacity "
        "WHERE cell = ? AND resource_class = ? AND shard = ? AND root_id IN ?"
    )
    asked = [(cql, [home.cell, *shard, sorted({c.root_id for c in some})]) for shard, some in shards.items()]
    shown: dict[UUID, int] = {}
    for begin in range(0, len(asked), TOGETHER):
        for rows in read_many(asked[begin : begin + TOGETHER], QUORUM):
            shown |= {row["provider_id"]: row["generation"] for row in rows}
    return [c for c in candidates if shown.get(c.provider_id, -1) < c.generation]

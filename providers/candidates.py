"""The query: which providers could take a resource, found shard by shard.

`sample` reads shards in random order, a random stretch of each, until enough fit: one shard costs the same at 100 hosts
and at 100,000. `beside` reads what else is on the trees of a sample. `sweep` reads every provider of the class, for
packing, explanations and before anyone is told "no".
"""

import math
import random
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from providers.admission import admission, multipliers
from providers.aggregates import Aggregate, all_aggregates
from providers.heartbeat import ALWAYS, Signs, mode_of, signs_of
from providers.records import candidate_of, read_tree, tree_of
from providers.resource_classes.kind import NIL, ResourceClass
from providers.resource_classes.registry import resource_class
from providers.shards import SIZE, all_shards, known_shards, shards
from providers.tree_columns import columns_of, complete, select
from scheduler.filters.kind import Filter
from scheduler.fits import fits
from scheduler.types import Candidate, Resource
from store.home import Home
from store.session import QUORUM, READ, keyspace, read_many

AT_ONCE = 4  # shards read side by side in a sweep
TOGETHER = 32  # partitions read by one message
FRESH_AT_ONCE = 4  # such messages side by side
SILENT = Signs(alive=False)
_seen_versions: dict[tuple[Home, str, int], set[int]] = {}  # per shard


@dataclass(frozen=True, slots=True)
class Sample:
    """Candidates that fit, out of how many shards of how many; `complete` when every shard was read whole."""

    fitting: tuple[Candidate, ...]
    shards_read: int
    shards: int
    complete: bool


@dataclass(frozen=True, slots=True)
class Swept:
    """All candidates of a class, whether they fit or not, from so many shards of so many."""

    candidates: Sequence[Candidate]
    shards: int
    of_shards: int
    seconds: float

    @property
    def complete(self) -> bool:
        return self.shards == self.of_shards


def sample(
    homes: Sequence[Home], resource: Resource, filters: Sequence[Filter], enough: int, rng: random.Random
) -> Sample:
    """Providers that fit: about `enough`, at least half of it if there are as many (a stretch that ends at the shard's
    end gave what it had; another query for the rest costs more than it betters). Reads at LOCAL_ONE: the transaction
    decides.
    """
    of_class = resource_class(resource.resource_class)
    order = [(home, shard) for home in homes for shard in range(known_shards(home, of_class.name))]
    rng.shuffle(order)
    found: dict[UUID, Candidate] = {}
    for number, (home, shard) in enumerate(order, start=1):
        versions = _seen_versions.setdefault((home, of_class.name, shard), set())
        start = _somewhere(versions, rng)
        for bound in ("AND root_id >= ?", "AND root_id < ?"):
            room = enough - len(found)
            rows = _query(home, shard, of_class, resource, filters, (bound, start), room)
            versions.update(_version(row["root_id"]) for row in rows)
            for candidate in candidates_in(home, of_class, rows):
                if fits(candidate, resource, filters) is None:
                    found[candidate.provider_id] = candidate
            if 2 * len(found) >= enough:
                return Sample(tuple(found.values()), number, len(order), complete=False)
    # A stretch is cut at `room` rows, so rows that Python's filters refused may hide others: only a sweep is complete.
    return Sample(tuple(found.values()), len(order), len(order), complete=False)


def _somewhere(versions: set[int], rng: random.Random) -> UUID:
    """A random place in the order of a shard's ids. Cassandra sorts uuids by their version first, so it is of a version
    that ids there were seen to have: with any other, every sample would begin at the same few hosts."""
    version = rng.choice(sorted(versions)) if versions else 4
    return UUID(int=rng.getrandbits(128) & ~(0xF << 76) | version << 76)


def _version(identifier: UUID) -> int:
    return identifier.int >> 76 & 0xF


def sweep(homes: Sequence[Home], resource_class_name: str) -> Sequence[Candidate]:
    """Every provider of the class in these cells, before any filter."""
    return sweep_all(homes, resource_class_name).candidates


def about_how_many(homes: Sequence[Home], resource_class_name: str) -> int:
    """Providers of the class, to within a shard a cell."""
    return SIZE * sum(known_shards(home, resource_class_name) for home in homes)


def sweep_all(homes: Sequence[Home], resource_class_name: str, until: float = math.inf) -> Swept:
    """Every provider of the class in these cells, before any filter; read at LOCAL_QUORUM, some shards side by side. By
    `until` (time.monotonic()) it ends with what it has."""
    of_class = resource_class(resource_class_name)
    wanted = _shards(homes, of_class.name)
    found: list[Candidate] = []
    began = time.monotonic()
    for number, (_, some) in enumerate(read_shards(wanted, of_class), start=1):
        found += some
        if time.monotonic() > until:
            return Swept(found, number, len(wanted), time.monotonic() - began)
    return Swept(found, len(wanted), len(wanted), time.monotonic() - began)


def read_shards(shards: Sequence[tuple[Home, int]], of_class: ResourceClass) -> Iterator[tuple[Home, list[Candidate]]]:
    """The providers of one shard after the other, before any filter. Reads no further than it is asked."""
    for begin in range(0, len(shards), AT_ONCE):
        group = shards[begin : begin + AT_ONCE]
        pages = read_many(
            [(select_shard(home, of_class), [home.cell, of_class.name, number]) for home, number in group], QUORUM
        )
        for (home, _), rows in zip(group, pages, strict=True):
            yield home, candidates_in(home, of_class, rows)


def beside(candidates: Sequence[Candidate], classes: Collection[str]) -> list[Candidate]:
    """All providers of these classes on the candidates' trees, before any filter, from their own records. One partition
    a tree: as many as the sample found, however large the cloud is."""
    heard = {c.root_id: c for c in candidates}  # the root's agent speaks for the whole tree
    known = {c.provider_id: c for c in candidates}
    homes = {c.root_id: Home(c.cell, c.datacenter) for c in candidates}
    found: list[Candidate] = []
    selects = {root: select(home, root) for root, home in homes.items()}
    # ALLOW FILTERING inside one partition: its claims and instances are not wanted.
    pages = read_many([(f"{selects[root][0]} AND record_id = ? ALLOW FILTERING", [root, NIL]) for root in homes])
    for (root, home), rows in zip(homes.items(), pages, strict=True):
        enough = complete(root, rows, selects[root][1])
        tree = tree_of(home, root, rows) if enough else read_tree(home, root)
        wanted = [own for own in tree.providers.values() if own.row["resource_class"] in classes]
        found += [_still(candidate_of(tree, own, heard[root].alive), known.get(own.id, heard[root])) for own in wanted]
    return found


def reread(candidates: Sequence[Candidate]) -> list[Candidate]:
    """The same providers from their own records, as they are now: the projection may lag. Removed ones are left out."""
    roots: dict[tuple[Home, str], list[Candidate]] = {}
    children: list[Candidate] = []
    for candidate in candidates:
        if candidate.parent_id is None:
            home = Home(candidate.cell, candidate.datacenter)
            roots.setdefault((home, candidate.resource_class), []).append(candidate)
        else:
            children.append(candidate)
    fresh = [one for (home, of_class), some in roots.items() for one in _reread_roots(home, of_class, some)]
    return [*fresh, *_reread_children(children)]


def _reread_roots(home: Home, of_class: str, candidates: Sequence[Candidate]) -> list[Candidate]:
    """Own rows alone say all of a root; several partitions a message, for the message costs more than the row."""
    cql = (
        f"SELECT {columns_of(frozenset([of_class]))} FROM {keyspace(home.datacenter)}.provider_records "
        "WHERE root_id IN ? AND provider_id IN ? AND record_id = ?"
    )
    old = {c.provider_id: c for c in candidates}
    ids = list(old)
    fresh: list[Candidate] = []
    for begin in range(0, len(ids), TOGETHER * FRESH_AT_ONCE):
        group = ids[begin : begin + TOGETHER * FRESH_AT_ONCE]
        some = [group[first : first + TOGETHER] for first in range(0, len(group), TOGETHER)]
        for rows in read_many((cql, [few, few, NIL]) for few in some):
            for row in rows:
                tree = tree_of(home, row["root_id"], [row])
                before = old[row["root_id"]]
                fresh.append(_still(candidate_of(tree, tree.providers[row["root_id"]], before.alive), before))
    return fresh


def _reread_children(candidates: Sequence[Candidate]) -> list[Candidate]:
    """With their trees: whoever is above them decides with them."""
    fresh: list[Candidate] = []
    for begin in range(0, len(candidates), TOGETHER):
        group = candidates[begin : begin + TOGETHER]
        cql = "SELECT * FROM {}.provider_records WHERE root_id = ?"
        pages = read_many((cql.format(keyspace(c.datacenter)), [c.root_id]) for c in group)
        for old, rows in zip(group, pages, strict=True):
            tree = tree_of(Home(old.cell, old.datacenter), old.root_id, rows)
            if old.provider_id in tree.providers:
                fresh.append(_still(candidate_of(tree, tree.providers[old.provider_id], old.alive), old))
    return fresh


def _still(fresh: Candidate, before: Candidate) -> Candidate:
    """What own rows do not say stays as the projection had it; the aggregates are looked up again."""
    aggregates = all_aggregates()
    same = fresh.provider_id == before.provider_id
    return replace(
        fresh,
        claims=before.claims if same else 0,
        instances=before.instances if same else 0,
        failed_builds=before.failed_builds,
        conflicts=before.conflicts,
        admits=admission(fresh.aggregates, aggregates),
        multipliers=multipliers(fresh.aggregates, aggregates),
    )


def query_text(resource: Resource, filters: Sequence[Filter]) -> str:
    """The WHERE clause that the request became, with its values in place, for the explanation."""
    clause, values = resource_class(resource.resource_class).query(resource, filters)
    text = "cell = ? AND resource_class = ? AND shard = ?"
    for value in values:
        clause = clause.replace("?", repr(value), 1)
    return text + clause


def _shards(homes: Sequence[Home], of_class: str) -> list[tuple[Home, int]]:
    if len(homes) == 1:
        return [(homes[0], n) for n in range(shards(homes[0], of_class, QUORUM))]
    return [(home, n) for home in homes for n in range(all_shards(home).get(of_class, 0))]


def select_shard(home: Home, of_class: ResourceClass) -> str:
    """Of one whole shard; its values are cell, class and number."""
    return (
        f"SELECT {', '.join(of_class.select())} FROM {keyspace(home.datacenter)}.capacity "
        "WHERE cell = ? AND resource_class = ? AND shard = ?"
    )


def _query(
    home: Home,
    shard: int,
    of_class: ResourceClass,
    resource: Resource,
    filters: Sequence[Filter],
    stretch: tuple[str, UUID],
    limit: int,
) -> list[dict[str, Any]]:
    where, values = of_class.query(resource, filters)
    bound, start = stretch
    if of_class.leaves(resource):
        limit *= 4  # what Python's filters will refuse must not use up the rows asked for
    # ALLOW FILTERING inside one partition of about 256 rows: bounded by the shard's size.
    cql = f"{select_shard(home, of_class)} {bound}{where} LIMIT ? ALLOW FILTERING"
    return read_many([(cql, [home.cell, of_class.name, shard, start, *values, limit])], READ)[0]


def candidates_in(home: Home, of_class: ResourceClass, rows: Sequence[Mapping[str, Any]]) -> list[Candidate]:
    """Rows of a shard as the scheduler sees them, alive or not."""
    signs, aggregates = signs_of(rows, home), all_aggregates()
    return [_candidate(home, of_class, row, signs.get(row["root_id"], SILENT), aggregates) for row in rows]


def _candidate(
    home: Home, of_class: ResourceClass, row: Mapping[str, Any], signs: Signs, aggregates: Mapping[str, Aggregate]
) -> Candidate:
    labels = frozenset(row["aggregates"] or ())
    return Candidate(
        provider_id=row["provider_id"],
        root_id=row["root_id"],
        cell=row["cell"],
        datacenter=home.datacenter,
        resource_class=of_class.name,
        name=row["name"],
        state=row["state"],
        root_state=row["root_state"],
        state_version=row["state_version"],
        root_state_version=row["root_state_version"],
        generation=row["generation"],
        amounts=of_class.amounts_of(row),
        available=of_class.amounts_of(row, "available_"),
        totals=of_class.amounts_of(row, "total_"),
        properties=of_class.properties_of(row),
        traits=frozenset(row["traits"] or ()),
        aggregates=labels,
        rack=row["rack"] or "",
        zone=row["zone"] or "",
        heartbeat=row["heartbeat"],
        alive=signs.alive or mode_of(row) == ALWAYS,
        shard=row["shard"],
        state_reason=row["state_reason"] or "",
        parent_id=row["parent_id"],
        claims=row["claims"] or 0,
        instances=row["instances"] or 0,
        failed_builds=signs.failed_builds,
        conflicts=signs.conflicts,
        admits=admission(labels, aggregates),
        multipliers=multipliers(labels, aggregates) if labels and aggregates else {},
    )

"""The query: which providers could take a resource, found shard by shard.

`sample` reads shards in random order, a random stretch of each, until enough fit: one shard costs the same at 100 hosts
and at 100,000. Where few fit, it reads more and more of them side by side.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from providers.admission import admission, multipliers
from providers.aggregates import Aggregate, all_aggregates
from providers.heartbeat import ALWAYS, Signs, mode_of, signs_of
from providers.resource_classes.kind import COUNTS, ResourceClass
from providers.resource_classes.registry import resource_class
from providers.shards import known_shards
from scheduler.filters.kind import Filter
from scheduler.filters.state import ENABLED
from scheduler.fits import fits
from scheduler.select import enabled_filters
from scheduler.types import Candidate, Policy, Resource
from store.home import Home
from store.session import READ, keyspace, read_many

# Shards that a sample reads side by side, one step after the other. With the last it gives what it found.
STEPS = (1, 1, 2, 4, 8, 16, 32)
ALWAYS_READ = (
    "root_id provider_id parent_id generation name state_version root_state_version root_resource_class root_shard "
    "root_heartbeat heartbeat"
).split()
SEEN_TO = ("cell", "state")  # by every query; they cannot be switched off
Shard = tuple[Home, int]
Stretch = tuple[str, Sequence[Any]]  # bounds of the clustering columns, and their values
SILENT = Signs(alive=False)
_seen_versions: dict[tuple[Home, str, int], set[int]] = {}  # per shard


@dataclass(frozen=True, slots=True)
class Sample:
    """Candidates that fit, out of so many shards of so many."""

    fitting: tuple[Candidate, ...]
    shards_read: int
    shards: int


class Question:
    """A resource under this policy, as it is asked of a shard. Rows that answer it have those columns that the query
    leaves open and a filter or weigher looks at; the candidates made of them say no more."""

    def __init__(self, resource: Resource, policy: Policy) -> None:
        self.of_class = resource_class(resource.resource_class)
        filters = enabled_filters(policy)
        self._resource, self._left = resource, [one for one in filters if one.name not in SEEN_TO]
        self._where, self._values = self.of_class.query(resource, filters)
        amounts = _amounts_for(self.of_class, resource, policy)
        self._columns = ", ".join([*ALWAYS_READ, *_read_for(resource, policy), *amounts])
        # What Python's filters will refuse must not use up the rows asked for.
        self._times = 4 if self.of_class.leaves(resource) else 1

    def of(self, shard: Shard, limit: int | None = None, stretch: Stretch = ("", ())) -> tuple[str, list[Any]]:
        """The CQL and its values; without a limit all that fit."""
        (home, number), (bounds, start) = shard, stretch
        # ALLOW FILTERING inside one partition of about 256 rows: bounded by the shard's size.
        cut = " LIMIT ?" if limit else ""
        cql = f"{_select(home, self._columns)}{bounds}{self._where}{cut} ALLOW FILTERING"
        cuts = [limit * self._times] if limit else []
        return cql, [home.cell, self.of_class.name, number, *start, *self._values, *cuts]

    def fitting(self, home: Home, rows: Sequence[Mapping[str, Any]]) -> list[Candidate]:
        """Those of the rows that pass the filters."""
        candidates = candidates_in(home, self.of_class, rows)
        return [c for c in candidates if fits(c, self._resource, self._left) is None]


def _read_for(resource: Resource, policy: Policy) -> list[str]:
    columns = []
    if resource.required or resource.forbidden or resource.any_of:
        columns.append("traits")
    if resource.aggregates or resource.kept_for or all_aggregates():
        columns.append("aggregates")
    if resource.group:
        columns += ["rack", "zone"]
    if policy.max_instances or policy.max_builds or "builds" in policy.weighers:
        columns += COUNTS
    return columns


def _amounts_for(of_class: ResourceClass, resource: Resource, policy: Policy) -> list[str]:
    """What was not asked for is looked at by weighers that compare columns or have one of their own."""
    of_others = any(name == "balance" or "." in name for name in policy.weighers)
    return of_class.sampled(resource, every_amount=of_others)


def sample(homes: Sequence[Home], resource: Resource, policy: Policy, enough: int, rng: random.Random) -> Sample:
    """Providers that fit: about `enough`, at least half of it if there are as many in the shards that are read (a
    stretch that ends at the shard's end gave what it had; another query for the rest costs more than it betters). Reads
    at LOCAL_ONE: the transaction decides. That it finds none does not mean that there is none: only a sweep knows.
    """
    question = Question(resource, policy)
    order = [(home, number) for home in homes for number in range(known_shards(home, resource.resource_class))]
    rng.shuffle(order)
    found: dict[UUID, Candidate] = {}
    read = 0
    for step in STEPS:
        some = order[read : read + step]
        if not some:
            break
        read += len(some)
        looks = _stretches(question, some[0], enough, rng) if len(some) == 1 else [_whole(question, some, enough)]
        for fitting in looks:
            found.update((candidate.provider_id, candidate) for candidate in fitting)
            if 2 * len(found) >= enough:
                return Sample(tuple(found.values()), read, len(order))
    return Sample(tuple(found.values()), read, len(order))


def _stretches(question: Question, shard: Shard, enough: int, rng: random.Random) -> Iterator[list[Candidate]]:
    """From somewhere in the shard on, then what is before it."""
    home, number = shard
    versions = _seen_versions.setdefault((home, question.of_class.name, number), set())
    start = _somewhere(versions, rng)
    for bound in (" AND root_id >= ?", " AND root_id < ?"):
        rows = read_many([question.of(shard, enough, (bound, (start,)))], READ)[0]
        versions.update(_version(row["root_id"]) for row in rows)
        yield question.fitting(home, rows)


def _whole(question: Question, shards: Sequence[Shard], enough: int) -> list[Candidate]:
    """Shards side by side, each from its beginning: a step that is only taken where few fit."""
    pages = read_many([question.of(shard, enough) for shard in shards], READ)
    by_home: dict[Home, list[dict[str, Any]]] = {}
    for (home, _), rows in zip(shards, pages, strict=True):
        by_home.setdefault(home, []).extend(rows)
    return [candidate for home, rows in by_home.items() for candidate in question.fitting(home, rows)]


def _somewhere(versions: set[int], rng: random.Random) -> UUID:
    """A random place in the order of a shard's ids. Cassandra sorts uuids by their version first, so it is of a version
    that ids there were seen to have: with any other, every sample would begin at the same few hosts."""
    version = rng.choice(sorted(versions)) if versions else 4
    return UUID(int=rng.getrandbits(128) & ~(0xF << 76) | version << 76)


def _version(identifier: UUID) -> int:
    return identifier.int >> 76 & 0xF


def query_text(resource: Resource, filters: Sequence[Filter]) -> str:
    """The WHERE clause that the request became, with its values in place, for the explanation."""
    clause, values = resource_class(resource.resource_class).query(resource, filters)
    text = "cell = ? AND resource_class = ? AND shard = ?"
    for value in values:
        clause = clause.replace("?", repr(value), 1)
    return text + clause


def select_shard(home: Home, of_class: ResourceClass) -> str:
    """Of one whole shard; its values are cell, class and number."""
    return _select(home, ", ".join(of_class.select()))


def _select(home: Home, columns: str) -> str:
    table = f"{keyspace(home.datacenter)}.capacity"
    return f"SELECT {columns} FROM {table} WHERE cell = ? AND resource_class = ? AND shard = ?"


def candidates_in(home: Home, of_class: ResourceClass, rows: Sequence[Mapping[str, Any]]) -> list[Candidate]:
    """Rows of a shard as the scheduler sees them, alive or not."""
    signs, aggregates = signs_of(rows, home), all_aggregates()
    return [_candidate(home, of_class, row, signs.get(row["root_id"], SILENT), aggregates) for row in rows]


def _candidate(
    home: Home, of_class: ResourceClass, row: Mapping[str, Any], signs: Signs, aggregates: Mapping[str, Aggregate]
) -> Candidate:
    labels = frozenset(row.get("aggregates") or ())
    return Candidate(
        provider_id=row["provider_id"],
        root_id=row["root_id"],
        cell=home.cell,
        datacenter=home.datacenter,
        resource_class=of_class.name,
        name=row["name"],
        state=row.get("state", ENABLED),
        root_state=row.get("root_state", ENABLED),
        state_version=row["state_version"],
        root_state_version=row["root_state_version"],
        generation=row["generation"],
        amounts=of_class.amounts_of(row),
        available=of_class.amounts_of(row, "available_"),
        totals=of_class.amounts_of(row, "total_"),
        properties=of_class.properties_of(row),
        traits=frozenset(row.get("traits") or ()),
        aggregates=labels,
        rack=row.get("rack") or "",
        zone=row.get("zone") or "",
        heartbeat=row["heartbeat"],
        alive=signs.alive or mode_of(row) == ALWAYS,
        shard=row.get("shard", 0),
        state_reason=row.get("state_reason") or "",
        parent_id=row["parent_id"],
        claims=row.get("claims") or 0,
        instances=row.get("instances") or 0,
        failed_builds=signs.failed_builds,
        conflicts=signs.conflicts,
        admits=admission(labels, aggregates),
        multipliers=multipliers(labels, aggregates) if labels and aggregates else {},
    )

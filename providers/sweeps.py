"""Every provider of a class: for packing, explanations, and before anyone is told "no".

Up to MANY shards all rows are read. Of a larger class Cassandra is asked in which shards anybody could hold a request
(`could_hold`), and who fits there (`fitting`): rows that could never do stay where they are.
"""

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from providers.candidates import Question, Shard, candidates_in, select_shard
from providers.resource_classes.kind import ResourceClass
from providers.resource_classes.registry import resource_class
from providers.shards import SIZE, all_shards, known_shards, shards
from scheduler.filters.kind import Filter
from scheduler.types import Candidate, Policy, Resource
from store.failures import StoreUnavailable
from store.home import Home
from store.session import QUORUM, keyspace, read_many

MANY = 16  # shards that are read whole, all of them
AT_ONCE = 4  # shards read whole side by side
ASKED_AT_ONCE = 32  # shards asked side by side for what is mostly nothing


@dataclass(frozen=True, slots=True)
class Swept:
    """Candidates of a class, whether they fit or not, from so many shards of so many."""

    candidates: Sequence[Candidate]
    shards: int
    of_shards: int
    seconds: float

    @property
    def providers(self) -> int:
        """How many there are of the class; about, when not all shards were read."""
        return round(len(self.candidates) * self.of_shards / self.shards) if self.shards else 0


def sweep(homes: Sequence[Home], resource_class_name: str) -> Sequence[Candidate]:
    """Every provider of the class in these cells, before any filter."""
    return sweep_all(homes, resource_class_name).candidates


def about_how_many(homes: Sequence[Home], resource_class_name: str) -> int:
    """Providers of the class, to within a shard a cell."""
    return SIZE * sum(known_shards(home, resource_class_name) for home in homes)


def sweep_all(homes: Sequence[Home], resource_class_name: str, until: float = math.inf) -> Swept:
    """Every provider of the class in these cells, before any filter; read at LOCAL_QUORUM. Raises StoreUnavailable when
    that takes longer than `until` (time.monotonic())."""
    wanted = all_of(homes, resource_class_name)
    return sweep_some(wanted, resource_class_name, until, len(wanted))


def sweep_some(wanted: Sequence[Shard], resource_class_name: str, until: float, of_shards: int) -> Swept:
    """Every provider in these shards of the class, which has `of_shards`."""
    found: list[Candidate] = []
    began = time.monotonic()
    for number, (_, some) in enumerate(read_shards(wanted, resource_class(resource_class_name)), start=1):
        found += some
        _in_time(until, number, len(wanted), resource_class_name)
    return Swept(found, len(wanted), of_shards, time.monotonic() - began)


def fitting(wanted: Sequence[Shard], resource: Resource, policy: Policy, until: float) -> list[Candidate]:
    """All that fit in these shards, read at LOCAL_QUORUM: the filters that can be are part of the query."""
    question = Question(resource, policy)
    named = resource.only_on
    stretch = (" AND root_id IN ?", (sorted(named, key=str),)) if named is not None else ("", ())
    found: list[Candidate] = []
    for begin, some in _by(ASKED_AT_ONCE, wanted):
        pages = read_many([question.of(shard, stretch=stretch) for shard in some], QUORUM)
        for (home, _), rows in zip(some, pages, strict=True):
            found += question.fitting(home, rows)
        _in_time(until, begin + len(some), len(wanted), resource.resource_class)
    return found


def could_hold(wanted: Sequence[Shard], resource: Resource, filters: Sequence[Filter], until: float) -> list[Shard]:
    """The shards with a provider that the filters leave and that would have room if all claims in flight on it ended.
    Who fits now is in one of them. One row a shard is read, and none where nobody could."""
    of_class = resource_class(resource.resource_class)
    where, values = of_class.query(resource, [one for one in filters if one.name != "capacity"])
    if not of_class.custom:
        amounts = {name: amount for name, amount in sorted(resource.amounts.items()) if amount}
        where += "".join(f" AND {name} >= ?" for name in amounts)
        values = [*values, *amounts.values()]
    cql = (
        "SELECT provider_id FROM {}.capacity "
        f"WHERE cell = ? AND resource_class = ? AND shard = ?{where} LIMIT 1 ALLOW FILTERING"
    )
    could: list[Shard] = []
    for begin, some in _by(ASKED_AT_ONCE, wanted):
        asked = [
            (cql.format(keyspace(home.datacenter)), [home.cell, of_class.name, number, *values])
            for home, number in some
        ]
        could += [shard for shard, rows in zip(some, read_many(asked, QUORUM), strict=True) if rows]
        _in_time(until, begin + len(some), len(wanted), of_class.name)
    return could


def read_shards(shards: Sequence[Shard], of_class: ResourceClass) -> Iterator[tuple[Home, list[Candidate]]]:
    """The providers of one shard after the other, before any filter. Reads no further than it is asked."""
    for _, group in _by(AT_ONCE, shards):
        pages = read_many(
            [(select_shard(home, of_class), [home.cell, of_class.name, number]) for home, number in group], QUORUM
        )
        for (home, _), rows in zip(group, pages, strict=True):
            yield home, candidates_in(home, of_class, rows)


def all_of(homes: Sequence[Home], of_class: str) -> list[Shard]:
    """The shards of the class in these cells, as they are now."""
    if len(homes) == 1:
        return [(homes[0], n) for n in range(shards(homes[0], of_class, QUORUM))]
    return [(home, n) for home in homes for n in range(all_shards(home).get(of_class, 0))]


def _by(size: int, shards: Sequence[Shard]) -> Iterator[tuple[int, Sequence[Shard]]]:
    for begin in range(0, len(shards), size):
        yield begin, shards[begin : begin + size]


def _in_time(until: float, number: int, of: int, of_class: str) -> None:
    if number < of and time.monotonic() > until:
        told = f"only {number} of {of} shards of {of_class} could be read"
        raise StoreUnavailable(f"{told} in the time that the policy gives a sweep (sweep_seconds); ask again")

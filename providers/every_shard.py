"""Every provider of a class, a few shards at a time: for sums over a cloud that need not be in memory at once."""

from collections.abc import Iterator, Sequence

from providers.candidates import AT_ONCE, candidates_in, select_shard
from providers.resource_classes.kind import ResourceClass
from providers.shards import all_shards
from scheduler.types import Candidate
from store.home import Home
from store.session import QUORUM, read_many

ShardOf = tuple[Home, int]


def shards_of(homes: Sequence[Home], of_class: str) -> list[ShardOf]:
    """All shards of the class in these cells, the cells in turn: whoever stops early has seen some of each."""
    found = [(home, number) for home in homes for number in range(all_shards(home).get(of_class, 0))]
    return sorted(found, key=lambda shard: shard[1])


def read_shards(shards: Sequence[ShardOf], of_class: ResourceClass) -> Iterator[tuple[Home, list[Candidate]]]:
    """The providers of one shard after the other, before any filter. Reads no further than it is asked."""
    for begin in range(0, len(shards), AT_ONCE):
        group = shards[begin : begin + AT_ONCE]
        pages = read_many(
            [(select_shard(home, of_class), [home.cell, of_class.name, number]) for home, number in group], QUORUM
        )
        for (home, _), rows in zip(group, pages, strict=True):
            yield home, candidates_in(home, of_class, rows)

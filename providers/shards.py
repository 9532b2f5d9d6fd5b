"""The shard directory: which partitions of the capacity table there are. A provider keeps its shard for life."""

import threading
import time
from collections.abc import Sequence

from providers.refusals import Undecided
from store.home import Home
from store.lwt import Statement, run
from store.session import QUORUM, READ, keyspace, read

TRIES = 8
KNOWN_SECONDS = 5.0
_known: dict[tuple[str, Home, str], tuple[float, int]] = {}
WITHOUT_A_LOOK = 16  # registrations that a process puts into a shard before it counts its rows again
_room: dict[tuple[str, Home, str], tuple[int, int]] = {}  # the last shard as it was counted, and how many more go in
_taking = threading.Lock()

SIZE = 256  # providers a shard, about: one shard costs the same to query at 100 hosts and at 100,000


def shards(home: Home, resource_class: str, profile: str = READ) -> int:
    """How many shards there are (numbered from 0)."""
    rows = read(
        f"SELECT shards FROM {keyspace(home.datacenter)}.shards WHERE cell = ? AND resource_class = ?",
        [home.cell, resource_class],
        profile,
    )
    return int(rows[0]["shards"]) if rows else 0


def known_shards(home: Home, resource_class: str) -> int:
    """`shards`, at the most five seconds old, for a sample: it looks at some of them anyway, their number only grows.
    Not for a sweep, which must miss none."""
    key = (keyspace(home.datacenter), home, resource_class)
    until, count = _known.get(key, (0.0, 0))
    if not count or until < time.monotonic():
        count = shards(home, resource_class)
        _known[key] = (time.monotonic() + KNOWN_SECONDS, count)
    return count


def all_shards(home: Home) -> dict[str, int]:
    """Class -> number of shards, for every class that the cell ever had a provider of."""
    rows = read(f"SELECT resource_class, shards FROM {keyspace(home.datacenter)}.shards WHERE cell = ?", [home.cell])
    return {row["resource_class"]: row["shards"] for row in rows}


def shards_of(homes: Sequence[Home], of_class: str) -> list[tuple[Home, int]]:
    """All shards of the class in these cells, the cells in turn: whoever stops early has seen some of each."""
    found = [(home, number) for home in homes for number in range(all_shards(home).get(of_class, 0))]
    return sorted(found, key=lambda shard: shard[1])


def has_providers(home: Home) -> bool:
    """Whether the cell has a provider of any class. Looks shard by shard for one row, and stops at the first."""
    space = keyspace(home.datacenter)
    for resource_class, count in all_shards(home).items():
        for shard in range(count):
            cql = f"SELECT name FROM {space}.capacity WHERE cell = ? AND resource_class = ? AND shard = ? LIMIT 1"
            if read(cql, [home.cell, resource_class, shard]):
                return True
    return False


def open_shard(home: Home, resource_class: str) -> int:
    """The shard that a new provider goes into; opens another one when the last is full. Raises Undecided."""
    key = (keyspace(home.datacenter), home, resource_class)
    with _taking:
        shard, more = _room.get(key, (0, 0))
        if more:
            _room[key] = (shard, more - 1)
            return shard
    for _ in range(TRIES):
        count = shards(home, resource_class, QUORUM)
        room = SIZE - _size(home, resource_class, count - 1) if count else 0
        if room > 0:
            with _taking:
                _room[key] = (count - 1, min(room, WITHOUT_A_LOOK) - 1)
            return count - 1
        # Whatever comes of it (another registration may have opened it, the answer may be lost): look again. Only a
        # shard that the directory names is ever searched.
        run([_open(home, resource_class, count)], home.datacenter)
    raise Undecided(f"no shard could be opened for {resource_class} in cell {home.cell}; repeat")


def _open(home: Home, resource_class: str, count: int) -> Statement:
    space = keyspace(home.datacenter)
    if count == 0:
        cql = f"INSERT INTO {space}.shards (cell, resource_class, shards) VALUES (?, ?, 1) IF NOT EXISTS"
        return Statement(cql, [home.cell, resource_class])
    cql = f"UPDATE {space}.shards SET shards = ? WHERE cell = ? AND resource_class = ? IF shards = ?"
    return Statement(cql, [count + 1, home.cell, resource_class, count])


def _size(home: Home, resource_class: str, shard: int) -> int:
    rows = read(
        f"SELECT count(*) AS n FROM {keyspace(home.datacenter)}.capacity "
        "WHERE cell = ? AND resource_class = ? AND shard = ?",
        [home.cell, resource_class, shard],
        READ,
    )
    return int(rows[0]["n"])

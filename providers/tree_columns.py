"""Which columns the rows of one tree have values in.

All classes share one table of about a hundred columns; reading those of the other classes costs as much as the rows.
"""

import functools
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from providers.resource_classes.registry import known_class
from store.home import Home
from store.session import keyspace

PREFIXES = ("", "total_", "reserved_", "ratio_", "available_")
COMMON = (
    "root_id provider_id record_id generation kind state cell resource_class shard name parent_id state_reason "
    "state_version touched traits aggregates rack zone heartbeat created_at expires_at request_id epoch member "
    "consumer project release_requested gives_back instance"
).split()
OWN = ["own_amounts", "own_total", "own_reserved", "own_ratio", "own_available", "own_properties"]
REMEMBERED = 100_000
_classes: dict[UUID, frozenset[str]] = {}  # root -> classes seen on its tree; a provider's class never changes

Classes = frozenset[str] | None


def select(home: Home, root_id: UUID) -> tuple[str, Classes]:
    """The CQL that reads a tree, and which classes it has the columns of (None: all)."""
    classes = _classes.get(root_id)
    columns = "*" if classes is None else columns_of(classes)
    return f"SELECT {columns} FROM {keyspace(home.datacenter)}.provider_records WHERE root_id = ?", classes


def complete(root_id: UUID, rows: Sequence[Mapping[str, Any]], classes: Classes) -> bool:
    """Whether what was read with these classes' columns is all there is; if not (the tree got a provider of another
    class), `select` knows it now."""
    there = frozenset(row["resource_class"] for row in rows if row["resource_class"])
    if classes is not None and there <= classes:
        return True
    if len(_classes) >= REMEMBERED:
        _classes.clear()
    _classes[root_id] = there | (classes or frozenset())
    return classes is None


@functools.lru_cache(maxsize=256)
def columns_of(classes: frozenset[str]) -> str:
    """The columns that rows of these classes have values in."""
    names = list(COMMON)
    for one in sorted(classes):
        of_class = known_class(one)
        if of_class.custom:
            names += OWN
        else:
            names += [f"{prefix}{amount}" for amount in of_class.amounts for prefix in PREFIXES]
            names += [f"prop_{name}" for name in of_class.properties]
    return ", ".join(dict.fromkeys(names))

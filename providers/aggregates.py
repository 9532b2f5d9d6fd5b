"""Aggregates: groups of hosts that are kept for some projects or images, or weighed in a way of their own.

A provider is in one by the label in its own `aggregates`; a label without an aggregate of that name means no more than
itself. Tens to hundreds of them, in one partition, kept per process for POLICY_REFRESH seconds.
"""

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from providers.aggregate_members import in_use
from providers.refusals import Conflict, Invalid, NotFound, Undecided
from scheduler import weighers as weigher_list
from store.kept import Kept
from store.lwt import Applied, Refused, Statement, Unknown, run
from store.session import datacenters, keyspace, read

TRIES = 4
MULTIPLIER = 1_000_000  # the largest of a weigher, either way
MEMBERS = "/members"  # how the API calls an aggregate's members, so no name ends like that


@dataclass(frozen=True, slots=True)
class Aggregate:
    """Its members take requests of `tenants` (projects) and of `images` alone, empty: of all; `weighers` replaces the
    policy's multipliers on them. `version` goes up by one with each change."""

    name: str
    description: str = ""
    tenants: frozenset[str] = frozenset()
    images: frozenset[str] = frozenset()
    weighers: Mapping[str, float] = field(default_factory=dict)
    version: int = 1
    created_at: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class Changes:
    """None: stays as it is."""

    description: str | None = None
    tenants: Collection[str] | None = None
    images: Collection[str] | None = None
    weighers: Mapping[str, float] | None = None


def all_aggregates() -> Mapping[str, Aggregate]:
    """By name, for decisions: at the most POLICY_REFRESH seconds old, older while Cassandra does not answer."""
    return _kept.get()


def read_all() -> dict[str, Aggregate]:
    """By name, in its order, as they are now."""
    rows = read(f"SELECT * FROM {keyspace()}.aggregates WHERE all_aggregates = 'all'", [])
    return {row["name"]: _aggregate(row) for row in rows}


_kept = Kept(read_all)


def find(name: str) -> Aggregate:
    """As it is now. Raises NotFound."""
    rows = read(f"SELECT * FROM {keyspace()}.aggregates WHERE all_aggregates = 'all' AND name = ?", [name])
    if not rows:
        raise NotFound(f"no aggregate {name}")
    return _aggregate(rows[0])


def create(name: str, new: Changes) -> Aggregate:
    """Makes one; providers may carry its label already. Raises Invalid, Conflict (the name is taken), Undecided."""
    if name.endswith(MEMBERS):
        raise Invalid("name", f"must not end in {MEMBERS}")
    _check(new)
    nonce = uuid4()
    outcome = _settled(
        name,
        f"INSERT INTO {_table()} (all_aggregates, name, description, tenants, images, weighers, version, touched, "
        "created_at) VALUES ('all', ?, ?, ?, ?, ?, 1, ?, toTimestamp(now())) IF NOT EXISTS",
        [
            name,
            new.description or "",
            set(new.tenants or ()),
            set(new.images or ()),
            dict(new.weighers or {}),
            nonce,
        ],
        nonce,
    )
    if isinstance(outcome, Refused):
        raise Conflict(f"aggregate {name} exists", image_of(find(name)))
    return find(name)


def change(name: str, version: int, changes: Changes) -> Aggregate:
    """Changes what is named, if it is still as it was when that was decided.

    Raises NotFound, Invalid, Conflict (`version` is stale; carries the current one), Undecided.
    """
    _check(changes)
    nonce = uuid4()
    sets: dict[str, Any] = {"version": version + 1, "touched": nonce}
    if changes.description is not None:
        sets["description"] = changes.description
    for column, labels in (("tenants", changes.tenants), ("images", changes.images)):
        if labels is not None:
            sets[column] = set(labels)
    if changes.weighers is not None:
        sets["weighers"] = dict(changes.weighers)
    # The second condition only makes a refusal show whose change came before.
    outcome = _settled(
        name,
        f"UPDATE {_table()} SET {', '.join(f'{column} = ?' for column in sets)} "
        "WHERE all_aggregates = 'all' AND name = ? IF version = ? AND touched != ?",
        [*sets.values(), name, version, nonce],
        nonce,
    )
    now = find(name)
    if isinstance(outcome, Refused):
        raise Conflict(
            f"version {version} is stale: it is {now.version} now; read the aggregate again and repeat", image_of(now)
        )
    return now


def delete(name: str) -> None:
    """Raises NotFound, Conflict while providers carry its label, Undecided."""
    find(name)
    count, some = in_use(name)
    if count:
        many = f"{count} provider{'s' if count != 1 else ''}"
        names = ", ".join(one.name for one in some) + (", ..." if count > len(some) else "")
        raise Conflict(f"aggregate {name} has {many} ({names}): take them out first")
    cql = f"DELETE FROM {_table()} WHERE all_aggregates = 'all' AND name = ? IF EXISTS"
    if isinstance(_settled(name, cql, [name], None), Refused):
        raise NotFound(f"no aggregate {name}")


def image_of(aggregate: Aggregate) -> dict[str, Any]:
    """Its API form."""
    return {
        "name": aggregate.name,
        "description": aggregate.description,
        "tenants": sorted(aggregate.tenants),
        "images": sorted(aggregate.images),
        "weighers": dict(sorted(aggregate.weighers.items())),
        "version": aggregate.version,
        "created_at": aggregate.created_at,
    }


def check_weighers(weighers: Mapping[str, float]) -> None:
    """Raises Invalid: a weigher that is not there, or a multiplier that is none."""
    for name, multiplier in weighers.items():
        if weigher_list.find(name) is None:
            raise Invalid(f"weighers.{name}", f"is no weigher; there are {', '.join(weigher_list.BY_NAME)}")
        if not abs(multiplier) <= MULTIPLIER:  # so written, it refuses what is no number
            raise Invalid(f"weighers.{name}", f"must be -{MULTIPLIER} to {MULTIPLIER}")


def _check(changes: Changes) -> None:
    check_weighers(changes.weighers or {})


def _table() -> str:
    return f"{keyspace()}.aggregates"


def _settled(name: str, cql: str, values: Sequence[object], nonce: object) -> Applied | Refused:
    """Runs it until there is an answer; a refusal of what had been applied without one is none: its row has `nonce`, or
    is gone (None, of a deletion). Raises Undecided."""
    try:
        for lost in range(TRIES):
            # The global keyspace's transactions have one home too: the first data centre.
            outcome = run([Statement(cql, values)], datacenters()[0], "aggregates.write", lost)
            if isinstance(outcome, Unknown):
                continue
            is_ours = isinstance(outcome, Refused) and outcome.row.get("touched") == nonce
            return Applied() if lost and is_ours else outcome
    finally:
        _kept.forget()
    raise Undecided(f"aggregate {name}: no answer; read it, then repeat")


def _aggregate(row: Mapping[str, Any]) -> Aggregate:
    # Another release may know weighers that this one does not: they weigh nothing here.
    weighers = {n: v for n, v in (row["weighers"] or {}).items() if weigher_list.find(n) is not None}
    return Aggregate(
        row["name"],
        row["description"] or "",
        frozenset(row["tenants"] or ()),
        frozenset(row["images"] or ()),
        weighers,
        row["version"],
        row["created_at"].replace(tzinfo=dt.UTC) if row["created_at"] else None,
    )

"""The arithmetic of a provider's own row, done by Cassandra inside the transaction.

Per provider at most one UPDATE in a batch: two arithmetic updates of one row share a timestamp and one of them is lost
(10 - 6 - 6 left 4 and sold 12), so amounts are summed first. An operator's own class keeps its amounts in maps, which
have no arithmetic: its new sums are computed from the tree as read and hold only under `IF generation = ?`.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings

from providers.records import CLOSED, Tree
from providers.resource_classes.kind import NIL
from providers.resource_classes.registry import resource_class
from store.home import Home
from store.lwt import Statement
from store.session import keyspace


@dataclass(frozen=True, slots=True)
class Shift:
    """What changes on one provider's own row: `own` on its record, `available` on the sum (signed amounts)."""

    provider_id: UUID
    resource_class: str
    own: Mapping[str, int]
    available: Mapping[str, int]


def table(home: Home) -> str:
    return f"{keyspace(home.datacenter)}.provider_records"


def needs_tree(classes: Sequence[str]) -> bool:
    """Whether one of these classes keeps its amounts in maps, so that the tree must be read first."""
    return any(resource_class(name).custom for name in classes)


def take_room(home: Home, root_id: UUID, shift: Shift, state_version: int, tree: Tree | None) -> Statement:
    """Takes amounts if they are there and the provider's state is as the decision saw it."""
    assignments, values = _assignments(shift, tree)
    conditions, needed = ["state_version = ?"], [state_version]
    if not resource_class(shift.resource_class).custom:
        for name, amount in sorted(shift.available.items()):
            conditions.append(f"available_{name} >= ?")
            needed.append(-amount)
    return _update(home, assignments, " AND ".join(conditions), [*values, *_key(root_id, shift), *needed])


def give_room(home: Home, root_id: UUID, shift: Shift, tree: Tree | None) -> Statement:
    """Adds without asking: also a host that shrank below its claims must take something back."""
    assignments, values = _assignments(shift, tree)
    return _update(home, assignments, "state_version >= 0", [*values, *_key(root_id, shift)])


def root_unchanged(home: Home, root_id: UUID, state_version: int, nonce: UUID) -> Statement:
    """Conditions a claim on a child on its root's state. A condition needs a write, so it leaves a nonce."""
    cql = (
        f"UPDATE {table(home)} SET touched = ? "
        "WHERE root_id = ? AND provider_id = ? AND record_id = ? IF state_version = ?"
    )
    return Statement(cql, [nonce, root_id, root_id, NIL, state_version])


def bump(home: Home, root_id: UUID, tree: Tree | None = None) -> Statement:
    """Every transaction on a tree bumps its generation; with a tree it also insists that nothing happened since."""
    condition = "generation >= 0" if tree is None else "generation = ?"
    cql = f"UPDATE {table(home)} SET generation = generation + 1 WHERE root_id = ? IF {condition}"
    return Statement(cql, [root_id] if tree is None else [root_id, tree.generation])


def closed(resource_class_name: str) -> str:
    """The assignments that leave nothing of a record but its id: closed, with no amounts. The id cannot be claimed
    again by a late duplicate of the transaction that made it; claims/closed.py removes it some time later."""
    of_class = resource_class(resource_class_name)
    amounts = ["own_amounts = null"] if of_class.custom else [f"{name} = 0" for name in of_class.amounts]
    common = [f"kind = '{CLOSED}'", "gives_back = null", "instance = null", "release_requested = false"]
    return ", ".join([*common, *amounts])


def closed_until() -> dt.datetime:
    """When an id that is closed now may be removed."""
    return dt.datetime.now(dt.UTC) + dt.timedelta(seconds=settings.CLOSED_KEPT)


def summed(shifts: Sequence[Shift]) -> list[Shift]:
    """One shift per provider."""
    by_provider: dict[UUID, Shift] = {}
    for shift in shifts:
        known = by_provider.get(shift.provider_id)
        by_provider[shift.provider_id] = (
            shift
            if known is None
            else Shift(
                shift.provider_id,
                shift.resource_class,
                _add(known.own, shift.own),
                _add(known.available, shift.available),
            )
        )
    return list(by_provider.values())


def negative(amounts: Mapping[str, int]) -> dict[str, int]:
    return {name: -amount for name, amount in amounts.items() if amount}


def _add(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    return {name: one.get(name, 0) + other.get(name, 0) for name in {*one, *other}}


def _assignments(shift: Shift, tree: Tree | None) -> tuple[list[str], list[Any]]:
    if not resource_class(shift.resource_class).custom:
        changes = {name: d for name, d in sorted(shift.own.items()) if d}
        changes |= {f"available_{name}": d for name, d in sorted(shift.available.items()) if d}
        return [f"{name} = {name} + ?" for name in changes], list(changes.values())
    if tree is None:
        raise ValueError(f"{shift.resource_class} keeps its amounts in maps: the tree must be read first")
    own = tree.providers[shift.provider_id]
    sums = [_add(own.amounts, shift.own), _add(own.available, shift.available)]
    return ["own_amounts = ?", "own_available = ?"], sums


def _update(home: Home, assignments: list[str], condition: str, values: list[Any]) -> Statement:
    cql = (
        f"UPDATE {table(home)} SET {', '.join(assignments)} "
        f"WHERE root_id = ? AND provider_id = ? AND record_id = ? IF {condition}"
    )
    return Statement(cql, values)


def _key(root_id: UUID, shift: Shift) -> list[UUID]:
    return [root_id, shift.provider_id, NIL]

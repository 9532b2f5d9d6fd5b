"""The conditional batches on a provider's own row: made, changed, removed. Every change carries a nonce (`touched`), so
that one whose answer was lost is simply run again: refused, it shows whether it was ours that had been applied."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from providers.refusals import Undecided
from providers.resource_classes.kind import NIL
from store.home import Home
from store.lwt import Applied, Outcome, Refused, Statement, Unknown, run
from store.session import keyspace

TRIES = 4


@dataclass(frozen=True, slots=True)
class Key:
    """Which own row."""

    home: Home
    root_id: UUID
    provider_id: UUID

    @property
    def table(self) -> str:
        return f"{keyspace(self.home.datacenter)}.provider_records"


def insert(key: Key, columns: Mapping[str, Any]) -> Applied | Refused:
    """Makes the row; a child needs its root and its parent, a root a tree that never was (ids are never reused).

    Raises Undecided.
    """
    nonce = uuid4()
    row = {"root_id": key.root_id, "provider_id": key.provider_id, "record_id": NIL, "touched": nonce, **columns}
    names = sorted(row)
    cql = f"INSERT INTO {key.table} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))}) IF NOT EXISTS"
    statements = [Statement(cql, [row[name] for name in names])]
    if key.root_id == key.provider_id:
        statements.append(
            Statement(f"UPDATE {key.table} SET generation = 1 WHERE root_id = ? IF generation = NULL", [key.root_id])
        )
    else:
        above = {key.root_id, columns["parent_id"]}
        statements += [*(_is_there(key, one, nonce) for one in above), _bump(key)]
    return _settled(key, statements, nonce)


def update(
    key: Key, state_version: int, sets: Mapping[str, Any], adds: Mapping[str, int], generation: int | None = None
) -> Applied | Refused:
    """Sets columns and adds to amounts, if `state_version` still holds (and `generation`, when given), and bumps both.

    Adding, not setting: claims made meanwhile stay counted. Raises Undecided.
    """
    nonce = uuid4()
    changes = {**sets, "state_version": state_version + 1, "touched": nonce}
    assignments = [f"{name} = ?" for name in changes] + [f"{name} = {name} + ?" for name in adds]
    cql = (
        f"UPDATE {key.table} SET {', '.join(assignments)} "
        "WHERE root_id = ? AND provider_id = ? AND record_id = ? IF state_version = ? AND touched != ?"
    )  # a refusal shows the columns of its conditions: the second only makes it show whose change came before
    values = [*changes.values(), *adds.values(), key.root_id, key.provider_id, NIL, state_version, nonce]
    return _settled(key, [Statement(cql, values), _bump(key, generation)], nonce)


def delete(key: Key, generation: int) -> Applied | Refused:
    """Removes the row and all closed ids on it, if the tree is as it was read. Repeated, it is refused."""
    cql = f"DELETE FROM {key.table} WHERE root_id = ? AND provider_id = ?"
    one, where = f"{cql} AND record_id = ? IF EXISTS", [key.root_id, key.provider_id]
    statements = [Statement(one, [*where, NIL]), Statement(cql, where), _bump(key, generation)]
    for _ in range(TRIES):
        outcome = run(statements, key.home.datacenter)
        if not isinstance(outcome, Unknown):
            return outcome
    raise Undecided(f"removing provider {key.provider_id} got no answer; read it, then repeat")


def _is_there(key: Key, provider_id: UUID, nonce: UUID) -> Statement:
    cql = (
        f"UPDATE {key.table} SET touched = ? "
        "WHERE root_id = ? AND provider_id = ? AND record_id = ? IF state_version >= 0"
    )
    return Statement(cql, [nonce, key.root_id, provider_id, NIL])


def _bump(key: Key, generation: int | None = None) -> Statement:
    condition, values = ("generation >= 0", []) if generation is None else ("generation = ?", [generation])
    cql = f"UPDATE {key.table} SET generation = generation + 1 WHERE root_id = ? IF {condition}"
    return Statement(cql, [key.root_id, *values])


def _settled(key: Key, statements: list[Statement], nonce: UUID) -> Applied | Refused:
    outcome: Outcome = Unknown("not run yet")
    lost = False
    for _ in range(TRIES):
        outcome = run(statements, key.home.datacenter)
        if isinstance(outcome, Unknown):
            lost = True
            continue
        if lost and isinstance(outcome, Refused) and any(_is_ours(row, key, nonce) for row in outcome.rows):
            return Applied()
        return outcome
    raise Undecided(f"provider {key.provider_id}: no answer from its cell ({outcome}); read it, then repeat")


def _is_ours(row: Mapping[str, Any], key: Key, nonce: UUID) -> bool:
    return row.get("provider_id") == key.provider_id and row.get("record_id") == NIL and row.get("touched") == nonce

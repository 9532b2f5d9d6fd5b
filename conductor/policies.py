"""Policies as data: versions that never change, one of them in force, maybe another as its shadow.

All of a policy is one partition, and a new version and what is in force change in one transaction: of two writers at
once one wins and the other is told. Each process goes on with what it read for POLICY_REFRESH seconds.
"""

import datetime as dt
import functools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from conductor.policy_body import Body, SettingsValues, body_of, merged, policy_of, settings_body, settings_values
from providers.refusals import Busy, Conflict, Invalid, NotFound, Undecided
from scheduler.types import Policy
from store.kept import Kept
from store.lwt import Applied, Refused, Statement, Unknown, run
from store.session import datacenters, keyspace, read

NAME = "default"  # the one policy there is
SETTINGS = 0  # the version that the settings are
TRIES = 8
NO_ANSWERS = 4
REASON = 1000  # characters
AFTER_ALL = 2**31 - 1


@dataclass(frozen=True, slots=True)
class StoredPolicy:
    """One version; `body` as it was written, `policy` as the scheduler takes it. `as_shadow`: made to run beside."""

    version: int
    policy: Policy
    body: Body
    created_at: dt.datetime | None = None
    created_by: str = ""
    reason: str = ""
    based_on: int = SETTINGS
    as_shadow: bool = False


@dataclass(frozen=True, slots=True)
class Current:
    """What holds: the policy in force, the shadow beside it (None: there is none), the last version's number."""

    in_force: StoredPolicy
    shadow: StoredPolicy | None
    latest: int


def in_force() -> StoredPolicy:
    """For decisions: at the most POLICY_REFRESH seconds old, older while Cassandra does not answer."""
    stored = _kept.get().in_force
    return stored if stored.version != SETTINGS else _of_settings()


def shadow() -> StoredPolicy | None:
    """The same, of the policy that is asked beside it and decides nothing."""
    return _kept.get().shadow


def current() -> Current:
    """As it is now."""
    cql = f"SELECT latest, in_force, shadow FROM {_table()} WHERE name = ? LIMIT 1"
    rows = read(cql, [NAME])
    row = rows[0] if rows else {"latest": None, "in_force": None, "shadow": None}
    named = [row["in_force"] or SETTINGS, row["shadow"] or SETTINGS]
    found = _read([version for version in named if version != SETTINGS])
    chosen = found.get(named[0]) or _of_settings()
    return Current(chosen, found.get(named[1]), row["latest"] or 0)


_kept = Kept(current)


def find(version: int) -> StoredPolicy:
    """Version 0 is what the settings say in this process. Raises NotFound."""
    if version == SETTINGS:
        return _of_settings()
    found = _read([version]) if version <= AFTER_ALL else {}
    if version not in found:
        raise NotFound(f"no policy version {version}")
    return found[version]


def history(limit: int, before: int = AFTER_ALL) -> list[StoredPolicy]:
    """Versions below `before`, newest first; the settings' is the last of all."""
    cql = f"SELECT * FROM {_table()} WHERE name = ? AND version < ? LIMIT ?"
    found = [_policy(row) for row in read(cql, [NAME, min(before, AFTER_ALL), limit])]
    return found if len(found) == limit or before <= SETTINGS else [*found, _of_settings()]


def put(body: Body, based_on: int, user: str, reason: str) -> StoredPolicy:
    """Makes the next version and puts it in force; what `body` does not name is as in `based_on`.

    Raises Invalid, Conflict (`based_on` is not in force any more; carries what is), Busy, Undecided.
    """
    for _ in range(TRIES):
        now = current()
        if now.in_force.version != based_on:
            raise Conflict(
                f"based_on {based_on} is stale: version {now.in_force.version} is in force; look at it, and repeat",
                image_of(now.in_force),
            )
        if _add(now, merged(body, now.in_force.body), user, reason, as_shadow=False):
            return find(now.latest + 1)
    raise Busy("policies are being made by others all the time; repeat")


def bring_back(version: int, user: str, reason: str) -> StoredPolicy:
    """What an older version says, as a new one in force, whatever is now. Raises NotFound, Invalid, Busy, Undecided."""
    body = merged(find(version).body, settings_body())
    for _ in range(TRIES):
        now = current()
        if _add(now, body, user, reason, as_shadow=False):
            return find(now.latest + 1)
    raise Busy("policies are being made by others all the time; repeat")


def run_shadow(body: Body, user: str, reason: str) -> StoredPolicy:
    """Makes the next version and runs it as the shadow, in place of the one before; what `body` does not name is as in
    force. Raises Invalid, Busy, Undecided."""
    for _ in range(TRIES):
        now = current()
        if _add(now, merged(body, now.in_force.body), user, reason, as_shadow=True):
            return find(now.latest + 1)
    raise Busy("policies are being made by others all the time; repeat")


def end_shadow() -> None:
    """Raises NotFound when there is none, Conflict when another one was begun meanwhile, Undecided."""
    running = current().shadow
    if running is None:
        raise NotFound("no shadow policy runs")
    # A version runs as the shadow once, so repeating this ends no other one.
    cql = f"UPDATE {_table()} SET shadow = null WHERE name = ? IF shadow = ?"
    outcome, _ = _answer("policies.end_shadow", cql, [NAME, running.version])
    if isinstance(outcome, Refused) and outcome.row.get("shadow") is not None:
        raise Conflict(f"shadow {running.version} was replaced by {outcome.row['shadow']} just now")


def image_of(stored: StoredPolicy) -> dict[str, Any]:
    """Its API form."""
    return {
        "version": stored.version,
        "policy": dict(stored.body),
        "based_on": stored.based_on,
        "as_shadow": stored.as_shadow,
        "reason": stored.reason,
        "created_by": stored.created_by,
        "created_at": stored.created_at,
    }


def _add(now: Current, body: Body, user: str, reason: str, as_shadow: bool) -> bool:
    """Whether the next version was made; False: others made it. What is in force never changes without one, so the
    last version's number is all there is to insist on."""
    if not 1 <= len(reason.strip()) <= REASON:
        raise Invalid("reason", f"must say why, in 1 to {REASON} characters")
    version, nonce = now.latest + 1, uuid4()
    put_at = "shadow" if as_shadow else "in_force"
    outcome, lost = _answer(
        "policies.add",
        f"UPDATE {_table()} SET body = ?, created_by = ?, reason = ?, based_on = ?, as_shadow = ?, touched = ?, "
        f"created_at = toTimestamp(now()), latest = ?, {put_at} = ? WHERE name = ? AND version = ? IF latest = ?",
        [
            *(json.dumps(body), user, reason.strip(), now.in_force.version, as_shadow, nonce),
            *(version, version, NAME, version, now.latest or None),
        ],
    )
    if isinstance(outcome, Applied):
        return True
    # It may be this one that had been applied, and its answer that was lost.
    rows = read(f"SELECT touched FROM {_table()} WHERE name = ? AND version = ?", [NAME, version]) if lost else []
    return any(row["touched"] == nonce for row in rows)


def _answer(name: str, cql: str, values: Sequence[object]) -> tuple[Applied | Refused, int]:
    """The first answer, and how many were lost before it; `name` is what fault tests call it. Raises Undecided."""
    try:
        for lost in range(NO_ANSWERS):
            # The global keyspace's transactions have one home too: the first data centre.
            outcome = run([Statement(cql, values)], datacenters()[0], name, lost)
            if not isinstance(outcome, Unknown):
                return outcome, lost
    finally:
        _kept.forget()
    raise Undecided("the policy's change got no answer; look at it, then repeat")


def _table() -> str:
    return f"{keyspace()}.policies"


def _read(versions: Sequence[int]) -> dict[int, StoredPolicy]:
    if not versions:
        return {}
    marks = ", ".join("?" * len(versions))
    rows = read(f"SELECT * FROM {_table()} WHERE name = ? AND version IN ({marks})", [NAME, *versions])
    return {row["version"]: _policy(row) for row in rows}


def _of_settings() -> StoredPolicy:
    return _stored_as(settings_values())


@functools.lru_cache(maxsize=8)  # each decision asks for it
def _stored_as(values: SettingsValues) -> StoredPolicy:
    body = body_of(values)
    return StoredPolicy(SETTINGS, policy_of(body, SETTINGS), body, reason="the settings")


def _policy(row: Mapping[str, Any]) -> StoredPolicy:
    # A field that came with a later release is as in the settings.
    body = {**settings_body(), **json.loads(row["body"])}
    return StoredPolicy(
        row["version"],
        policy_of(body, row["version"]),
        body,
        row["created_at"].replace(tzinfo=dt.UTC) if row["created_at"] else None,
        row["created_by"] or "",
        row["reason"] or "",
        row["based_on"] or SETTINGS,
        bool(row["as_shadow"]),
    )

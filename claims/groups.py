"""Membership of claims in a group, under its rule: all on one host (rack, zone), or each on another.

One partition a group, so a request joins with all its claims in one transaction, or not at all. A member's row is keyed
by what it keeps others from: its place under anti-affinity, only itself under the other rules. Under affinity one more
row says which place it is and how many members there are; the last one to leave takes it away. Under spread one more
row counts the changes: who joins has counted the members of each place, and nobody may have come or gone since.
"""

import datetime as dt
import time
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid5

from claims.overtaken import tries
from providers.cells import home_of_number, slot_of
from providers.refusals import Undecided
from scheduler.types import AFFINITY, ANTI_AFFINITY, SOFT_POLICIES, SPREAD
from store.home import Home
from store.lwt import Applied, Outcome, Refused, Statement, Unknown, run
from store.session import keyspace, read

POLICIES = (AFFINITY, ANTI_AFFINITY, *SOFT_POLICIES)
POLICIES_1_1 = (*POLICIES, SPREAD)
SCOPES = ("host", "rack", "zone")
NAMES = UUID("0d3c9a0e-5a3f-4b6e-9f39-6a8f3f0a9d11")  # names the ids that groups hash to a home with
TRIES = 8
PAUSE = 0.2  # seconds between tries that got no answer


@dataclass(frozen=True, slots=True)
class Group:
    """A group of one project, and its rule. The same id with another rule is another group."""

    project: str
    id: str
    policy: str
    scope: str
    max_skew: int = 1  # under spread: how many members more than the emptiest place a place may have

    @property
    def home(self) -> Home:
        """Where its rows are written: by its name, the same for ever."""
        found = home_of_number(slot_of(uuid5(NAMES, f"{self.project}\x00{self.id}")))
        if found is None:
            raise Undecided("there is no cell, so there is nowhere to keep a group")
        return found

    @property
    def key(self) -> list[str]:
        return [self.project, f"{self.policy}:{self.scope}:{self.id}"]


@dataclass(frozen=True, slots=True)
class Membership:
    """One claim in its place: a root's id, a rack or a zone, as the group's scope has it."""

    claim_id: UUID
    request_id: UUID
    place: str


@dataclass(frozen=True, slots=True)
class Joined:
    """All are members now, or were already."""


@dataclass(frozen=True, slots=True)
class Barred:
    """None joined: the rule does not allow one of the places any more."""


def members(group: Group) -> list[Membership]:
    """Everybody in the group, also those whose requests are still being placed."""
    rows = read(f"SELECT * FROM {_table(group.home)} WHERE project = ? AND group_id = ?", group.key)
    return [Membership(row["owner"], row["request_id"], row["place"]) for row in rows if row["owner"] is not None]


def join(group: Group, joining: Sequence[Membership], domains: Collection[str] = ()) -> Joined | Barred:
    """Joins with all, or none. `domains` are the places there are, for spread. Repeated, it changes nothing. Raises
    Undecided, StoreUnavailable."""
    if group.policy == SPREAD:
        return _join_spread(group, joining, domains)
    if group.policy == AFFINITY and len({one.place for one in joining}) > 1:
        return Barred()
    # Two rows of one key in a batch would be one.
    if group.policy == ANTI_AFFINITY and len({one.place for one in joining}) < len(joining):
        return Barred()
    is_first = group.policy != AFFINITY or not _shared(group)
    for _ in tries():
        outcome = _until_answered("claims.join", group, _joining(group, joining, is_first))
        if isinstance(outcome, Applied):
            return Joined()
        there = {row.get("slot"): row for row in outcome.rows}
        if all(there.get(_slot(group, one), {}).get("owner") == one.claim_id for one in joining):
            return Joined()
        if group.policy != AFFINITY:
            return Barred()
        shared = _shared(group)
        if shared and shared["place"] != joining[0].place:
            return Barred()
        is_first = not shared  # the first one came or the last one went meanwhile
    raise Undecided(f"group {group.id} is changed by others all the time; repeat")


def _join_spread(group: Group, joining: Sequence[Membership], domains: Collection[str]) -> Joined | Barred:
    for _ in tries():
        rows = read(f"SELECT * FROM {_table(group.home)} WHERE project = ? AND group_id = ?", group.key)
        there = {row["owner"]: row["place"] for row in rows if row["owner"] is not None}
        if all(one.claim_id in there for one in joining):
            return Joined()
        counts = Counter([*there.values(), *(one.place for one in joining)])
        emptiest = min((counts[place] for place in domains), default=0)
        if any(counts[one.place] - emptiest > group.max_skew for one in joining):
            return Barred()
        changes = next((row["members"] for row in rows if row["slot"] == SPREAD), None)
        outcome = _until_answered("claims.join", group, _joining_spread(group, joining, changes))
        if isinstance(outcome, Applied):
            return Joined()
    raise Undecided(f"group {group.id} is changed by others all the time; repeat")


def _joining_spread(group: Group, joining: Sequence[Membership], changes: int | None) -> list[Statement]:
    table = _table(group.home)
    if changes is None:
        cql = f"INSERT INTO {table} (project, group_id, slot, members) VALUES (?, ?, ?, ?) IF NOT EXISTS"
        return [*_inserts(group, joining), Statement(cql, [*group.key, SPREAD, 1])]
    cql = f"UPDATE {table} SET members = members + ? WHERE project = ? AND group_id = ? AND slot = ? IF members = ?"
    return [*_inserts(group, joining), Statement(cql, [1, *group.key, SPREAD, changes])]


def leave(group: Group, claim_ids: Sequence[UUID]) -> int:
    """Takes out those that are members; how many there were. Repeated, it changes nothing."""
    wanted = set(claim_ids)
    leaving = [one for one in members(group) if one.claim_id in wanted]
    for one in leaving:
        _leave(group, one)
    return len(leaving)


def _leave(group: Group, one: Membership) -> None:
    where = "WHERE project = ? AND group_id = ? AND slot = ?"
    mine = Statement(
        f"DELETE FROM {_table(group.home)} {where} IF owner = ?", [*group.key, _slot(group, one), one.claim_id]
    )
    fewer = Statement(
        f"UPDATE {_table(group.home)} SET members = members + ? {where} IF members > ?", [-1, *group.key, AFFINITY, 1]
    )
    last = Statement(f"DELETE FROM {_table(group.home)} {where} IF members = ?", [*group.key, AFFINITY, 1])
    if group.policy == SPREAD:
        cql = f"UPDATE {_table(group.home)} SET members = members + ? {where} IF members >= ?"
        _until_answered("claims.leave", group, [mine, Statement(cql, [1, *group.key, SPREAD, 0])])
        return
    if group.policy != AFFINITY:
        _until_answered("claims.leave", group, [mine])
        return
    for _ in tries():
        for batch in ([mine, fewer], [mine, last]):
            if isinstance(_until_answered("claims.leave", group, batch), Applied):
                return
        if all(there.claim_id != one.claim_id for there in members(group)):
            return  # somebody else took it out
    raise Undecided(f"group {group.id} is changed by others all the time; repeat")


def _inserts(group: Group, joining: Sequence[Membership]) -> list[Statement]:
    now = dt.datetime.now(dt.UTC)
    member = (
        f"INSERT INTO {_table(group.home)} (project, group_id, slot, place, owner, request_id, created_at) "
        "VALUES (?, ?, ?, ?, ?, ?, ?) IF NOT EXISTS"
    )
    return [
        Statement(member, [*group.key, _slot(group, one), one.place, one.claim_id, one.request_id, now])
        for one in joining
    ]


def _joining(group: Group, joining: Sequence[Membership], is_first: bool) -> list[Statement]:
    table, batch = _table(group.home), _inserts(group, joining)
    if group.policy != AFFINITY:
        return batch
    if is_first:
        cql = f"INSERT INTO {table} (project, group_id, slot, place, members) VALUES (?, ?, ?, ?, ?) IF NOT EXISTS"
        return [*batch, Statement(cql, [*group.key, AFFINITY, joining[0].place, len(joining)])]
    cql = (
        f"UPDATE {table} SET members = members + ? WHERE project = ? AND group_id = ? AND slot = ? "
        "IF place = ? AND members > 0"
    )
    return [*batch, Statement(cql, [len(joining), *group.key, AFFINITY, joining[0].place])]


def _slot(group: Group, one: Membership) -> str:
    return one.place if group.policy == ANTI_AFFINITY else f"member:{one.claim_id}"


def _shared(group: Group) -> Mapping[str, Any] | None:
    cql = f"SELECT place, members FROM {_table(group.home)} WHERE project = ? AND group_id = ? AND slot = ?"
    rows = read(cql, [*group.key, AFFINITY])
    return rows[0] if rows else None


def _until_answered(name: str, group: Group, batch: Sequence[Statement]) -> Applied | Refused:
    """Every transaction here may be repeated: it is refused when it was applied before, and shows by whom."""
    outcome: Outcome = Unknown("not run yet")
    for attempt in range(TRIES):
        outcome = run(batch, group.home.datacenter, name, attempt)
        if not isinstance(outcome, Unknown):
            return outcome
        time.sleep(PAUSE * (attempt > 0))
    raise Undecided(f"group {group.id}: its cell did not answer ({outcome}); repeat")


def _table(home: Home) -> str:
    return f"{keyspace(home.datacenter)}.groups"

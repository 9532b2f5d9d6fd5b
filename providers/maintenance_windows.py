"""The windows in which a host is worked on: planned, looked up, cancelled and taken off the list, by transactions.

A window is of a root and stays on its cell's list until it has ended; what became of it is in the host's history.
"""

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from providers.history import MAINTENANCE, remember
from providers.records import aware, read_provider
from providers.refusals import Conflict, Invalid, NotFound, Undecided
from store.home import Home
from store.lwt import Applied, Outcome, Refused, Statement, Unknown, run
from store.session import QUORUM, keyspace, read

TRIES = 4
BEGINNING = "maintenance until "  # of what the state of a host in maintenance says
REASON = 180  # characters: what the host's state says of it has the time beside them
LONGEST = dt.timedelta(days=366)
AHEAD = dt.timedelta(days=366)
OF_ONE = 20  # windows of one host
OF_A_CELL = 20_000
NAMED = 100  # hosts asked for by their ids; of more the cell's whole list is read


@dataclass(frozen=True, slots=True)
class Window:
    """From when until when one host gets no new claims and may be silent. `begun_at`: a conductor has seen to the
    host's state; `cancelled_by`: it is to end now."""

    id: UUID
    home: Home
    provider_id: UUID
    name: str
    resource_class: str
    from_at: dt.datetime
    until_at: dt.datetime
    reason: str
    planned_by: str
    planned_at: dt.datetime | None
    begun_at: dt.datetime | None = None
    cancelled_by: str = ""

    @property
    def state_reason(self) -> str:
        """What the host's state says while this is in force; nothing else says the same."""
        return f"{BEGINNING}{self.until_at:%Y-%m-%dT%H:%M:%SZ}: {self.reason}"

    def is_in_force(self, now: dt.datetime) -> bool:
        return self.from_at <= now < self.until_at and not self.cancelled_by


def plan(
    provider_id: UUID, from_at: dt.datetime, until_at: dt.datetime, reason: str, who: str, window_id: UUID | None = None
) -> Window:
    """Puts a window on the list; with an id of the caller's own it may be repeated.

    Raises NotFound, Invalid (the times, the reason), Conflict (a child, an overlap, too many), Undecided.
    """
    now = dt.datetime.now(dt.UTC)
    from_at, until_at = _whole(from_at), _whole(until_at)
    _check(from_at, until_at, reason, now)
    tree, own = read_provider(provider_id)
    if tree.root_id != provider_id:
        raise Conflict(f"provider {provider_id} is part of {tree.root_id}: plan the maintenance of that one")
    row = own.row
    window = Window(
        window_id or uuid4(), tree.home, provider_id, row["name"], row["resource_class"], from_at, until_at, reason,
        who, _whole(now),
    )  # fmt: skip
    others = [one for one in windows_of(tree.home, [provider_id]) if one.id != window.id]
    for one in others:
        if one.from_at < until_at and from_at < one.until_at:
            raise Conflict(f"it overlaps the maintenance {one.id}, {_words(one)}: cancel that one first")
    if len(others) >= OF_ONE or len(windows_of(tree.home)) >= OF_A_CELL:
        raise Conflict(f"there are windows enough: {OF_ONE} of one host, {OF_A_CELL} of a cell at the most")
    _insert(window)
    remember(tree.home, provider_id, who, MAINTENANCE, after=f"planned: {_words(window)}", why=reason)
    return window


def windows_of(home: Home, provider_ids: Collection[UUID] | None = None) -> list[Window]:
    """What is planned or goes on in a cell, or of these hosts of it, by host and then in the order of time."""
    cql = f"SELECT * FROM {keyspace(home.datacenter)}.maintenance_windows WHERE cell = ?"
    if provider_ids is not None and len(provider_ids) <= NAMED:
        rows = read(f"{cql} AND provider_id IN ?", [home.cell, sorted(provider_ids, key=str)], QUORUM)
    else:
        rows = read(f"{cql} LIMIT ?", [home.cell, 2 * OF_A_CELL], QUORUM)
    found = [_window(home, row) for row in rows if provider_ids is None or row["provider_id"] in provider_ids]
    return sorted(found, key=lambda one: (one.name, one.provider_id, one.from_at))


def find_window(home: Home, provider_id: UUID, window_id: UUID) -> Window:
    """Raises NotFound: it ended, was cancelled, or never was."""
    found = next((one for one in windows_of(home, [provider_id]) if one.id == window_id), None)
    if found is None:
        raise NotFound(f"no maintenance {window_id} of provider {provider_id}")
    return found


def set_columns(window: Window, **columns: Any) -> bool:
    """Whether the window is still there, and not cancelled when it says that it has begun. Raises Undecided."""
    condition = "cancelled_by = NULL AND planned_by != NULL" if "begun_at" in columns else "planned_by != NULL"
    cql = f"UPDATE {_table(window.home)} SET {', '.join(f'{n} = ?' for n in columns)} WHERE {_KEY} IF {condition}"
    return isinstance(_decided(window, cql, [*columns.values(), *_key(window)]), Applied)


def take_off(window: Window) -> bool:
    """Takes it off the list; whether it was still there. Raises Undecided."""
    cql = f"DELETE FROM {_table(window.home)} WHERE {_KEY} IF EXISTS"
    return isinstance(_decided(window, cql, _key(window)), Applied)


_KEY = "cell = ? AND provider_id = ? AND id = ?"


def _key(window: Window) -> list[Any]:
    return [window.home.cell, window.provider_id, window.id]


def _table(home: Home) -> str:
    return f"{keyspace(home.datacenter)}.maintenance_windows"


def _insert(window: Window) -> None:
    columns = "cell, provider_id, id, name, resource_class, from_at, until_at, reason, planned_by, planned_at"
    cql = f"INSERT INTO {_table(window.home)} ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) IF NOT EXISTS"
    one = window
    values = [one.name, one.resource_class, one.from_at, one.until_at, one.reason, one.planned_by, one.planned_at]
    outcome = _decided(window, cql, [*_key(window), *values])
    if isinstance(outcome, Refused):  # an earlier try, whose answer was lost, or another plan
        there = _window(window.home, outcome.row)
        if (there.from_at, there.until_at, there.reason) != (one.from_at, one.until_at, one.reason):
            raise Conflict(f"{window.id} is the id of another maintenance: {_words(there)}")


def _decided(window: Window, cql: str, values: Sequence[Any]) -> Applied | Refused:
    outcome: Outcome = Unknown("not run yet")
    for attempt in range(TRIES):
        outcome = run([Statement(cql, values)], window.home.datacenter, attempt=attempt)
        if not isinstance(outcome, Unknown):
            return outcome
    raise Undecided(f"maintenance {window.id}: no answer from its cell ({outcome}); read it, then repeat")


def _check(from_at: dt.datetime, until_at: dt.datetime, reason: str, now: dt.datetime) -> None:
    if not reason.strip() or len(reason) > REASON:
        raise Invalid("reason", f"must have 1 to {REASON} characters")
    if until_at <= from_at:
        raise Invalid("until", "must be after `from`")
    if until_at <= now:
        raise Invalid("until", "is in the past")
    if until_at - from_at > LONGEST or from_at - now > AHEAD:
        raise Invalid("until", f"must be within {LONGEST.days} days of `from`, and that within {AHEAD.days} of today")


def _whole(at: dt.datetime) -> dt.datetime:
    return at.astimezone(dt.UTC).replace(microsecond=0)


def _words(window: Window) -> str:
    return f"{window.from_at:%Y-%m-%d %H:%M:%S} to {window.until_at:%Y-%m-%d %H:%M:%S} UTC"


def _window(home: Home, row: Mapping[str, Any]) -> Window:
    return Window(
        id=row["id"],
        home=home,
        provider_id=row["provider_id"],
        name=row["name"] or "",
        resource_class=row["resource_class"] or "",
        from_at=aware(row["from_at"]) or dt.datetime.min.replace(tzinfo=dt.UTC),
        until_at=aware(row["until_at"]) or dt.datetime.min.replace(tzinfo=dt.UTC),
        reason=row["reason"] or "",
        planned_by=row["planned_by"] or "",
        planned_at=aware(row["planned_at"]),
        begun_at=aware(row["begun_at"]),
        cancelled_by=row["cancelled_by"] or "",
    )

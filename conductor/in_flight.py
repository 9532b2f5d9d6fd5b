"""Claims in flight as an operator looks at them: how old, until when they had time, and what keeps them.

A claim is stuck when its deadline is over and no conductor has moved it on, or its host is silent. What is read is
bounded: a stretch of the cells' lists of claims, and the requests that are overdue on the list of open work.
"""

import datetime as dt
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from uuid import UUID

from django.conf import settings

from claims.find import ClaimFilter, list_claims
from claims.types import HELD
from conductor import open_work
from conductor.deadlines import SILENT, due_by, overdue, silent_roots
from conductor.rows import RequestRow, find_many
from conductor.states import ENDED
from providers import cells
from providers.records import Record
from providers.refusals import NotFound
from store.home import Home

STRETCH = 500  # claims of one page
GRACE = 15.0  # seconds that conductors have to move on what is overdue, before it counts as stuck
MOST_OVERDUE = 50  # requests
MOST_CELLS = 32  # whose open work is looked at together; of more, one has to be chosen


@dataclass(frozen=True, slots=True)
class InFlight:
    """A claim, when its host or its request must have done something, and what keeps it (empty: nothing does)."""

    record: Record
    due: dt.datetime | None
    problem: str

    @property
    def is_stuck(self) -> bool:
        return bool(self.problem)


@dataclass(frozen=True, slots=True)
class Stretch:
    """Some claims, stuck ones first, then the oldest; how many are in each state; the cursor for the next."""

    claims: Sequence[InFlight]
    by_state: Mapping[str, int]
    next: str | None


@dataclass(frozen=True, slots=True)
class Overdue:
    """A request that nobody has looked at since it was due; `row`: None when there is none (yet, or any more)."""

    request_id: UUID
    home: Home
    due_at: dt.datetime
    row: RequestRow | None


def stretch(wanted: ClaimFilter, cursor: str | None, limit: int) -> Stretch:
    """Raises Invalid for a garbled cursor."""
    page = list_claims(wanted, limit, cursor)
    found = judge(page.results)
    found.sort(key=lambda one: (not one.is_stuck, one.record.created_at or _now(), one.record.id))
    return Stretch(found, Counter(one.record.state for one in found), page.next)


def judge(records: Sequence[Record]) -> list[InFlight]:
    """Each with what keeps it, in the same order."""
    now, silent = _now(), silent_roots(records)
    rows = find_many(list({r.request_id for r in records if _may_be_stuck(r, silent, now)}))
    return [InFlight(r, _due(r), _problem(r, silent, now, rows)) for r in records]


def overdue_requests(cell: str = "") -> list[Overdue] | None:
    """On the list of open work of one cell, or of all: those that were due longer than GRACE ago, the oldest first.
    None: there are too many cells to look at all of them."""
    homes = _homes(cell)
    if len(homes) > MOST_CELLS:
        return None
    found = sorted(islice(_overdue(homes), MOST_OVERDUE), key=lambda one: one.due_at)
    rows = find_many([one.request_id for one in found])
    left = [Overdue(e.request_id, e.home, e.due_at, rows.get(e.request_id)) for e in found]
    return [one for one in left if one.row is None or one.row.state not in ENDED]


def _overdue(homes: Sequence[Home]) -> Iterator[open_work.Entry]:
    before = _now() - dt.timedelta(seconds=GRACE)
    for home in homes:
        yield from (entry for entry in open_work.due(home, moves_on=False) if entry.due_at < before)


def _homes(cell: str) -> list[Home]:
    if not cell:
        return list(cells.all_homes())
    try:
        return [cells.find(cell).home]
    except NotFound:
        return []


def _may_be_stuck(record: Record, silent: set[UUID], now: dt.datetime) -> bool:
    due = _due(record)
    return record.root_id in silent or (due is not None and due + _grace() < now)


def _due(record: Record) -> dt.datetime | None:
    if record.state == HELD and record.created_at is not None:
        return record.created_at + dt.timedelta(seconds=settings.SCHEDULE_DEADLINE + settings.REQUEST_LEASE)
    return due_by(record)


def _problem(record: Record, silent: set[UUID], now: dt.datetime, rows: Mapping[UUID, RequestRow]) -> str:
    if not _may_be_stuck(record, silent, now):
        return ""
    row = rows.get(record.request_id)
    if row is None:
        return "its request is not there: an orphan, which the audit repairs"
    if row.state in ENDED:
        return f"its request is {row.state}: the amounts were not given back yet"
    if record.root_id in silent:
        return f"{SILENT}; release it, or end its request by force" if record.release_requested else SILENT
    if record.release_requested:
        return "asked back, and its host has not stopped"
    if record.state == HELD:
        return f"held, and its request is {row.state} still"
    return f"{overdue(record, now) or 'overdue'}, and no conductor has moved it on"


def _grace() -> dt.timedelta:
    return dt.timedelta(seconds=GRACE)


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)

"""Finishes what others began: finds open work by bounded queries, and brings each request to an end.

Any number of conductors may run: each step is a transaction that one of them wins, and repeating it changes nothing.
"""

import datetime as dt
import logging
from collections.abc import Iterable, Iterator
from itertools import islice
from uuid import UUID

from claims.consume import consume
from claims.types import HELD
from conductor import open_work
from conductor.activate import finish_active
from conductor.commit import confirm, give_up_holds, refuse
from conductor.deadlines import late, next_deadline
from conductor.lose import lose
from conductor.outcome import parts_of, records_of, waits_for_people
from conductor.release import is_claimed, push, settle_plan
from conductor.reschedule import reschedule
from conductor.rows import RequestRow, find, remember
from conductor.side_by_side import side_by_side
from conductor.states import ACTIVE, ENDED, FAILED, RELEASING, RESCHEDULING, SCHEDULING
from conductor.types import BUILT, MADE
from providers.records import CLAIM
from store.home import Home

log = logging.getLogger("sched_portal.conductor")

FORGOTTEN = dt.timedelta(minutes=10)  # after that, a request whose row never came will not come
SOON = dt.timedelta(seconds=5)
AT_ONCE = 8  # requests looked at side by side


def recover_cell(home: Home) -> int:
    """One look at a cell's open work; returns how many requests were moved on."""
    return sum(sum(side_by_side(_look_at, some)) for some in _in_chunks(open_work.due(home)))


def _in_chunks(entries: Iterable[open_work.Entry]) -> Iterator[list[open_work.Entry]]:
    """As they are found: what is due may be much, and is read in pages."""
    waiting = iter(entries)
    while some := list(islice(waiting, AT_ONCE)):
        yield some


def _look_at(entry: open_work.Entry) -> bool:
    try:
        next_look, moved = recover(entry.home, entry.request_id, entry.due_at)
    except Exception:  # one request must not keep the others waiting
        log.exception("request %s could not be moved on; it stays open", entry.request_id)
        next_look, moved = _now() + SOON, False
    if next_look is None:
        open_work.done(entry)
    else:
        open_work.again(entry, next_look)
    return moved


def recover(home: Home, request_id: UUID, due_at: dt.datetime) -> tuple[dt.datetime | None, bool]:
    """Does what is due for one request; when to look at it again (None: never), and whether anything was done."""
    row = find(request_id)
    if row is None:
        return (None if _now() - due_at > FORGOTTEN else due_at + FORGOTTEN), False
    if row.state in ENDED:
        give_up_holds(row)
        return None, False
    if row.state == SCHEDULING:
        return _finish_scheduling(row)
    if row.state == RESCHEDULING:
        return _place_anew(row)
    if row.state == RELEASING:
        after = push(row)
        return _unless_ended(after), after.state != row.state
    push(row)  # parts that were to go, and whoever said so died
    if row.state == ACTIVE:
        finish_active(row)
        return None, True
    return _finish_claimed(row)


def _finish_scheduling(row: RequestRow) -> tuple[dt.datetime | None, bool]:
    """Its process died, or its claim waits for the host. Unless all is claimed, every planned id is settled by a write
    first, so that a process that was only paused can claim no more."""
    if is_claimed(row):
        return _finish_claimed(row)
    if row.lease_until is not None and row.lease_until > _now():
        return row.lease_until, False
    settle_plan(row)
    if is_claimed(row):
        return _finish_claimed(row)
    # The row is moved first, so that holds cannot be committed any more; then they go back.
    if not refuse(row, "interrupted", {"attempts": row.attempts}):
        return _now() + SOON, False
    give_up_holds(row)
    remember(row, FAILED, "conductor", "its portal process ended before it was placed; nothing stays claimed")
    return None, True


def _finish_claimed(row: RequestRow) -> tuple[dt.datetime | None, bool]:
    parts = parts_of(row)
    there = list(zip(parts, records_of(parts), strict=True))
    if any(r is not None and r.state == HELD for _, r in there) and row.committed:
        confirm(parts)
    for part, record in there:
        if part.state == BUILT and record is not None and record.kind == CLAIM:
            consume(record)  # whoever heard that it is built died before that
    # What has no agent (a volume of the same request) waits for the rest.
    waits = [(part, r) for part, r in there if part.state == MADE and not part.agentless]
    records = [r for _, r in waits if r is not None and r.kind == CLAIM]
    behind = late(records)
    if behind:
        after, _ = lose(row, behind, "conductor")
        return _place_anew(after) if after.state == RESCHEDULING else (_unless_ended(push(after)), True)
    # What has no agent waits for nothing but people. (A release puts it on the list again.)
    return (None if waits_for_people(parts) else next_deadline(records)), False


def _place_anew(row: RequestRow) -> tuple[dt.datetime | None, bool]:
    """Who has it on is left alone with it until its lease is over."""
    after = reschedule(row)
    if after.state == RESCHEDULING and after.lease_until is not None:
        return max(after.lease_until, _now()), after.version != row.version
    return _unless_ended(after), True


def _unless_ended(row: RequestRow) -> dt.datetime | None:
    return None if row.state in ENDED else _now() + SOON


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)

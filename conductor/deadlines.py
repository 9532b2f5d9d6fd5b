"""Until when a claim in flight must have moved on: what a conductor goes by, and an operator sees.

Clocks cost time here, never safety: whoever acts on a deadline moves the request's row by a transaction.
"""

import datetime as dt
from collections.abc import Collection, Sequence
from uuid import UUID

from django.conf import settings

from claims.types import BUILDING
from providers.records import Record
from providers.silent import silent_among

SILENT = "its host was not heard from any more"


def late(records: Sequence[Record]) -> dict[UUID, str]:
    """Claims of hosts that said nothing in time, or were declared silent, each with the reason."""
    now = dt.datetime.now(dt.UTC)
    waiting = [r for r in records if r.expires_at is not None and not r.release_requested]
    silent = silent_roots(waiting)
    found = {r.id: SILENT if r.root_id in silent else overdue(r, now) for r in waiting}
    return {claim_id: reason for claim_id, reason in found.items() if reason}


def silent_roots(records: Collection[Record]) -> set[UUID]:
    """Those of these records' trees that were declared silent."""
    homes = {record.home for record in records}
    return {one for home in homes for one in silent_among(home, {r.root_id for r in records if r.home == home})}


def overdue(record: Record, now: dt.datetime) -> str:
    """What its host has not done in time; empty: it has time still, or there is no deadline."""
    if record.expires_at is None:
        return ""
    if record.expires_at < now:
        return f"not built within {settings.CLAIM_DEADLINE:.0f} s"
    by = due_by(record)
    return f"its host did not begin within {settings.ANSWER_DEADLINE:.0f} s" if by is not None and by < now else ""


def due_by(record: Record) -> dt.datetime | None:
    """Its next deadline: of the host's first word, then of its last. None: it waits for nobody but people."""
    if record.expires_at is None or record.state == BUILDING:
        return record.expires_at
    # Reckoned from the end, so that a claim that was given more time has it in both; and from its beginning, for those
    # that were made under other settings.
    spare = dt.timedelta(seconds=settings.CLAIM_DEADLINE - settings.ANSWER_DEADLINE)
    made = record.created_at or record.expires_at
    answer = max(record.expires_at - spare, made + dt.timedelta(seconds=settings.ANSWER_DEADLINE))
    return min(answer, record.expires_at)


def next_deadline(records: Sequence[Record]) -> dt.datetime:
    """When to look at these again."""
    deadlines = [by for record in records if (by := due_by(record)) is not None]
    return min(deadlines, default=dt.datetime.now(dt.UTC) + dt.timedelta(seconds=settings.REQUEST_LEASE))

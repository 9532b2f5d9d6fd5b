"""A request whose id is known already: the first one with it decides, and every repetition gets its outcome."""

import datetime as dt
import time

from django.conf import settings

from conductor import outcome
from conductor.open_work import put_on
from conductor.rows import RequestRow, find, move
from conductor.states import FAILED, SCHEDULING
from conductor.texts import plan_json
from conductor.types import Mismatch, Outcome, Pending, Plan, ScheduleRequest
from store.session import write

UNDECIDED = ("interrupted", "contended")  # ends that say nothing about whether a host fits: told as 503, try again


def outcome_of_twin(request: ScheduleRequest, row: RequestRow, until: float) -> Outcome | RequestRow:
    """The first outcome; while there is none yet, waits for it. Or the row: the first try ended without an outcome, so
    that asking again may begin again (the same id, a new epoch), if the row is then still as it is here."""
    if row.fingerprint != request.fingerprint:
        return Mismatch(row.request_id)
    pause = 0.05
    while True:
        if row.state == FAILED and row.reason in UNDECIDED and not row.is_retired:
            return row
        answer = outcome.replay(row)
        if answer is not None:
            return answer
        if time.monotonic() + pause > until:
            return Pending(row.request_id)
        time.sleep(pause)
        pause = min(1.0, pause * 2)
        row = find(row.request_id) or row


def begun_by_another(request: ScheduleRequest, row: RequestRow, until: float) -> Outcome | None:
    """What another repetition made of the row meanwhile; None: it is as it was."""
    now = find(row.request_id)
    if now is None or now.version == row.version:
        return None
    found = outcome_of_twin(request, now, until)
    return Pending(row.request_id) if isinstance(found, RequestRow) else found


def begin_again(row: RequestRow, plan: Plan) -> RequestRow | None:
    """The ended row takes up a new plan; None when another repetition was first. What the old one held must have gone
    back (`give_up_holds`): only the row knows of it."""
    if row.state != FAILED:
        return None
    lease = lease_end()
    write(*put_on(row.home, row.request_id, lease))
    return move(
        row,
        SCHEDULING,
        epoch=row.epoch + 1,
        plan=plan_json(plan),
        lease_until=lease,
        committed=False,
        members=None,
        response=None,
        reason="",
        ends_as="",
    )


def lease_end() -> dt.datetime:
    """Until when the process that works on a request is left alone with it."""
    return dt.datetime.now(dt.UTC) + dt.timedelta(seconds=settings.SCHEDULE_DEADLINE + settings.REQUEST_LEASE)

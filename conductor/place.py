"""THE story: a request comes in, becomes a query, a host is chosen and claimed.

Read top to bottom. It runs inside the web process that got the request; whatever it leaves behind when it dies is
finished by `run_conductor` from the request row (conductor/recover.py).
"""

import datetime as dt
import logging
import random
import time

from django.conf import settings

from conductor import outcome
from conductor.accept import accept, new_request_id, plan_of, response_of
from conductor.attempt import Attempted, attempt_plan
from conductor.commit import abort, commit, refuse
from conductor.decide import Decision, decide
from conductor.identify import home_of
from conductor.rows import RequestRow, find, move, plan_json
from conductor.states import SCHEDULING
from conductor.types import Contended, Mismatch, NoValidHost, Outcome, Pending, Placed, Plan, ScheduleRequest
from providers.refusals import Undecided
from store.failures import StoreUnavailable

log = logging.getLogger("sched_portal.conductor")
rng = random.Random()


def schedule(request: ScheduleRequest) -> Outcome:
    """Places a request: claims made, or a reason. Raises Invalid (unknown cell, filter, ...), StoreUnavailable.

    The same id with the same body answers the first outcome again and claims nothing more.
    """
    until = time.monotonic() + settings.SCHEDULE_DEADLINE
    if request.request_id is not None:
        earlier = find(request.request_id)
        if earlier is not None:
            return _twin(request, earlier, until)

    decision = decide(request, rng)
    plan = plan_of(decision.assignment) if decision.assignment else None
    request_id = request.request_id or new_request_id(request, plan)
    if request_id is None or home_of(request_id) is None:  # no cell, so nowhere to write the refusal down
        return outcome.nowhere(decision)

    row, made = accept(request, request_id, plan, None if plan else decision.explanation)
    if row is None:
        return Pending(request_id)
    if not made:
        return _twin(request, row, until)
    if plan is None:
        assert decision.explanation is not None
        return NoValidHost(request_id, response_of(decision.explanation)["explain"])
    try:
        return _place(request, row, plan, decision, until)
    except (StoreUnavailable, Undecided) as error:
        # Something may have been claimed. The row stays open: the conductor finishes it, and its id can be asked for.
        log.warning("request %s: nobody knows yet what became of it: %s", request_id, error)
        return Pending(request_id)


def _place(request: ScheduleRequest, row: RequestRow, plan: Plan, decision: Decision, until: float) -> Outcome:
    attempts = 0
    for _ in range(settings.SCHEDULE_MAX_PLANS):
        tried = attempt_plan(row, plan, until)
        attempts += tried.attempts
        if tried.taken_over:
            abort(row, tried.parts)
            return Pending(row.request_id)
        if _enough(request, tried):
            placed = commit(row, plan, tried)
            if placed is None:
                return Pending(row.request_id)
            explanation = decision.explanation.as_json() if decision.explanation else None
            claims = outcome.claim_images(placed.row, tried.parts, placed.tree)
            return Placed(row.request_id, claims, attempts, explanation)
        abort(row, tried.parts)
        if time.monotonic() > until:
            break
        decision = decide(request, rng)  # everything the plan named was taken by others: look again
        if decision.assignment is None:
            assert decision.explanation is not None
            response = response_of(decision.explanation)
            return (
                NoValidHost(row.request_id, response["explain"])
                if refuse(row, "no_valid_host", response)
                else Pending(row.request_id)
            )
        plan = plan_of(decision.assignment)
        moved = _replan(row, plan)
        if moved is None:
            return Pending(row.request_id)
        row = moved
    return (
        Contended(row.request_id, attempts)
        if refuse(row, "contended", {"attempts": attempts})
        else Pending(row.request_id)
    )


def _enough(request: ScheduleRequest, tried: Attempted) -> bool:
    return bool(tried.parts) and (not tried.without or not request.all_or_nothing)


def _replan(row: RequestRow, plan: Plan) -> RequestRow | None:
    """The new plan is written before any of its claims, with a new epoch, so that no old id is claimed again."""
    lease = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=settings.SCHEDULE_DEADLINE + settings.REQUEST_LEASE)
    return move(row, SCHEDULING, epoch=row.epoch + 1, plan=plan_json(plan), lease_until=lease)


def _twin(request: ScheduleRequest, row: RequestRow, until: float) -> Outcome:
    """The first one with this id decides; while it is still at it, wait for it."""
    if row.fingerprint != request.fingerprint:
        return Mismatch(row.request_id)
    pause = 0.05
    while True:
        answer = outcome.replay(row)
        if answer is not None:
            return answer
        if time.monotonic() + pause > until:
            return Pending(row.request_id)
        time.sleep(pause)
        pause = min(1.0, pause * 2)
        row = find(row.request_id) or row

"""THE story: a request comes in, becomes a query, a host is chosen and claimed.

Read top to bottom. It runs inside the web process that got the request; whatever it leaves behind when it dies is
finished by `run_conductor` from the request row (conductor/recover.py).
"""

import logging
import random
import time

from django.conf import settings

from conductor import outcome
from conductor.accept import accept, new_request_id, plan_of
from conductor.attempt import Attempted, attempt_plan, barred
from conductor.commit import abort, commit, give_up_holds, refuse, tell_refused
from conductor.decide import decide
from conductor.identify import home_of
from conductor.membership import join, take_out_the_dead
from conductor.rows import RequestRow, find, move
from conductor.shadow import ask_the_shadow
from conductor.states import SCHEDULING
from conductor.texts import plan_json
from conductor.twin import begin_again, begun_by_another, lease_end, outcome_of_twin
from conductor.types import Contended, Decision, Outcome, Pending, Placed, Plan, ScheduleRequest
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
            return _repeat(request, earlier, until)

    decision = decision_for(request)
    plan = plan_of(decision.assignment, decision.how) if decision.assignment else None
    request_id = request.request_id or new_request_id(request, plan)
    if request_id is None or home_of(request_id) is None:  # no cell, so nowhere to write the refusal down
        return outcome.nowhere(decision)

    row, made = accept(request, request_id, plan, None if plan else decision.explanation)
    if row is None:
        return Pending(request_id)
    if not made:
        return _repeat(request, row, until)
    if plan is not None:
        return _carry_out(request, row, plan, decision, until)
    tell_refused(row, decision.explanation)
    return outcome.no_valid_host(row, decision)


def _repeat(request: ScheduleRequest, earlier: RequestRow, until: float) -> Outcome:
    row = outcome_of_twin(request, earlier, until)
    if not isinstance(row, RequestRow):
        return row
    give_up_holds(row)  # whoever ended it may have died before he did
    decision = decision_for(request)
    if decision.assignment is None:
        return begun_by_another(request, row, until) or outcome.no_valid_host(row, decision)
    plan = plan_of(decision.assignment, decision.how)
    again = begin_again(row, plan)
    if again is None:
        return begun_by_another(request, row, until) or Pending(row.request_id)
    return _carry_out(request, again, plan, decision, until)


def _carry_out(request: ScheduleRequest, row: RequestRow, plan: Plan, decision: Decision, until: float) -> Outcome:
    try:
        return _place(request, row, plan, decision, until)
    except (StoreUnavailable, Undecided) as error:
        # Something may have been claimed. The row stays open: the conductor finishes it, and its id can be asked for.
        log.warning("request %s: nobody knows yet what became of it: %s", row.request_id, error)
        return Pending(row.request_id)


def _place(request: ScheduleRequest, row: RequestRow, plan: Plan, decision: Decision, until: float) -> Outcome:
    attempts = plans = 0
    while plans < settings.SCHEDULE_MAX_PLANS:
        joined = join(row, plan)
        tried = attempt_plan(row, plan, until) if joined else barred(plan)
        attempts += tried.attempts
        plans += joined  # a plan that its group barred has not lost to anybody's claim
        if not tried.taken_over and _enough(request, tried):
            placed = commit(row, plan, tried)
            if placed is None:
                return Pending(row.request_id)
            ask_the_shadow(request, row.request_id)
            explanation = decision.explanation.as_json() if decision.explanation else None
            claims = outcome.claim_images(placed.row, tried.parts, placed.trees)
            return Placed(row.request_id, claims, attempts, explanation, decided=plan.decided)
        abort(row, tried.parts)
        if tried.taken_over:
            return Pending(row.request_id)
        if time.monotonic() > until:
            break
        decision = decision_for(request)  # everything the plan named was taken by others: look again
        if decision.assignment is None:
            answer = outcome.no_valid_host(row, decision)
            return answer if refuse(row, "no_valid_host", {"explain": answer.explanation}) else Pending(row.request_id)
        plan = plan_of(decision.assignment, decision.how)
        # Written before any of its claims, with a new epoch, so that no old id is claimed again.
        moved = move(row, SCHEDULING, epoch=row.epoch + 1, plan=plan_json(plan), lease_until=lease_end())
        if moved is None:
            return Pending(row.request_id)
        row = moved
    refused = refuse(row, "contended", {"attempts": attempts})
    return Contended(row.request_id, attempts) if refused else Pending(row.request_id)


def decision_for(request: ScheduleRequest) -> Decision:
    """Where it would go, after members of its group that are gone have left it."""
    decision = decide(request, rng)
    if decision.assignment is None and request.group is not None and take_out_the_dead(request.group):
        return decide(request, rng)
    return decision


def _enough(request: ScheduleRequest, tried: Attempted) -> bool:
    return bool(tried.parts) and (not tried.without or not request.all_or_nothing)

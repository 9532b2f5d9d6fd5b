"""A plan that was looked at first is claimed exactly as it is, or what changed since is told.

From the row on it is the path of conductor/place.py, so whatever it leaves behind when it dies is finished in the same
way. But there is one plan, with one try a claim: it is never replaced.
"""

import logging
import time
from collections.abc import Sequence
from dataclasses import replace

from django.conf import settings

from conductor import outcome
from conductor.accept import accept, new_request_id
from conductor.attempt import attempt_plan, barred
from conductor.commit import abort, commit, give_up_holds, refuse
from conductor.compare_plan import Compared, compare
from conductor.decide import decide
from conductor.membership import join, take_out_the_dead
from conductor.place import rng
from conductor.rows import RequestRow, find
from conductor.twin import begin_again, begun_by_another, outcome_of_twin
from conductor.types import PLAN_CHANGED, Contended, Outcome, Pending, Placed, Plan, PlanChanged, ScheduleRequest, Step
from providers.refusals import Undecided
from scheduler import reasons
from store.failures import StoreUnavailable

log = logging.getLogger("sched_portal.conductor")


def plan_for(request: ScheduleRequest) -> tuple[Step, ...] | None:
    """Where the whole request would go now, one step a claim, to be promoted later; None when it does not fit."""
    assignment = decide(request, rng).assignment
    if assignment is None or assignment.missing:
        return None
    chosen = [unit.tries[0] for unit in sorted(assignment.units, key=lambda unit: unit.member)]
    return tuple(Step(c.provider_id, c.state_version, c.root_state_version, c.generation) for c in chosen)


def promote(request: ScheduleRequest, steps: Sequence[Step]) -> Outcome:
    """Claims the request where the plan says. Raises Invalid (no plan of this request), StoreUnavailable.

    The same id with the same body answers the first outcome again and claims nothing more.
    """
    until = time.monotonic() + settings.SCHEDULE_DEADLINE
    if request.request_id is not None:
        earlier = find(request.request_id)
        if earlier is not None:
            return _repeat(request, steps, earlier, until)
    compared = _compare(request, steps)
    request_id = request.request_id or new_request_id(request, compared.plan)
    if request_id is None:
        return Pending(outcome.NOBODY)
    row, made = accept(request, request_id, compared.plan, None, compared.changed)
    if row is None:
        return Pending(request_id)
    if not made:
        return _repeat(request, steps, row, until)
    if compared.plan is None:
        return PlanChanged(request_id, compared.changed)
    return _carry_out(request, steps, row, compared.plan, until)


def _repeat(request: ScheduleRequest, steps: Sequence[Step], earlier: RequestRow, until: float) -> Outcome:
    row = outcome_of_twin(request, earlier, until)
    if not isinstance(row, RequestRow):
        return row
    give_up_holds(row)  # whoever ended it may have died before he did
    compared = _compare(request, steps)
    if compared.plan is None:
        return begun_by_another(request, row, until) or PlanChanged(row.request_id, compared.changed)
    again = begin_again(row, compared.plan)
    if again is None:
        return begun_by_another(request, row, until) or Pending(row.request_id)
    return _carry_out(request, steps, again, compared.plan, until)


def _compare(request: ScheduleRequest, steps: Sequence[Step]) -> Compared:
    compared = compare(request, steps)
    is_barred = any(refusal.reason == reasons.GROUP for refusal in compared.refusals.values())
    if is_barred and request.group is not None and take_out_the_dead(request.group):
        return compare(request, steps)
    return compared


def _carry_out(request: ScheduleRequest, steps: Sequence[Step], row: RequestRow, plan: Plan, until: float) -> Outcome:
    try:
        return _claim(request, steps, row, plan, until)
    except (StoreUnavailable, Undecided) as error:
        # Something may have been claimed. The row stays open: the conductor finishes it, and its id can be asked for.
        log.warning("request %s: nobody knows yet what became of it: %s", row.request_id, error)
        return Pending(row.request_id)


def _claim(request: ScheduleRequest, steps: Sequence[Step], row: RequestRow, plan: Plan, until: float) -> Outcome:
    tried = attempt_plan(row, plan, until, exactly=True) if join(row, plan) else barred(plan)
    if tried.parts and not tried.without and not tried.taken_over:
        # They were claimed tree by tree, and are told in the order of the plan.
        tried = replace(tried, parts=tuple(sorted(tried.parts, key=lambda part: part.number)))
        placed = commit(row, plan, tried)
        if placed is None:
            return Pending(row.request_id)
        return Placed(row.request_id, outcome.claim_images(placed.row, tried.parts, placed.trees), tried.attempts)
    abort(row, tried.parts)
    if tried.taken_over:
        return Pending(row.request_id)
    compared = _compare(request, steps)
    if compared.plan is None:
        refused = refuse(row, PLAN_CHANGED, {"changed": list(compared.changed), "attempts": tried.attempts})
        return PlanChanged(row.request_id, compared.changed) if refused else Pending(row.request_id)
    # It holds again by now: what was in the way has gone. The same id may be asked for again.
    refused = refuse(row, "contended", {"attempts": tried.attempts})
    return Contended(row.request_id, tried.attempts) if refused else Pending(row.request_id)

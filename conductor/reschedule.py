"""Places anew what its hosts could not build or never answered: the alternates first, then a new query.

Whoever does it takes the row on by a lease, written by the same transaction as the plan. New trees are held; the row's
next transaction commits them, beside the parts that stay where they are. A process that dies in between is followed by
a conductor when the lease is over: a new epoch first, so that nothing of the old plan can be committed, then it goes.
"""

import datetime as dt
import json
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from django.conf import settings

from claims.overtaken import tries
from conductor.accept import plan_of
from conductor.attempt import Attempted, attempt_plan, barred
from conductor.commit import abort, confirm_own, tell
from conductor.lose import copies_of, reasons_of
from conductor.membership import join
from conductor.outcome import parts_of
from conductor.place import decision_for
from conductor.release import all_built, begin_release, in_flight, push
from conductor.rows import RequestRow, find, get, move, remember
from conductor.states import ACTIVE, CLAIMED, FAILED, RESCHEDULING
from conductor.stored import stored_request
from conductor.texts import parts_json, plan_json
from conductor.twin import lease_end
from conductor.types import GONE, LOST, OVER, Decision, Part, Plan, PlannedMember, ScheduleRequest
from providers.refusals import Invalid, NotFound
from scheduler.types import ANTI_AFFINITY

log = logging.getLogger("sched_portal.conductor")

NOTHING = Plan(True, ())


def reschedule(row: RequestRow) -> RequestRow:
    """The row after one go at it: claimed, releasing, or still rescheduling (its lease says until when somebody is at
    it). Raises Undecided, StoreUnavailable; it can be repeated."""
    until = time.monotonic() + settings.SCHEDULE_DEADLINE
    ours = _take_on(row)
    if ours is None:
        return get(row.request_id)
    row = push(ours)  # what was lost goes back, and leaves the request's group
    if row.state == RESCHEDULING and _is_overdue(row):
        return _give_up(row, f"and no place was found within {settings.RESCHEDULE_SECONDS:.0f} s")
    plan = row.plan if row.plan is not None and row.plan.members else None
    for _ in range(settings.SCHEDULE_MAX_PLANS):
        if plan is None:
            try:
                decided = _new_plan(row)
            except (Invalid, NotFound) as error:  # what it names is not there any more
                return _give_up(row, f"and it cannot be placed anew: {error}")
            if isinstance(decided, Decision):
                return _give_up(row, "and no other provider does", decided)
            plan = decided
            moved = move(row, RESCHEDULING, epoch=row.epoch + 1, plan=plan_json(plan), lease_until=lease_end())
            if moved is None:
                return get(row.request_id)
            row = moved
        tried = attempt_plan(row, plan, until) if join(row, plan) else barred(plan)
        if not tried.taken_over and tried.parts and (not tried.without or not row.all_or_nothing):
            return _commit(row, tried)
        abort(row, tried.parts)
        if tried.taken_over or time.monotonic() > until:
            break
        plan = None
    return get(row.request_id)


def _is_overdue(row: RequestRow) -> bool:
    last = max((failure.at for failure in row.failures), default=dt.datetime.now(dt.UTC))
    return dt.datetime.now(dt.UTC) - last > dt.timedelta(seconds=settings.RESCHEDULE_SECONDS)


def _take_on(row: RequestRow) -> RequestRow | None:
    """None: somebody else is at it."""
    if row.state != RESCHEDULING or (row.lease_until is not None and row.lease_until > dt.datetime.now(dt.UTC)):
        return None
    if row.lease_until is None:
        return move(row, RESCHEDULING, lease_until=lease_end())
    # Whoever had it on may have died with trees held, or may only be paused.
    members = parts_json([*row.parts, *in_flight(row)])
    columns = {"members": members, "plan": plan_json(NOTHING), "lease_until": lease_end()}
    return move(row, RESCHEDULING, epoch=row.epoch + 1, **columns)


def _new_plan(row: RequestRow) -> Plan | Decision:
    """Where what was lost may go now: nowhere that it failed, and in the cell of what stays. The decision when there is
    no such place."""
    wanted = stored_request(row)
    parts = parts_of(row)
    lost = [part for part in parts if part.state == LOST]
    stays = [part for part in parts if part.state not in OVER]
    cell = wanted.cell or (stays[0].cell if stays else "")
    avoid = frozenset(f.root_id for f in row.failures)
    wanted = replace(wanted, cell=cell, avoid=avoid)
    members: list[PlannedMember] = []
    domains: frozenset[str] = frozenset()
    how: Mapping[str, Any] | None = None
    for numbers in _alike(lost, len(wanted.resources)):
        decision = decision_for(_only(wanted, numbers))
        if decision.assignment is None:
            return decision
        plan = plan_of(decision.assignment, decision.how)
        flat = [number for copy in numbers for number in copy]
        if wanted.group is not None and wanted.group.policy == ANTI_AFFINITY:  # for the shapes that are decided next
            wanted = replace(wanted, avoid=wanted.avoid | {member.tries[0].root_id for member in plan.members})
        members += [replace(member, number=flat[member.number]) for member in plan.members]
        domains |= plan.domains
        how = plan.decided
    return Plan(True, tuple(members), domains, how)


def _alike(lost: Sequence[Part], per_copy: int) -> list[list[tuple[int, ...]]]:
    """The lost members' numbers, a tuple a copy, copies that lost the same resources together."""
    copies: dict[int, list[int]] = {}
    for part in sorted(lost, key=lambda part: part.number):
        copies.setdefault(part.number // per_copy, []).append(part.number)
    alike: dict[tuple[int, ...], list[tuple[int, ...]]] = {}
    for numbers in copies.values():
        alike.setdefault(tuple(number % per_copy for number in numbers), []).append(tuple(numbers))
    return list(alike.values())


def _only(wanted: ScheduleRequest, numbers: Sequence[tuple[int, ...]]) -> ScheduleRequest:
    """The request for these copies, each of these resources."""
    per_copy = len(wanted.resources)
    resources = tuple(wanted.resources[number % per_copy] for number in numbers[0])
    return replace(wanted, resources=resources, count=len(numbers))


def _commit(row: RequestRow, tried: Attempted) -> RequestRow:
    """The commit point: from here on the new trees count."""
    new = {part.claim_id for part in tried.parts}
    now: RequestRow | None = row
    for _ in tries():
        if now is None or now.state != RESCHEDULING or now.epoch != row.epoch:
            break
        parts = [replace(p, state=GONE) if p.state == LOST else p for p in now.parts] + list(tried.parts)
        columns = {"members": parts_json(parts), "committed": True, "attempts": now.attempts + tried.attempts}
        moved = move(now, ACTIVE if all_built(parts) else CLAIMED, **columns)
        if moved is not None:
            confirm_own(moved, tried.parts)
            names = ", ".join(sorted({part.provider_name for part in tried.parts}))
            tell(moved, moved.state)
            remember(moved, moved.state, "scheduler", f"placed anew on {names}")
            return moved
        now = find(row.request_id, at_home=True)
    live = {part.claim_id for part in now.parts if part.state not in OVER} if now else set()
    if not new & live:  # else our own first try committed it
        abort(row, tried.parts)
    return now or get(row.request_id)


def _give_up(row: RequestRow, why: str, decision: Decision | None = None) -> RequestRow:
    """No other place: the request ends, or goes on without the copies that lost something."""
    lost = [part.claim_id for part in row.parts if part.state == LOST]
    told = decision.explanation if decision else None
    response = json.dumps({"explain": told.as_json()}, separators=(",", ":")) if told else None
    reasons = f"{reasons_of(row.failures)}; {why}"
    only = None if row.all_or_nothing else copies_of(row, row.parts, lost)
    after, is_first = begin_release(row, FAILED, reasons, only, (RESCHEDULING,), response=response)
    if is_first:
        remember(after, after.state, "scheduler", reasons)
    return push(after)

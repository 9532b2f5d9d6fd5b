"""What a host could not build, or never answered, is lost: the request's row says so, and that it is to be placed anew.

The claims themselves go back after that, as those of a release do. A request that has used up its attempts, or whose
instance on that tree is built in part, ends instead, with the reasons of every attempt.
"""

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from uuid import UUID

from django.conf import settings

from claims.overtaken import tries
from conductor.commit import tell
from conductor.open_work import put_on
from conductor.outcome import parts_of, planned_parts
from conductor.release import begin_release, in_flight, is_claimed, settle_plan
from conductor.rows import RequestRow, get, move, remember
from conductor.states import CLAIMED, FAILED, RESCHEDULING, SCHEDULING
from conductor.texts import failures_json, parts_json, plan_json
from conductor.types import BUILT, GONE, LOST, MADE, OVER, Failure, Part, Plan, PlannedMember
from providers.refusals import Busy
from store.failures import StoreUnavailable
from store.session import write_many

SOON = dt.timedelta(seconds=5)
SHOWN = 10  # failures in one sentence
LONGEST = 200  # characters of a reason that the row keeps; a large request has many
FRESH = dt.timedelta(seconds=60)
STATES = (SCHEDULING, CLAIMED, RESCHEDULING)


def lose(row: RequestRow, lost: Mapping[UUID, str], who: str) -> tuple[RequestRow, bool]:
    """The row says that these claims (by id, each with its reason) came to nothing; and whether this call moved it.

    It is `rescheduling` then, with a plan of what is left of their alternates, or `releasing`. Raises Busy, Undecided.
    """
    for _ in tries():
        if row.state not in STATES:
            return row, False
        if row.state == SCHEDULING and not is_claimed(row):
            settle_plan(row)
        parts = planned_parts(row) if row.state == SCHEDULING else parts_of(row)
        if any(part.claim_id in lost and part.state == BUILT for part in parts):  # and its claim not consumed yet
            new = [_failure(part, lost[part.claim_id]) for part in parts if part.claim_id in lost]
            return _end(row, new, None, who)
        going = _going(row, parts, lost)
        if not going:
            return row, False
        new = [_failure(part, lost[part.claim_id]) for part in going if part.claim_id in lost]
        failures = (*row.failures, *new)
        ids = {part.claim_id for part in going}
        if not _may_be_placed_anew(row, going, failures):
            return _end(row, new, None if row.all_or_nothing else copies_of(row, parts, ids), who)
        beside = in_flight(row) if row.state == RESCHEDULING else []
        after = _move(row, [*parts, *beside], ids, failures)
        if after is not None:
            tell(after, RESCHEDULING, reasons_of(new))
            remember(after, RESCHEDULING, who, reasons_of(new))
            return after, True
        row = get(row.request_id)
    raise Busy(f"request {row.request_id} is being changed by others all the time; repeat")


def reasons_of(failures: Sequence[Failure]) -> str:
    """Of every attempt, in order, for people; of very many the first."""
    shown = "; ".join(f"{f.provider_name}: {f.reason}" for f in failures[:SHOWN])
    return shown if len(failures) <= SHOWN else f"{shown}; and {len(failures) - SHOWN} more"


def copies_of(row: RequestRow, parts: Sequence[Part], claim_ids: Collection[UUID]) -> list[UUID]:
    """All claims of the copies that these belong to: what is given up of a copy takes the rest of it along."""
    copies = {part.number // row.per_copy for part in parts if part.claim_id in claim_ids}
    return [part.claim_id for part in parts if part.state != GONE and part.number // row.per_copy in copies]


def _end(
    row: RequestRow, failures: Sequence[Failure], only: Collection[UUID] | None, who: str
) -> tuple[RequestRow, bool]:
    why = reasons_of((*row.failures, *failures))
    moved, is_first = begin_release(row, FAILED, why, only, STATES, failures=failures)
    if is_first:
        remember(moved, moved.state, who, reasons_of(failures))
    return moved, is_first


def _going(row: RequestRow, parts: Sequence[Part], lost: Collection[UUID]) -> list[Part]:
    """These, and what belongs with them: the parts of the same copy on the same tree."""
    copies = {(p.number // row.per_copy, p.root_id) for p in parts if p.claim_id in lost and p.state == MADE}
    return [p for p in parts if p.state not in OVER and (p.number // row.per_copy, p.root_id) in copies]


def _may_be_placed_anew(row: RequestRow, going: Sequence[Part], failures: Sequence[Failure]) -> bool:
    if "plan" in row.body or "resources" not in row.body:  # its own plan was to be claimed, no other
        return False
    if any(part.state == BUILT for part in going):
        return False
    numbers = {part.number for part in going}
    return all(sum(f.member == number for f in failures) <= settings.RESCHEDULE_LIMIT for number in numbers)


def _move(
    row: RequestRow, parts: Sequence[Part], ids: Collection[UUID], failures: Sequence[Failure]
) -> RequestRow | None:
    """Nobody has it on yet (no lease). The epoch is new, so that who places it anew already can commit nothing."""
    left = [replace(p, state=LOST) if p.claim_id in ids else p for p in parts]
    write_many([put_on(row.home, row.request_id, dt.datetime.now(dt.UTC) + SOON)])
    moved = move(
        row,
        RESCHEDULING,
        members=parts_json(left),
        failures=failures_json(failures),
        plan=plan_json(_alternates(row, left, {f.root_id for f in failures})),
        epoch=row.epoch + 1,
        lease_until=None,
        committed=True,
    )
    if moved is not None:
        # Once more: the move may have taken so long that a conductor found the row as it was, and nothing to do.
        with suppress(StoreUnavailable):
            write_many([put_on(row.home, row.request_id, dt.datetime.now(dt.UTC) + SOON)])
    return moved


def _alternates(row: RequestRow, parts: Sequence[Part], failed: Collection[UUID]) -> Plan:
    """What the plan had beside the tries that were lost; without members when one of them has none left, or when the
    plan is so old that nobody knows who of them is alive still."""
    decided = row.plan.decided if row.plan else None
    if row.created_at is None or dt.datetime.now(dt.UTC) - row.created_at > FRESH:
        return Plan(True, (), decided=decided)
    planned = {member.number: member for member in row.plan.members} if row.plan else {}
    members: list[PlannedMember] = []
    for part in (part for part in parts if part.state == LOST):
        member = planned.get(part.number)
        places = [t.provider_id for t in member.tries] if member else []
        if member is None or part.provider_id not in places:
            return Plan(True, (), decided=decided)
        rest = member.tries[places.index(part.provider_id) + 1 :]
        left = tuple(t for t in rest if t.root_id not in failed and not t.place)
        if not left:
            return Plan(True, (), decided=decided)
        members.append(replace(member, tries=left))
    return Plan(True, tuple(members), decided=decided)


def _failure(part: Part, reason: str) -> Failure:
    now, short = dt.datetime.now(dt.UTC), reason[:LONGEST]
    return Failure(now, part.number, part.provider_id, part.provider_name, part.root_id, short)

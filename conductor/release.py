"""Takes a request, or one of its claims, back. The row says so first, then the amounts come back.

Once a host is at work on a claim its word is waited for: it is asked to stop, and says `failed` or `destroyed`.
"""

import datetime as dt
import random
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any
from uuid import UUID

from django.conf import settings

from claims import mark
from claims.find import find
from claims.overtaken import tries
from claims.release import ANY, NOT_STARTED, destroy, release, release_together
from claims.settle import close
from claims.types import DESTROYING, Not
from conductor.activate import finish_active
from conductor.attempt import part_of
from conductor.commit import tell
from conductor.membership import group_of, leave
from conductor.open_work import put_on
from conductor.outcome import parts_of, planned_parts, records_of
from conductor.rows import RequestRow, get, move, remember
from conductor.side_by_side import in_chunks, side_by_side
from conductor.states import ACTIVE, CLAIMED, ENDED, FAILED, RELEASED, RELEASING, RESCHEDULING, SCHEDULING
from conductor.texts import failures_json, parts_json, plan_json
from conductor.types import BUILT, GONE, LOST, OVER, Failure, Part, Plan
from providers.records import CLAIM, INSTANCE, Record
from providers.refusals import Busy, Conflict
from providers.silent import silent_among
from store.failures import StoreUnavailable
from store.home import Home
from store.session import write_many

OPEN = (SCHEDULING, CLAIMED, ACTIVE, RESCHEDULING)
AT_ONCE = 50  # records of one tree that go in one transaction


def release_claim(claim_id: UUID, who: str, why: str = "released") -> bool:
    """Releases one claim; with the last one its request ends. True: done. False: its host was asked to stop first.

    Raises NotFound, Conflict (it was consumed: delete its request instead).
    """
    record = find(claim_id)
    if record.kind == INSTANCE:
        raise Conflict(f"claim {claim_id} was consumed: delete request {record.request_id} to destroy its instance")
    row = start_release(get(record.request_id), RELEASED, why, [claim_id])
    remember(row, row.state, who, f"{why}: claim {claim_id}")
    result = release(record)
    if isinstance(result, Not) and result.record is not None:
        if result.record.kind == INSTANCE:
            mark.to_be_destroyed(result.record)
        else:
            mark.to_be_released(result.record)
        return False
    finish_release(row)
    return True


def delete_request(request_id: UUID, who: str, why: str = "deleted", force: bool = False) -> bool:
    """Ends a request: claims are released, instances destroyed by their agents. True: nothing is left of it.

    `force` (an admin, for a host that is dead): does not wait for any host. Raises NotFound, Undecided.
    """
    row = get(request_id)
    if row.state in ENDED:
        return True
    if row.state == RELEASING:
        write_many([put_on(row.home, row.request_id, _soon())])  # whoever began may have died, and fallen off the list
    else:
        row = start_release(row, RELEASED, why, None)
    remember(row, row.state, who, why)
    return push(row, force).state in ENDED


def start_release(
    row: RequestRow,
    ends_as: str,
    why: str,
    only: Collection[UUID] | None,
    states: Collection[str] = OPEN,
) -> RequestRow:
    """As `begin_release`, whoever moved the row."""
    return begin_release(row, ends_as, why, only, states)[0]


def begin_release(
    row: RequestRow,
    ends_as: str,
    why: str,
    only: Collection[UUID] | None,
    states: Collection[str] = OPEN,
    failures: Sequence[Failure] = (),
    response: str | None = None,
) -> tuple[RequestRow, bool]:
    """The row says that these claims (None: all) go, if it is in one of `states`; and whether this call moved it. When
    others stay it is claimed or active as before (active also when the rest is built), else `releasing`. `failures`
    are attempts to add to the row's. Raises Conflict for the release of a part that the row says is built: consumed or
    not yet, it is an instance now, and goes with its request."""
    for _ in tries():
        if row.state not in states:
            return row, False
        if row.state == SCHEDULING and not is_claimed(row):
            settle_plan(row)
        parts = _all_parts(row)
        if only is not None and ends_as == RELEASED and any(p.state == BUILT and p.claim_id in only for p in parts):
            raise Conflict(f"request {row.request_id} says that it was built: delete the request to destroy it")
        left = [replace(p, state=GONE) if only is None or p.claim_id in only else p for p in parts]
        columns: dict[str, Any] = {"members": parts_json(left)}
        if failures:
            columns["failures"] = failures_json((*row.failures, *failures))
        if response:
            columns["response"] = response
        write_many([put_on(row.home, row.request_id, _soon())])
        moved = _move_without(row, left, columns, {"ends_as": ends_as, "reason": why})
        if moved is not None:
            # Once more: the move may have taken so long that a conductor found the row as it was, and nothing to do.
            with suppress(StoreUnavailable):
                write_many([put_on(row.home, row.request_id, _soon())])
            _follow(moved, why, row.state)
            return moved, True
        row = get(row.request_id)
    raise Busy(f"request {row.request_id} is being changed by others all the time; repeat")


def _move_without(
    row: RequestRow, left: Sequence[Part], columns: Mapping[str, Any], end: Mapping[str, Any]
) -> RequestRow | None:
    """To the state of what stays; `end` is how and why it ends when nothing does."""
    if all(part.state == GONE for part in left):
        return move(row, RELEASING, **end, **columns)
    if any(part.state == LOST for part in left):
        # A new epoch and no plan: who is placing it anew would place what is released now, too.
        plan = plan_json(Plan(True, ()))
        return move(row, RESCHEDULING, epoch=row.epoch + 1, plan=plan, lease_until=None, **columns)
    if all_built(left):
        return move(row, ACTIVE, **columns)
    return move(row, CLAIMED, **columns)


def _all_parts(row: RequestRow) -> Sequence[Part]:
    """What the row says it has, and what its plan may have come to without the row saying so."""
    if row.state == SCHEDULING:
        return planned_parts(row)
    return [*row.parts, *in_flight(row)] if row.state == RESCHEDULING else parts_of(row)


def in_flight(row: RequestRow) -> list[Part]:
    """What a request that is placed anew may hold under its plan's ids, and that counts for nothing yet: to go back.
    Whoever is still at work on the plan can claim no more. Written into the row by the transaction that gives it a new
    epoch, or nobody would know of it any more."""
    settle_plan(row)
    members = row.plan.members if row.plan is not None and group_of(row) is not None else ()
    joined = [part_of(row, member, 0, member.tries[0]) for member in members if member.tries[0].place]
    known = {part.claim_id for part in row.parts}
    planned = {part.claim_id: replace(part, state=GONE) for part in (*planned_parts(row), *joined)}
    return [part for claim_id, part in planned.items() if claim_id not in known]


def all_built(parts: Sequence[Part]) -> bool:
    """Whether all that stays is built, or has no agent that would build it, and something is built."""
    return any(p.state == BUILT for p in parts) and all(is_done(p) for p in parts)


def is_done(part: Part) -> bool:
    """Whether nothing more is to be built of it: it is built, gone, or has no agent that would build it."""
    return part.state in (BUILT, GONE) or (part.agentless and part.state != LOST)


def _follow(row: RequestRow, why: str, before: str) -> None:
    if row.state == RELEASING:
        tell(row, RELEASING, why)
    elif row.state == ACTIVE:
        finish_active(row)
    elif before == RESCHEDULING != row.state:
        tell(row, row.state, why)


def is_claimed(row: RequestRow) -> bool:
    """Whether a plan on one tree has all its claims. Its owner leaves a try only when that certainly was not applied,
    so once one was, no other can come."""
    return row.plan is not None and not row.plan.holds and len(parts_of(row)) == len(row.plan.members)


def settle_plan(row: RequestRow) -> None:
    """Closes every planned id that is not claimed, so that whoever is still at work on the plan can claim no more."""
    if row.plan is None:
        return
    until = time.monotonic() + settings.SCHEDULE_DEADLINE
    for member in row.plan.members:
        for number, place in enumerate(member.tries):
            part = part_of(row, member, number, place)
            home = Home(part.cell, part.datacenter)
            close(home, part.root_id, part.provider_id, part.claim_id, row.request_id, until)


def push(row: RequestRow, force: bool = False) -> RequestRow:
    """Does what can be done now for a request that is being released; repeated by the conductor until it has ended."""
    parts = [p for p in parts_of(row) if p.state in OVER or row.state in (RELEASING, *ENDED)]
    by_tree: dict[UUID, list[Part]] = {}
    for part in parts:
        by_tree.setdefault(part.root_id, []).append(part)
    trees = [some for of_tree in by_tree.values() for some in _stretches(of_tree)]
    random.shuffle(trees)  # two at once are mostly elsewhere, and a tree that fails does not always stop the same ones
    for some in in_chunks(trees):
        side_by_side(lambda of_tree: _push_tree(of_tree, force), some)
    return finish_release(row)


def _push_tree(parts: Sequence[Part], force: bool) -> None:
    """What can go goes together; whoever moved meanwhile goes alone. Nobody is asked twice."""
    records = _there(parts)
    states = ANY if force or _is_silent(parts[0], records) else NOT_STARTED
    going = [r for r in records if r.kind == CLAIM and r.state in states]
    if len(going) > 1:
        if release_together(going, states):
            gone = {record.id for record in going}
            records = [record for record in records if record.id not in gone]
        else:
            records = _there(parts)
    for record in records:
        if record.kind == CLAIM and (record.state in states or not record.release_requested):
            _take_back(record, states)
    if force:
        for record in records:
            if record.kind == INSTANCE:
                destroy(record)
        return
    asked = [r for r in records if r.kind == INSTANCE and r.state != DESTROYING]
    if len(asked) > 1:
        asked = [] if mark.to_be_destroyed_together(asked) else _there(parts)
    for record in asked:
        if record.kind == INSTANCE and record.state != DESTROYING:
            mark.to_be_destroyed(record)


def _is_silent(of_tree: Part, records: Sequence[Record]) -> bool:
    """Whether somebody is asked who was declared silent: then nobody waits for an answer."""
    asked = any(r.kind == CLAIM and r.state not in NOT_STARTED for r in records)
    return asked and of_tree.root_id in silent_among(Home(of_tree.cell, of_tree.datacenter), [of_tree.root_id])


def _there(parts: Sequence[Part]) -> list[Record]:
    return [record for record in records_of(parts) if record is not None]


def _take_back(record: Record, states: Sequence[str]) -> None:
    result = release(record, states)
    if isinstance(result, Not) and result.record is not None and result.record.kind == CLAIM:
        mark.to_be_released(result.record)


def _stretches(parts: Sequence[Part]) -> list[Sequence[Part]]:
    return [parts[begin : begin + AT_ONCE] for begin in range(0, len(parts), AT_ONCE)]


def finish_release(row: RequestRow) -> RequestRow:
    """Ends the request when nothing of it is left. What is gone of it leaves the request's group."""
    grouped = group_of(row) is not None
    if row.state != RELEASING and not grouped:
        return row
    parts = parts_of(row)
    if grouped:
        there = {r.id for r in records_of(parts) if r is not None and r.kind in (CLAIM, INSTANCE)}
        leave(row, [part.claim_id for part in parts if part.claim_id not in there])
    if row.state != RELEASING or (there if grouped else _is_any_left(parts)):
        return row
    moved = move(row, FAILED if row.ends_as == FAILED else RELEASED)
    if moved is None:
        return get(row.request_id)
    tell(moved, moved.state, moved.reason)
    remember(moved, moved.state, "conductor", moved.reason)
    return moved


def _is_any_left(parts: Sequence[Part]) -> bool:
    """Looks at one provider, at two more, at four: each host that is done asks this, and mostly others are not."""
    by_provider: dict[UUID, list[Part]] = {}
    for part in parts:
        by_provider.setdefault(part.provider_id, []).append(part)
    groups = list(by_provider.values())
    random.shuffle(groups)
    size = 1
    while groups:
        some, groups = [part for group in groups[:size] for part in group], groups[size:]
        if any(r is not None and r.kind in (CLAIM, INSTANCE) for r in records_of(some)):
            return True
        size *= 2
    return False


def _soon() -> dt.datetime:
    return dt.datetime.now(dt.UTC) + dt.timedelta(seconds=settings.REQUEST_LEASE)

"""Tries to claim what a plan names: each tree by one transaction, down the alternates of whoever lost."""

import datetime as dt
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from claims.lookups import forget, write_before
from claims.settle import close
from claims.take import take
from claims.types import CLAIMED, HELD, Closed, Lost, Member, Order, Taken, Unsettled, claim_id
from conductor.measures import ALTERNATE, note_try
from conductor.rows import RequestRow, find
from conductor.side_by_side import in_chunks, side_by_side
from conductor.types import Part, Plan, PlannedMember, Try
from events.types import CLAIM_REFUSED, News
from providers.heartbeat import note_conflict
from providers.projection import project_soon
from providers.records import Location, candidate_of
from scheduler.filters import BY_NAME
from scheduler.fits import fits
from scheduler.types import Resource
from store.home import Home

AGAIN = 3  # claims at once on a host whose state changed but which still fits


@dataclass(frozen=True, slots=True)
class Attempted:
    """The parts that were claimed, the members that found no place, and how many transactions that took.
    `taken_over`: somebody else closed an id of this plan, so the request is theirs now."""

    parts: tuple[Part, ...]
    without: tuple[PlannedMember, ...]
    attempts: int
    taken_over: bool = False


@dataclass(frozen=True, slots=True)
class _Tried:
    won: bool
    attempts: int
    taken_over: bool = False


def barred(plan: Plan) -> Attempted:
    """No try at all: the request's group got members meanwhile that keep it from a place of this plan."""
    return Attempted((), plan.members, 0)


def attempt_plan(row: RequestRow, plan: Plan, until: float, exactly: bool = False) -> Attempted:
    """Claims all of the plan's members, or as many as find a place before `until` (time.monotonic()). `exactly`: on
    providers in the state that the plan names, or not at all; it ends at the first that is lost."""
    parts: list[Part] = []
    without: list[PlannedMember] = []
    attempts = 0
    for groups in in_chunks(_by_tree(plan)):
        if time.monotonic() > until:
            without += [member for group in groups for member in group]
            continue
        firsts = [[(member, 0) for member in group] for group in groups]
        write_before([_order(row, plan, members, {}) for members in firsts])
        tries = side_by_side(lambda members: _first(row, plan, members, until, exactly), firsts)
        attempts += sum(tried.attempts for tried in tries)
        for group, tried in zip(groups, tries, strict=True):
            parts += [_part(row, member, 0) for member in group] if tried.won else []
        if any(tried.taken_over for tried in tries):
            return Attempted(tuple(parts), tuple(without), attempts, taken_over=True)
        for group in (group for group, tried in zip(groups, tries, strict=True) if not tried.won):
            if exactly:
                return Attempted(tuple(parts), tuple(group), attempts)
            if len(plan.members) > 1 and not plan.holds:
                without += group  # one tree was to take all: only a new plan may spread them
                continue
            for member in group:
                found, more, over = _down_the_alternates(row, plan, member, until, first=1 if len(group) == 1 else 0)
                attempts += more
                if over:
                    return Attempted(tuple(parts), tuple(without), attempts, taken_over=True)
                if found is None:
                    without.append(member)
                else:
                    parts.append(found)
    return Attempted(tuple(parts), tuple(without), attempts)


def _first(
    row: RequestRow, plan: Plan, members: Sequence[tuple[PlannedMember, int]], until: float, exactly: bool
) -> _Tried:
    """Its claims are findable already."""
    if time.monotonic() > until:
        return _Tried(False, 0)
    return _claim(row, plan, members, until, exactly, findable=True)


def _down_the_alternates(
    row: RequestRow, plan: Plan, member: PlannedMember, until: float, first: int
) -> tuple[Part | None, int, bool]:
    attempts = 0
    for number in range(first, len(member.tries)):
        if time.monotonic() > until:
            break
        tried = _claim(row, plan, [(member, number)], until)
        attempts += tried.attempts
        if tried.taken_over:
            return None, attempts, True
        if tried.won:
            return _part(row, member, number), attempts, False
    return None, attempts, False


def _claim(
    row: RequestRow,
    plan: Plan,
    members: Sequence[tuple[PlannedMember, int]],
    until: float,
    exactly: bool = False,
    findable: bool = False,
) -> _Tried:
    """One tree: claims, and again at once while the fresh record still fits (its state changed, not its room)."""
    versions: dict[Any, tuple[int, int]] = {}
    attempts = 0
    while attempts < AGAIN:
        # After the fresh state versions were read, not before: closed ids go when these are bumped (claims/closed.py).
        if attempts and not _is_still_ours(row):
            return _Tried(False, attempts, taken_over=True)
        attempts += 1
        order = _order(row, plan, members, versions)
        # What is committed by this very transaction is told with the commit.
        result = take(order, tell=plan.holds, findable=findable and attempts == 1)
        _measure(result, order)
        match result:
            case Taken():
                ALTERNATE.observe(members[0][1])
                return _Tried(True, attempts)
            case Closed():
                return _closed(row, attempts)
            case Unsettled():
                return _settled(row, order, attempts, until)
            case Lost() as lost:
                versions = {} if exactly else _still_fitting(lost, members)
                if not versions:
                    forget(order.home, [m.claim_id for m in order.members])
                    # The decision saw room that is not there: repair its view.
                    project_soon(order.home, order.root_id, *(_refused(order, m) for m in order.members))
                    _note_conflict(lost, order)
                    return _Tried(False, attempts)
    return _Tried(False, attempts)


def _refused(order: Order, m: Member) -> News:
    data = {"consumer": order.consumer, "amounts": dict(m.amounts)}
    return News(CLAIM_REFUSED, m.provider_id, m.claim_id, order.request_id, data)


def _measure(result: Taken | Lost | Closed | Unsettled, order: Order) -> None:
    if not isinstance(result, Lost):
        note_try(type(result).__name__.lower(), refused=False)
        return
    now = {one: own.state_version for one, own in result.tree.providers.items()}
    is_as_decided = all(now.get(m.provider_id) == m.state_version for m in order.members)
    note_try("lost_room" if is_as_decided else "lost_state", refused=is_as_decided)


def _note_conflict(lost: Lost, order: Order) -> None:
    """Others are at this host too: for a while it is weighed lower (weigher `conflicts`)."""
    root = lost.tree.providers.get(order.root_id)
    if root is not None:
        note_conflict(Location(root.id, root.id, order.home, root.row["resource_class"], root.row["shard"]))


def _closed(row: RequestRow, attempts: int) -> _Tried:
    # Only a settler closes ids: this very process, for a try it gave up, or the conductor that took the request over.
    return _Tried(False, attempts, taken_over=not _is_still_ours(row))


def _is_still_ours(row: RequestRow) -> bool:
    now = find(row.request_id)
    # Not by version: of a request that is placed anew, hosts that stay report meanwhile.
    return now is not None and (now.state, now.epoch) == (row.state, row.epoch)


def _settled(row: RequestRow, order: Order, attempts: int, until: float) -> _Tried:
    """No answer: close the first member's id. A batch is applied whole or not at all, so it speaks for all of them."""
    first = order.members[0]
    record = close(order.home, order.root_id, first.provider_id, first.claim_id, order.request_id, until)
    # Whoever took the request over, or deletes it, may have released the claim before this saw it.
    return _Tried(record is not None, attempts, taken_over=record is None and not _is_still_ours(row))


def _still_fitting(lost: Lost, members: Sequence[tuple[PlannedMember, int]]) -> dict[Any, tuple[int, int]]:
    """Fresh state versions (provider's, root's) when every member still fits what the refusal showed, else {}."""
    versions = {}
    changed = False
    for member, number in members:
        place = member.tries[number]
        own = lost.tree.providers.get(place.provider_id)
        if own is None:
            return {}
        fresh = candidate_of(lost.tree, own)
        if fits(fresh, Resource(member.resource_class, member.amounts), [BY_NAME["state"], BY_NAME["capacity"]]):
            return {}
        versions[place.provider_id] = (fresh.state_version, fresh.root_state_version)
        changed |= versions[place.provider_id] != (place.state_version, place.root_state_version)
    return versions if changed else {}


def _order(
    row: RequestRow,
    plan: Plan,
    members: Sequence[tuple[PlannedMember, int]],
    versions: Mapping[Any, tuple[int, int]],
) -> Order:
    places = [(m, number, m.tries[number]) for m, number in members]
    first = places[0][2]
    agentless = all(t.agentless for m in plan.members for t in m.tries[:1]) and all(t.agentless for _, _, t in places)
    expires = None if agentless else dt.datetime.now(dt.UTC) + dt.timedelta(seconds=settings.CLAIM_DEADLINE)
    instance = row.body.get("instance")
    return Order(
        home=Home(first.cell, first.datacenter),
        root_id=first.root_id,
        root_state_version=versions.get(first.provider_id, (0, first.root_state_version))[1],
        request_id=row.request_id,
        epoch=row.epoch,
        consumer=row.consumer,
        project=row.project,
        members=tuple(
            Member(
                claim_id(row.request_id, row.epoch, m.number, number),
                m.number,
                place.provider_id,
                place.provider_name,
                m.resource_class,
                m.amounts,
                versions.get(place.provider_id, (place.state_version, 0))[0],
            )
            for m, number, place in places
        ),
        state=HELD if plan.holds else CLAIMED,
        expires_at=expires,
        instance=json.dumps(instance) if instance else None,
    )


def _by_tree(plan: Plan) -> list[list[PlannedMember]]:
    trees: dict[Any, list[PlannedMember]] = {}
    for member in plan.members:
        trees.setdefault(member.tries[0].root_id, []).append(member)
    return list(trees.values())


def _part(row: RequestRow, member: PlannedMember, number: int) -> Part:
    return part_of(row, member, number, member.tries[number])


def part_of(row: RequestRow, member: PlannedMember, number: int, place: Try) -> Part:
    """The part of the request that this try of this member is."""
    return Part(
        claim_id(row.request_id, row.epoch, member.number, number),
        member.number,
        place.provider_id,
        place.provider_name,
        place.root_id,
        place.cell,
        place.datacenter,
        member.resource_class,
        member.amounts,
        place.agentless,
    )

"""The commit point of a request, and its opposite.

On one tree the claim's own transaction is the commit. Over several trees each is held, then the request row is moved:
that is the commit; confirming the holds comes after it and anyone may do it.
"""

import contextlib
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from claims import mark
from claims.release import release
from claims.take import news_of
from claims.types import HELD
from conductor.attempt import Attempted, part_of
from conductor.membership import leave
from conductor.outcome import planned_ids, records_of
from conductor.rows import RequestRow, close_write, find, move
from conductor.side_by_side import in_chunks, side_by_side
from conductor.states import CLAIMED, FAILED, SCHEDULING
from conductor.texts import parts_json
from conductor.types import OVER, Explanation, Part, Plan
from events.append import Write, append
from events.types import CLAIM_TAKEN, PROVIDER_REPAIRED, REQUEST_STATE, News
from providers.cells import home_of
from providers.projection import project_later, project_now, project_soon, project_together
from providers.records import Record, Tree
from store.failures import StoreUnavailable
from store.home import Home

log = logging.getLogger("sched_portal.conductor")


@dataclass(frozen=True, slots=True)
class Committed:
    """The row after the commit, and the trees by id as they were read after it: all of them, or what could be read."""

    row: RequestRow
    trees: Mapping[UUID, Tree]


def commit(row: RequestRow, plan: Plan, tried: Attempted) -> Committed | None:
    """None when another owner moved the request meanwhile (then it is theirs to finish)."""
    if not plan.holds and not tried.without:
        tree = _tell_tree(row, tried.parts)
        return Committed(row, {tree.root_id: tree} if tree else {})
    moved = move(row, CLAIMED, members=parts_json(tried.parts), committed=True, attempts=tried.attempts)
    if moved is None:
        now = find(row.request_id, at_home=True)
        # Committed and moved on since: by our own first try, whose answer was lost. Then nothing is to be given back.
        live = {part.claim_id for part in now.parts if part.state not in OVER} if now else set()
        if now is None or not now.committed or not live.intersection(part.claim_id for part in tried.parts):
            abort(row, tried.parts)
        return None
    trees = confirm_own(moved, tried.parts)
    # The claims are made, whatever becomes of this: the conductor finds the request on the list and goes on.
    with contextlib.suppress(StoreUnavailable):
        append(home_of(row.cell), [_news(moved, CLAIMED)], _no_more_work(moved, tried.parts))
    return Committed(moved, trees)


def _tell_tree(row: RequestRow, parts: Sequence[Part]) -> Tree | None:
    """Projects the tree that has all claims, tells of them and of the request: one read and, mostly, one message."""
    home, root_id = Home(parts[0].cell, parts[0].datacenter), parts[0].root_id
    claims = [news_of(CLAIM_TAKEN, p.provider_id, p.claim_id, row.request_id, row.consumer, p.amounts) for p in parts]
    try:
        return project_now(home, root_id, *claims, _news(row, CLAIMED), others=_no_more_work(row, parts))
    except StoreUnavailable:
        project_soon(home, root_id, *claims, _news(row, CLAIMED))
        return None


def _no_more_work(row: RequestRow, parts: Sequence[Part]) -> list[Write]:
    # What has no agent waits for nothing but people: off the list of open work. (A release puts it back.)
    return [close_write(row)] if all(part.agentless for part in parts) else []


def confirm(parts: Sequence[Part]) -> None:
    """Turns committed holds into claims that agents see, a transaction a tree."""
    trees: dict[UUID, list[Record]] = {}
    for record in records_of(parts):
        if record is not None and record.state == HELD:
            trees.setdefault(record.root_id, []).append(record)
    for some in in_chunks(list(trees.values())):
        side_by_side(mark.confirm_together, some)


def confirm_own(row: RequestRow, parts: Sequence[Part]) -> dict[UUID, Tree]:
    """As `confirm`, by who has just held them all and so need not read them first; the trees as they are after it."""
    by_tree: dict[tuple[Home, UUID], list[Part]] = {}
    for part in parts:
        by_tree.setdefault((Home(part.cell, part.datacenter), part.root_id), []).append(part)
    for some in in_chunks(list(by_tree.values())):
        side_by_side(lambda of_tree: _confirm_tree(row, of_tree), some)
    try:
        return {tree.root_id: tree for tree in project_together(list(by_tree))}
    except Exception:  # they are confirmed, and will be projected
        log.warning("request %s: its claims are made, but not shown yet", row.request_id, exc_info=True)
        return {}


def _confirm_tree(row: RequestRow, parts: Sequence[Part]) -> None:
    home, root_id = Home(parts[0].cell, parts[0].datacenter), parts[0].root_id
    if mark.confirm_held(home, root_id, [(part.provider_id, part.claim_id) for part in parts]):
        news = [mark.confirmed(part.provider_id, part.claim_id, row.request_id) for part in parts]
    else:  # somebody else did, or our own first try, whose answer was lost: then nobody has told it
        confirm(parts)
        news = [News(PROVIDER_REPAIRED, provider_id) for provider_id in {part.provider_id for part in parts}]
    project_later(home, root_id, *news)


def abort(row: RequestRow, parts: Sequence[Part]) -> None:
    """Gives back what this plan had held, its places in a group too. Only holds of this plan: claims that another owner
    committed are theirs."""
    for record in records_of(parts):
        if record is not None and record.state == HELD:
            release(record, (HELD,))
    leave(row, planned_ids(row))


def give_up_holds(row: RequestRow) -> None:
    """What a plan that was not committed still holds. Only of a row that had ended, or was moved to its end by who
    calls: nobody claims under these ids any more."""
    if row.plan is not None and row.plan.holds and not row.committed:
        abort(row, [part_of(row, m, n, t) for m in row.plan.members for n, t in enumerate(m.tries)])


def refuse(row: RequestRow, reason: str, response: Mapping[str, Any]) -> bool:
    """Ends a request that could not be placed; False when another owner moved it meanwhile."""
    if row.state != SCHEDULING:
        return False
    moved = move(row, FAILED, reason=reason, response=json.dumps(response, separators=(",", ":")))
    if moved is None:
        return False
    tell(moved, FAILED, reason)
    return True


def tell(row: RequestRow, state: str, reason: str = "") -> None:
    """Tells the request's cell that it is in this state now."""
    append(home_of(row.cell), [_news(row, state, reason)])


def tell_refused(row: RequestRow, explanation: Explanation | None) -> None:
    """Tells that nothing fits, and which filter let none through."""
    last = next((stage for stage in explanation.funnel if not stage.left), None) if explanation else None
    with contextlib.suppress(StoreUnavailable):  # it is refused all the same, and written down
        append(home_of(row.cell), [_news(row, row.state, row.reason, last.stage if last else "")])


def _news(row: RequestRow, state: str, reason: str = "", stage: str = "") -> News:
    data = {"state": state, "reason": reason, "consumer": row.consumer, "project": row.project}
    if stage:
        data["stage"] = stage
    return News(REQUEST_STATE, request_id=row.request_id, data=data)

"""Takes claims: one transaction per provider tree, no read before it and no retry loop in it.

Refused only when the provider really has not enough or its state changed, never because another claim came first. The
same claim id twice is refused and shows the claim that is there, so a repeated take claims exactly once. What several
requests of this process want of one tree at the same time goes into one transaction (claims/together.py).
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID, uuid4

from django.conf import settings

from claims.capacity import Shift, bump, needs_tree, negative, root_unchanged, summed, table, take_room
from claims.lookups import write_before
from claims.overtaken import tries
from claims.together import Together
from claims.types import HELD, Closed, Lost, Member, Order, Taken, Unsettled
from events.types import CLAIM_HELD, CLAIM_TAKEN, News
from providers.projection import project_later, project_soon
from providers.records import CLAIM, CLOSED, Tree, read_tree, tree_of
from providers.resource_classes.registry import resource_class
from store.failures import StoreUnavailable
from store.lwt import Applied, Outcome, Refused, Row, Statement, Unknown, run

ROWS = 64  # of a batch that several requests share


def take(order: Order, tell: bool = True, findable: bool = False) -> Taken | Lost | Closed | Unsettled:
    """Claims all of the order's members, or none. Raises StoreUnavailable when it certainly was not run.

    `tell` projects and tells it in the background; else the caller does, together with what it has to tell itself.
    `findable`: the caller has made the claims so (`lookups.write_before`).
    """
    if not findable:
        write_before([order])
    if needs_tree([m.resource_class for m in order.members]):
        result = _take_counted(order)
    else:
        result = _at_once.do((order.home, order.root_id), order)
    if isinstance(result, Taken) and tell:
        held = order.state == HELD
        news = [_news(CLAIM_HELD if held else CLAIM_TAKEN, order, m) for m in order.members]
        # What is held is confirmed or given back in a moment, and shown with that.
        (project_later if held else project_soon)(order.home, order.root_id, *news)
    return result


def news_of(
    kind: str, provider_id: UUID, claim_id: UUID, request_id: UUID, consumer: str, amounts: Mapping[str, int]
) -> News:
    """What is told of one claim; amounts are positive."""
    return News(kind, provider_id, claim_id, request_id, {"consumer": consumer, "amounts": dict(amounts)})


def _news(kind: str, order: Order, m: Member) -> News:
    return news_of(kind, m.provider_id, m.claim_id, order.request_id, order.consumer, m.amounts)


def _take_counted(order: Order) -> Taken | Lost | Closed | Unsettled:
    """For maps, whose claims are under `IF generation = ?` and lose to each other: read, compare, and claim if nothing
    happened since."""
    result: Taken | Lost | Closed | Unsettled = Unsettled("not run yet")
    for _ in tries():
        tree = read_tree(order.home, order.root_id)
        earlier = _earlier(order, {record.id: record.kind for record in tree.records})
        if earlier is not None:  # before the room, which this very claim may have taken
            return earlier
        if not all(m.provider_id in tree.providers for m in order.members) or not _has_room([order], tree):
            return Lost(tree)
        result = _told(order, run(statements([order], tree), order.home.datacenter, "claims.take"))
        if not isinstance(result, Lost) or result.tree.generation == tree.generation:
            return result
    return result


def _has_room(orders: Sequence[Order], tree: Tree) -> bool:
    return all(
        tree.providers[shift.provider_id].available.get(name, 0) + amount >= 0
        for shift in _shifts(orders)
        for name, amount in shift.available.items()
    )


def _run_several(orders: Sequence[Order]) -> list[Taken | Lost | Closed | Unsettled]:
    """Of one tree. A refused batch is split: out goes whoever the rows that it shows refuse alone; of the others as
    many as have room together go first, then the rest."""
    found: dict[int, Taken | Lost | Closed | Unsettled] = {}
    groups = [list(range(len(orders)))]
    while groups:
        now = groups.pop()
        some = [orders[index] for index in now]
        try:
            outcome = run(statements(some), some[0].home.datacenter, "claims.take")
        except StoreUnavailable as error:
            if len(now) == len(orders):  # nothing was run for anybody
                raise
            outcome = Unknown(str(error))
        if isinstance(outcome, Refused) and len(now) > 1:
            refused = {index: _refused_alone(orders[index], outcome.rows) for index in now}
            found |= {index: result for index, result in refused.items() if result is not None}
            left = [index for index in now if refused[index] is None]
            first = _with_room_together(orders, left, _tree(some[0], outcome.rows))
            if first == now:  # what kept it from them is gone again
                first = now[: len(now) // 2]
            groups += [few for few in ([index for index in left if index not in first], first) if few]
        else:
            found |= {index: _told(orders[index], outcome) for index in now}
    return [found[index] for index in range(len(orders))]


def _told(order: Order, outcome: Outcome) -> Taken | Lost | Closed | Unsettled:
    match outcome:
        case Applied():
            return Taken()
        case Refused() as refused:
            return _why(order, refused.rows)
        case Unknown(error):
            return Unsettled(error)


def _refused_alone(order: Order, rows: Sequence[Row]) -> Taken | Lost | Closed | None:
    """What these rows, which a batch with others showed, say to this order; None: it might do alone."""
    tree = _tree(order, rows)
    versions = {provider_id: own.state_version for provider_id, own in tree.providers.items()}
    is_as_decided = all(versions.get(m.provider_id) == m.state_version for m in order.members)
    if tree.root_id not in {m.provider_id for m in order.members}:
        is_as_decided &= versions.get(tree.root_id) == order.root_state_version
    result = _why(order, rows)
    return None if isinstance(result, Lost) and is_as_decided and _has_room([order], tree) else result


def _with_room_together(orders: Sequence[Order], indexes: Sequence[int], tree: Tree) -> list[int]:
    first: list[int] = []
    for index in indexes:
        if _has_room([orders[one] for one in (*first, index)], tree):
            first.append(index)
    return first


def statements(orders: Sequence[Order], tree: Tree | None = None) -> list[Statement]:
    """The batch: amounts off each provider's own row, a row per claim, the generation. All orders are for one tree."""
    home, root_id = orders[0].home, orders[0].root_id
    members = [(order, member) for order in orders for member in order.members]
    versions = {member.provider_id: member.state_version for _, member in members}
    batch = [take_room(home, root_id, shift, versions[shift.provider_id], tree) for shift in _shifts(orders)]
    if root_id not in versions:
        batch.append(root_unchanged(home, root_id, orders[0].root_state_version, uuid4()))
    now = dt.datetime.now(dt.UTC)
    batch += [_insert(order, member, now) for order, member in members]
    batch.append(bump(home, root_id, tree))
    return batch


def _may_join(orders: Sequence[Order], other: Order) -> bool:
    """Whether one batch can say what they all insist on: the same state of every provider, and no id twice; and is not
    too large for that."""
    if sum(len(one.members) for one in (*orders, other)) > ROWS:
        return False
    versions = {m.provider_id: m.state_version for one in orders for m in one.members}
    ids = {m.claim_id for one in orders for m in one.members}
    return orders[0].root_state_version == other.root_state_version and all(
        versions.get(m.provider_id, m.state_version) == m.state_version and m.claim_id not in ids for m in other.members
    )


def _shifts(orders: Sequence[Order]) -> list[Shift]:
    members = [member for order in orders for member in order.members]
    return summed([Shift(m.provider_id, m.resource_class, {}, negative(m.amounts)) for m in members])


def _insert(order: Order, member: Member, now: dt.datetime) -> Statement:
    amounts = negative(member.amounts)
    columns: dict[str, Any] = {
        "root_id": order.root_id,
        "provider_id": member.provider_id,
        "record_id": member.claim_id,
        "kind": CLAIM,
        "state": order.state,
        "cell": order.home.cell,
        "resource_class": member.resource_class,
        "name": member.provider_name,
        "request_id": order.request_id,
        "epoch": order.epoch,
        "member": member.number,
        "consumer": order.consumer,
        "project": order.project,
        "created_at": now,
        "expires_at": order.expires_at,
        "release_requested": False,
        "instance": order.instance,
    }
    of_class = resource_class(member.resource_class)
    if of_class.custom:
        columns["own_amounts"] = amounts
    else:
        columns |= {name: amounts.get(name, 0) for name in of_class.amounts}
    cql = (
        f"INSERT INTO {table(order.home)} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))}) IF NOT EXISTS"
    )
    return Statement(cql, list(columns.values()))


def _earlier(order: Order, kinds: Mapping[UUID, str]) -> Taken | Closed | None:
    """What came of an earlier try of this very order, by the kinds of the records that are there."""
    ours = [kinds[m.claim_id] for m in order.members if m.claim_id in kinds]
    if CLOSED in ours:
        return Closed()
    return Taken() if ours else None  # a claim, or the instance it became


def _why(order: Order, rows: Sequence[Row]) -> Taken | Lost | Closed:
    tree = _tree(order, rows)
    return _earlier(order, {row["record_id"]: row["kind"] for row in rows if row["kind"]}) or Lost(tree)


def _tree(order: Order, rows: Sequence[Row]) -> Tree:
    return tree_of(order.home, order.root_id, [dict(row) for row in rows if row["kind"]])


_at_once: Together[Order, Taken | Lost | Closed | Unsettled] = Together(
    _run_several, _may_join, lambda: settings.CLAIMS_TOGETHER
)

"""Gives room back: `release` a claim that was not built, `destroy` an instance that is gone. Twice changes nothing.

The record's id stays for a while, closed and without amounts: were it gone, a late duplicate of the transaction that
took it (a coordinator that was paused) would find the id free and claim it again (docs/adr/0012).
"""

from collections.abc import Mapping, Sequence

from claims.capacity import Shift, bump, closed, closed_until, give_room, needs_tree, summed, table
from claims.closed import thin_out
from claims.lookups import expire_ids, put_on_list
from claims.repeat import as_it_is, repeat
from claims.types import ACTIVE, BUILDING, CLAIMED, DESTROYING, HELD, NOTIFIED, RELEASED, Already, Done, Not
from events.types import CLAIM_RELEASED, INSTANCE_DESTROYED, News
from providers.projection import project_now
from providers.records import CLAIM, CLOSED, INSTANCE, Record, Tree
from store.lwt import Applied, Statement

NOT_STARTED = (HELD, CLAIMED, ACTIVE)  # no host is at work on it; `active` claims have no agent
ANY = (HELD, CLAIMED, NOTIFIED, BUILDING, ACTIVE)  # with the host's word, or after its declared death


def release(record: Record, states: Sequence[str] = NOT_STARTED, why: str = CLAIM_RELEASED) -> Done | Already | Not:
    """Closes the claim if it is in one of `states`, and gives its amounts back to what is available.

    `Not(record)` when it is being built (then its host must say so first) or was consumed. Raises Undecided.
    """
    if record.kind != CLAIM:  # an instance and a closed id have no amounts of a claim's to give back
        return Already() if record.kind == CLOSED else Not(record)
    back = {name: -amount for name, amount in record.amounts.items()}
    return _close("claims.release", record, states, {}, back, why)


def release_together(records: Sequence[Record], states: Sequence[str] = NOT_STARTED) -> bool:
    """Releases claims of one tree in one transaction. False: one of them is none any more, or is in no such state; then
    nothing was done. Raises Undecided."""
    home, root_id = records[0].home, records[0].root_id
    back = [
        Shift(r.provider_id, r.resource_class, {}, {n: -amount for n, amount in r.amounts.items()}) for r in records
    ]
    closing = [_closing(record, states) for record in records]

    def build(tree: Tree | None) -> list[Statement]:
        room = [give_room(home, root_id, shift, tree) for shift in summed(back)]
        return [*closing, *room, bump(home, root_id, tree)]

    read_first = needs_tree([record.resource_class for record in records])
    if not isinstance(repeat("claims.release", home, root_id, build, read_first), Applied):
        return False
    tree = project_now(home, root_id, *(_news(CLAIM_RELEASED, record) for record in records))
    expire_ids(records)
    thin_out(tree)
    return True


def destroy(record: Record) -> Done | Already | Not:
    """Closes the instance and gives its amounts back, on the provider's own record and on what is available."""
    if record.kind != INSTANCE:  # read before it was consumed: only the instance says what it gives back
        now = as_it_is(record)
        if now is None or now.kind != INSTANCE:
            return Already() if now is None or now.kind == CLOSED else Not(now)
        record = now
    put_on_list(record.home, record.root_id, record.provider_id, record.id, record.request_id)
    back = record.gives_back
    return _close("claims.destroy", record, (ACTIVE, DESTROYING), back, back, INSTANCE_DESTROYED)


def _close(
    name: str,
    record: Record,
    states: Sequence[str],
    own: Mapping[str, int],
    available: Mapping[str, int],
    why: str,
) -> Done | Already | Not:
    shift = Shift(record.provider_id, record.resource_class, own, available)
    update = _closing(record, states)

    def build(tree: Tree | None) -> list[Statement]:
        room = give_room(record.home, record.root_id, shift, tree)
        return [update, room, bump(record.home, record.root_id, tree)]

    outcome = repeat(name, record.home, record.root_id, build, needs_tree([record.resource_class]))
    now = None if isinstance(outcome, Applied) else as_it_is(record)
    if now is not None and now.kind != CLOSED:
        return Not(now)
    # Also after a repetition that changed nothing: the one before may have died before it told anyone.
    news = [_news(why, record)] if isinstance(outcome, Applied) else []
    tree = project_now(record.home, record.root_id, *news)
    expire_ids([record])
    thin_out(tree)
    return Done() if isinstance(outcome, Applied) else Already()


def _closing(record: Record, states: Sequence[str]) -> Statement:
    cql = (
        f"UPDATE {table(record.home)} SET {closed(record.resource_class)}, state = ?, expires_at = ? "
        "WHERE root_id = ? AND provider_id = ? AND record_id = ? "
        f"IF kind = ? AND state IN ({', '.join('?' * len(states))})"
    )
    key = [record.root_id, record.provider_id, record.id]
    return Statement(cql, [RELEASED, closed_until(), *key, record.kind, *states])


def _news(why: str, record: Record) -> News:
    return News(why, record.provider_id, record.id, record.request_id, {"consumer": record.consumer})

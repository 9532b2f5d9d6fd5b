"""Moves one record from one state to another, without touching amounts: building, to be released, confirmed."""

from collections.abc import Callable, Sequence
from uuid import UUID

from claims.capacity import bump, table
from claims.repeat import as_it_is, repeat
from claims.types import ACTIVE, BUILDING, CLAIMED, DESTROYING, HELD, NOTIFIED, Already, Done, Not
from events.types import CLAIM_BUILDING, CLAIM_CHANGED, CLAIM_TAKEN, News
from providers.projection import project_soon
from providers.records import CLAIM, INSTANCE, Record
from store.home import Home
from store.lwt import Applied, Statement


def building(record: Record) -> Done | Already | Not:
    """The host starts to build. From here on a release waits for the host's word."""
    return _move("claims.building", record, CLAIM, (CLAIMED, NOTIFIED), BUILDING, CLAIM_BUILDING, only_if_wanted=True)


def confirm(record: Record) -> Done | Already | Not:
    """A hold whose request row is committed becomes a claim."""
    return _move("claims.confirm", record, CLAIM, (HELD,), CLAIMED, CLAIM_TAKEN)


def confirm_together(records: Sequence[Record]) -> None:
    """Confirms holds of one tree in one transaction; one by one when some of them had been confirmed before."""
    home, root_id = records[0].home, records[0].root_id
    if len(records) > 1 and confirm_held(home, root_id, [(r.provider_id, r.id) for r in records]):
        project_soon(home, root_id, *(confirmed(r.provider_id, r.id, r.request_id) for r in records))
        return
    for record in records:
        confirm(record)


def confirm_held(home: Home, root_id: UUID, claims: Sequence[tuple[UUID, UUID]]) -> bool:
    """Confirms these (provider id, claim id) of one tree, all of them or none, and tells nobody. False: not all of them
    are holds any more. Raises Undecided, StoreUnavailable."""
    return _all_or_none("claims.confirm", home, root_id, claims, CLAIM, HELD, CLAIMED)


def confirmed(provider_id: UUID, claim_id: UUID, request_id: UUID) -> News:
    """What is told of a hold that became a claim."""
    return News(CLAIM_TAKEN, provider_id, claim_id, request_id, {"state": CLAIMED})


def active(record: Record) -> Done | Already | Not:
    """A claim without an agent becomes active with its request; it stays a claim until it is released."""
    return _move("claims.active", record, CLAIM, (HELD, CLAIMED, NOTIFIED), ACTIVE)


def to_be_destroyed(record: Record) -> Done | Already | Not:
    """The instance's request was deleted: its agent is to destroy it."""
    return _move("claims.to_be_destroyed", record, INSTANCE, (ACTIVE,), DESTROYING)


def to_be_destroyed_together(records: Sequence[Record]) -> bool:
    """As `to_be_destroyed`, instances of one tree in one transaction. False: not all of them are active; then nothing
    was done."""
    home, root_id = records[0].home, records[0].root_id
    ids = [(record.provider_id, record.id) for record in records]
    if not _all_or_none("claims.to_be_destroyed", home, root_id, ids, INSTANCE, ACTIVE, DESTROYING):
        return False
    project_soon(
        home, root_id, *(News(CLAIM_CHANGED, r.provider_id, r.id, r.request_id, {"state": DESTROYING}) for r in records)
    )
    return True


def to_be_released(record: Record) -> Done | Already | Not:
    """A claim that is being built is asked back: its agent is to stop and to say so."""
    condition = f"kind = '{CLAIM}' AND state = ? AND release_requested = false"
    statement = _update(record, "release_requested = true", [], condition, [BUILDING])
    return _run("claims.to_be_released", record, statement, BUILDING, CLAIM_CHANGED, _is_asked_back)


def _all_or_none(
    name: str, home: Home, root_id: UUID, ids: Sequence[tuple[UUID, UUID]], kind: str, source: str, target: str
) -> bool:
    """Moves records (provider id, record id) of one tree from one state to another in one transaction."""
    cql = (
        f"UPDATE {table(home)} SET state = ? WHERE root_id = ? AND provider_id = ? AND record_id = ? "
        f"IF kind = '{kind}' AND state = ?"
    )
    batch = [Statement(cql, [target, root_id, provider_id, record_id, source]) for provider_id, record_id in ids]
    batch.append(bump(home, root_id))
    return isinstance(repeat(name, home, root_id, lambda _: batch, read_first=False), Applied)


def _is_asked_back(now: Record) -> bool:
    return now.kind == CLAIM and now.state == BUILDING and now.release_requested


def _move(
    name: str,
    record: Record,
    kind: str,
    source: Sequence[str],
    target: str,
    told: str = CLAIM_CHANGED,
    only_if_wanted: bool = False,
) -> Done | Already | Not:
    condition = f"kind = '{kind}' AND state IN ({', '.join('?' * len(source))})"
    if only_if_wanted:
        condition += " AND release_requested = false"
    statement = _update(record, "state = ?", [target], condition, source)

    def done(now: Record) -> bool:
        return now.kind == kind and now.state == target and not (only_if_wanted and now.release_requested)

    return _run(name, record, statement, target, told, done)


def _update(record: Record, assignment: str, values: list[str], condition: str, needed: Sequence[str]) -> Statement:
    cql = (
        f"UPDATE {table(record.home)} SET {assignment} "
        f"WHERE root_id = ? AND provider_id = ? AND record_id = ? IF {condition}"
    )
    return Statement(cql, [*values, record.root_id, record.provider_id, record.id, *needed])


def _run(
    name: str, record: Record, statement: Statement, target: str, told: str, done: Callable[[Record], bool]
) -> Done | Already | Not:
    batch = [statement, bump(record.home, record.root_id)]
    outcome = repeat(name, record.home, record.root_id, lambda _: batch, read_first=False)
    if isinstance(outcome, Applied):
        news = News(told, record.provider_id, record.id, record.request_id, {"state": target})
        project_soon(record.home, record.root_id, news)
        return Done()
    now = as_it_is(record)
    return Already() if now is not None and done(now) else Not(now)

"""Finishes what others began: finds open work by bounded queries, and brings each request to an end.

Any number of conductors may run: each step is a transaction that one of them wins, and repeating it changes nothing.
"""

import datetime as dt
import logging
from collections.abc import Iterator
from uuid import UUID

from django.conf import settings

from claims.types import HELD
from conductor.activate import finish_active
from conductor.attempt import part_of
from conductor.commit import abort, confirm, refuse
from conductor.outcome import parts_of, records_of
from conductor.release import is_claimed, push, settle_plan, start_release
from conductor.rows import SLOTS, RequestRow, close_open, find, open_write, remember
from conductor.states import ACTIVE, CLAIMED, ENDED, FAILED, RELEASING, SCHEDULING
from events.types import PROVIDER_REPAIRED, News
from providers import cells
from providers.records import CLAIM, Location, Record
from providers.shards import all_shards
from providers.unprojected import project_location
from store.home import Home
from store.session import QUORUM, READ, keyspace, read, read_many, write, write_many

log = logging.getLogger("sched_portal.conductor")

OPEN_A_SLOT = 500  # open requests looked at per slot and tick; the rest are for the next tick
FORGOTTEN = dt.timedelta(minutes=10)  # after that, a request whose row never came will not come


def recover_cell(home: Home) -> int:
    """One look at a cell's open work; returns how many requests were moved on."""
    moved = 0
    for request_id, due_at in _due(home):
        try:
            moved += recover(home, request_id, due_at)
        except Exception:  # one request must not keep the others waiting
            log.exception("request %s could not be moved on; it stays open", request_id)
    return moved


def recover(home: Home, request_id: UUID, due_at: dt.datetime) -> bool:
    """Does what is due for one request. True when something was done."""
    row = find(request_id)
    if row is None:
        if _now() - due_at > FORGOTTEN:
            _forget(home, request_id)
        return False
    if row.state in ENDED:
        close_open(row)
        return False
    if row.state == SCHEDULING:
        return _finish_scheduling(row)
    if row.state == RELEASING:
        after = push(row)
        _look_again(after)
        return after.state != row.state
    if row.state == ACTIVE:
        finish_active(row)
        return True
    return _finish_claimed(row)


def _finish_scheduling(row: RequestRow) -> bool:
    """Its process died, or its claim waits for the host. Unless all is claimed, every planned id is settled by a write
    first, so that a process that was only paused can claim no more."""
    if row.lease_until is not None and row.lease_until > _now():
        return False
    if is_claimed(row):
        return _finish_claimed(row)
    settle_plan(row)
    if is_claimed(row):
        return _finish_claimed(row)
    if row.plan is not None and row.plan.holds:
        return _give_up_holds(row)
    if refuse(row, "interrupted", {"attempts": row.attempts}):
        remember(row, FAILED, "conductor", "its portal process ended before it was placed; nothing is claimed")
    return True


def _give_up_holds(row: RequestRow) -> bool:
    """Holds that were never committed go back; the row is moved first, so that they cannot be committed any more."""
    if not refuse(row, "interrupted", {"attempts": row.attempts}):
        return False
    plan = row.plan
    assert plan is not None
    abort(row, [part_of(row, m, n, t) for m in plan.members for n, t in enumerate(m.tries)])
    remember(row, FAILED, "conductor", "its portal process ended before it was committed; its holds were given back")
    return True


def _finish_claimed(row: RequestRow) -> bool:
    parts = parts_of(row)
    records = [r for r in records_of(parts) if r is not None]
    if any(r.state == HELD for r in records) and row.committed:
        confirm(parts)
    expired = _expired(records)
    if expired:
        names = ", ".join(r.provider_name for r in expired)
        why = f"no word from {names} within {settings.CLAIM_DEADLINE:.0f} s"
        only = None if row.body.get("all_or_nothing", True) else [r.id for r in expired]
        after = start_release(row, FAILED, why, only, states=(SCHEDULING, CLAIMED))
        remember(after, after.state, "conductor", why)
        push(after)
        return True
    if all(p.agentless for p in parts):
        close_open(row)
    else:
        _look_again(row, _next_deadline(records))
    return False


def _expired(records: list[Record]) -> list[Record]:
    """Claims whose hosts said nothing in time. Clocks cost time here, never safety: the row is moved by transaction."""
    now = _now()
    return [r for r in records if r.kind == CLAIM and r.expires_at is not None and r.expires_at < now]


def _next_deadline(records: list[Record]) -> dt.datetime:
    deadlines = [r.expires_at for r in records if r.kind == CLAIM and r.expires_at is not None]
    return min(deadlines, default=_now() + dt.timedelta(seconds=settings.REQUEST_LEASE))


def _look_again(row: RequestRow, at: dt.datetime | None = None) -> None:
    if row.state not in ENDED:
        write_many([open_write(row.home, row.request_id, at or _now() + dt.timedelta(seconds=5))])


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def _due(home: Home) -> Iterator[tuple[UUID, dt.datetime]]:
    cql = (
        f"SELECT request_id, due_at FROM {keyspace(home.datacenter)}.open_requests "
        # Filtering inside one slot's partition: what is open of one cell, sixteen ways.
        "WHERE cell = ? AND slot = ? AND due_at < ? LIMIT ? ALLOW FILTERING"
    )
    now = _now()
    pages = read_many((cql, [home.cell, slot, now, OPEN_A_SLOT]) for slot in range(SLOTS))
    for rows in pages:
        for row in rows:
            yield row["request_id"], row["due_at"].replace(tzinfo=dt.UTC)


def _forget(home: Home, request_id: UUID) -> None:
    cql = f"DELETE FROM {keyspace(home.datacenter)}.open_requests WHERE cell = ? AND slot = ? AND request_id = ?"
    write(cql, [home.cell, request_id.int % SLOTS, request_id])


def sweep_shard(home: Home, resource_class: str, shard: int) -> int:
    """Repairs the projection of one shard: compares generations, projects what is behind. Returns how many."""
    space = keyspace(home.datacenter)
    rows = read(
        f"SELECT root_id, provider_id, generation FROM {space}.capacity "
        "WHERE cell = ? AND resource_class = ? AND shard = ?",
        [home.cell, resource_class, shard],
        QUORUM,
    )
    shown: dict[UUID, int] = {}  # the oldest generation that the shard shows of each tree
    for row in rows:
        shown[row["root_id"]] = min(shown.get(row["root_id"], row["generation"]), row["generation"])
    cql = f"SELECT generation FROM {space}.provider_records WHERE root_id = ? LIMIT 1"
    behind = []
    roots = list(shown)
    for found, root_id in zip(read_many(((cql, [root]) for root in roots), READ), roots, strict=True):
        if found and (found[0]["generation"] or 0) > shown[root_id]:
            behind.append(root_id)
    for root_id in behind:
        for row in (r for r in rows if r["root_id"] == root_id):
            location = Location(row["provider_id"], root_id, home, resource_class, shard)
            project_location(location, News(PROVIDER_REPAIRED, row["provider_id"]))
    return len(behind)


def shards_in_turn() -> Iterator[tuple[Home, str, int]]:
    """Every shard of every cell, for ever, one a call; ends only when there is none."""
    while True:
        nothing = True
        for cell in cells.all_cells():
            for resource_class, count in sorted(all_shards(cell.home).items()):
                for shard in range(count):
                    nothing = False
                    yield cell.home, resource_class, shard
        if nothing:
            return

"""Looks over everything of a cell in turn, a bounded stretch a call: what no list of open work names any more.

Projections that are behind their records, claims that their request does not know, ids that were closed long ago, and
entries of the list of claims that lead nowhere. Any number of conductors may do it at once.
"""

import datetime as dt
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

from claims import mark
from claims.closed import remove
from claims.find import Listed, list_page
from claims.lookups import forget
from claims.release import release
from claims.types import BUILDING, HELD, Done
from conductor.recover import recover
from conductor.rows import RequestRow, find
from conductor.states import ENDED, RELEASING
from conductor.types import OVER
from events.types import PROVIDER_REPAIRED, News
from providers import cells
from providers.records import CLAIM, CLOSED, Location, Record, read_tree
from providers.shards import all_shards
from providers.unprojected import project_location
from store.home import Home
from store.session import QUORUM, READ, keyspace, read, read_many

log = logging.getLogger("sched_portal.conductor")

A_PAGE = 200
LEADS_NOWHERE = dt.timedelta(minutes=10)  # an entry this old whose claim is not there: it will not come
YOUNG = dt.timedelta(seconds=60)  # a claim's own process is likely still at it


@dataclass
class Swept:
    """What one stretch came to."""

    looked_at: int = 0
    ghosts: int = 0
    closed: int = 0


def sweep_claims(home: Home, slot: int, after: UUID | None) -> tuple[Swept, UUID | None]:
    """One page of a cell's list of claims; where to go on, None at its end."""
    page = list_page(home, slot, after, A_PAGE)
    swept = Swept(len(page))
    now = dt.datetime.now(dt.UTC)
    forget(home, [one.claim_id for one in page if _leads_nowhere(one, now)])
    records = [one.record for one in page if one.record is not None]
    for root_id in {r.root_id for r in records if _is_over(r, now)}:
        # All of the tree: one that fell off the list (consumed and destroyed at once) goes with the next that did not.
        swept.closed += remove([r for r in read_tree(home, root_id).records if _is_over(r, now)])
    for record in records:
        if record.kind == CLAIM and (record.created_at is None or now - record.created_at > YOUNG):
            swept.ghosts += _settle_ghost(record)
    return swept, page[-1].claim_id if len(page) == A_PAGE else None


def _is_over(record: Record, now: dt.datetime) -> bool:
    return record.kind == CLOSED and (record.expires_at is None or record.expires_at < now)


def _leads_nowhere(one: Listed, now: dt.datetime) -> bool:
    there = one.record is not None and one.record.kind in (CLAIM, CLOSED)
    return not there and now - one.listed_at > LEADS_NOWHERE


def _settle_ghost(record: Record) -> bool:
    """A claim that its request does not know goes back; a hold that waits too long has its request decided first."""
    row = find(record.request_id, at_home=True)
    if row is not None and not is_strange(record, row):
        if record.state == HELD and record.expires_at and record.expires_at < dt.datetime.now(dt.UTC):
            recover(row.home, row.request_id, record.expires_at)
        return False
    # While it is being built its host is asked, and its word waited for.
    done = mark.to_be_released(record) if record.state == BUILDING else release(record)
    if not isinstance(done, Done):
        return False
    log.warning("claim %s on %s belongs to no request that is open: taken back", record.id, record.provider_name)
    return True


def is_strange(record: Record, row: RequestRow) -> bool:
    if row.state in ENDED:
        return True
    part = next((part for part in row.parts if part.claim_id == record.id), None)
    if part is None:  # a hold of a plan that was given up? Claims that agents see carry the epoch that was committed
        return record.epoch < row.epoch
    return part.state in OVER and row.state != RELEASING


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
    """Every shard of every cell once."""
    for cell in cells.all_cells():
        for resource_class, count in sorted(all_shards(cell.home).items()):
            for shard in range(count):
                yield cell.home, resource_class, shard

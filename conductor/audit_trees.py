"""The audit of provider trees: sums, projections, claims and instances against their requests, closed ids, and the
list that names claims."""

import datetime as dt
import time
from collections.abc import Iterator, Sequence
from functools import partial
from uuid import UUID

from django.conf import settings

from claims import mark
from claims.closed import remove
from claims.find import list_page
from claims.lookups import forget
from claims.release import destroy, release
from claims.types import DESTROYING, HELD, Not
from conductor.audit_requests import bring_on
from conductor.finding import (
    CLOSED_ID,
    EXPIRED_CLAIM,
    EXPIRED_HOLD,
    LIST_ENTRY,
    LONG,
    ORPHAN_CLAIM,
    ORPHAN_INSTANCE,
    OVERDUE,
    STALE,
    STRANDED,
    SUM,
    YOUNG,
    Finding,
    Stretch,
)
from conductor.outcome import parts_of
from conductor.rows import RequestRow, find, find_many
from conductor.states import ENDED
from conductor.sweep import is_strange
from conductor.types import OVER
from events.types import PROVIDER_REPAIRED, News
from providers.projection import project_now
from providers.records import CLAIM, CLOSED, INSTANCE, Record, Tree, read_tree
from providers.silent import silent_among
from store.home import Home
from store.session import QUORUM, keyspace, read

A_PAGE = 200
LAG = 5.0  # seconds within which a projection comes
TREES = 32  # whose requests are read together


def trees_of(stretch: Stretch) -> Iterator[Finding]:
    home = stretch.home
    shown = _shown(stretch)
    roots = list(shown)
    behind: list[Tree] = []
    for begin in range(0, len(roots), TREES):
        trees = [read_tree(home, root) for root in roots[begin : begin + TREES]]
        records = [r for tree in trees for r in tree.records]
        rows = find_many(list({r.request_id for r in records if r.kind in (CLAIM, INSTANCE)}))
        stranded = [r for r in records if r.kind == INSTANCE and r.state == DESTROYING]
        silent = silent_among(home, {r.root_id for r in stranded}) if stranded else set()
        for tree in trees:
            yield from _sums(home, tree)
            if tree.providers and tree.generation > shown[tree.root_id]:
                behind.append(tree)
            for record in tree.records:
                yield from _record(record, rows.get(record.request_id), silent)
            yield from _closed(tree)
    yield from _stale(home, behind)


def _shown(stretch: Stretch) -> dict[UUID, int]:
    """The generation that the shard shows of each of its trees."""
    space, home = keyspace(stretch.home.datacenter), stretch.home
    cql = (
        f"SELECT root_id, provider_id, generation FROM {space}.capacity "
        "WHERE cell = ? AND resource_class = ? AND shard = ?"
    )
    rows = read(cql, [home.cell, stretch.resource_class, stretch.number], QUORUM)
    shown: dict[UUID, int] = {}
    for row in rows:
        if row["root_id"] == row["provider_id"]:  # its children are looked at with it
            shown[row["root_id"]] = row["generation"]
    return shown


def _sums(home: Home, tree: Tree) -> Iterator[Finding]:
    for own in tree.providers.values():
        claims = [r for r in tree.records if r.kind == CLAIM and r.provider_id == own.id]
        for name in own.resource_class.amounts:
            adds_up = own.amounts.get(name, 0) + sum(r.amounts.get(name, 0) for r in claims)
            if adds_up != own.available.get(name, 0):
                what = f"{own.row['name']}: {name} available is {own.available.get(name, 0)}, adds up to {adds_up}"
                yield Finding(SUM, home.cell, what, "", provider_id=own.id)


def _stale(home: Home, behind: Sequence[Tree]) -> Iterator[Finding]:
    """Projections lag by design: only one that is behind what it was some seconds ago was forgotten."""
    if behind:
        time.sleep(LAG)
    cql = (
        f"SELECT generation FROM {keyspace(home.datacenter)}.capacity "
        "WHERE cell = ? AND resource_class = ? AND shard = ? AND root_id = ? AND provider_id = ?"
    )
    for tree in behind:
        root = read_tree(home, tree.root_id).providers.get(tree.root_id)
        if root is None:
            continue
        now = read(cql, [home.cell, root.resource_class.name, root.row["shard"], root.id, root.id], QUORUM)
        missing = tree.generation - (now[0]["generation"] if now else 0)
        if missing > 0:
            what = f"{root.row['name']} is shown {missing} changes behind"
            yield Finding(STALE, home.cell, what, "project it", root.id, do=partial(_project, home, root.id))


def _project(home: Home, root_id: UUID) -> None:
    project_now(home, root_id, News(PROVIDER_REPAIRED, root_id))


def _record(record: Record, row: RequestRow | None, silent: set[UUID]) -> Iterator[Finding]:
    now = dt.datetime.now(dt.UTC)
    is_young = record.created_at is None or now - record.created_at < YOUNG
    about = {"provider_id": record.provider_id, "claim_id": record.id, "request_id": record.request_id}
    where = f"{record.kind} {record.id} of {record.consumer} on {record.provider_name}"
    if record.kind in (CLAIM, INSTANCE) and not is_young and not _is_known(record, row):
        row = find(record.request_id, at_home=True)  # a copy may lag
        if not _is_known(record, row):
            kind = ORPHAN_CLAIM if record.kind == CLAIM else ORPHAN_INSTANCE
            words = "have its agent destroy it" if record.kind == INSTANCE else "take it back, or have its host stop"
            what = f"{where}: {_said(row)}"
            yield Finding(kind, record.home.cell, what, words, **about, do=lambda: _take_back(record))
    elif record.kind == CLAIM and record.expires_at is not None and now - record.expires_at > OVERDUE:
        kind = EXPIRED_HOLD if record.state == HELD else EXPIRED_CLAIM
        late = f"{where} was due {record.expires_at:%Y-%m-%d %H:%M:%S}"
        yield Finding(kind, record.home.cell, late, "bring its request on", **about, do=lambda: bring_on(row))
    elif record.kind == INSTANCE and record.state == DESTROYING and record.root_id in silent:
        orphan = row is None or row.state in ENDED
        do = (lambda: destroy(record)) if orphan else None
        words = "give its amounts back" if orphan else ""  # a person says that the host is gone: delete with force
        yield Finding(STRANDED, record.home.cell, f"{where} waits for a silent host", words, **about, do=do)


def _is_known(record: Record, row: RequestRow | None) -> bool:
    """Whether its request knows it, or it is on its way out already."""
    if record.kind == INSTANCE and record.state == DESTROYING:
        return True
    if row is None or row.state in ENDED:
        return False
    part = next((part for part in parts_of(row) if part.claim_id == record.id), None)
    if record.kind == INSTANCE:
        return part is not None
    if part is not None and part.state in OVER and record.release_requested:
        return True  # its host was asked to stop
    return not is_strange(record, row)


def _take_back(record: Record) -> None:
    """If its request still does not know it. What a host is at work on waits for the host's word."""
    if _is_known(record, find(record.request_id, at_home=True)):
        return
    if record.kind == INSTANCE:
        mark.to_be_destroyed(record)
    elif isinstance(result := release(record), Not) and result.record is not None:
        mark.to_be_released(result.record)


def _said(row: RequestRow | None) -> str:
    if row is None:
        return "there is no such request"
    return f"its request is {row.state}" if row.state in ENDED else f"its request, {row.state}, does not know it"


def _closed(tree: Tree) -> Iterator[Finding]:
    before = dt.datetime.now(dt.UTC) - LONG - dt.timedelta(seconds=settings.CLOSED_KEPT)
    old = [r for r in tree.records if r.kind == CLOSED and (r.expires_at is None or r.expires_at < before)]
    if old:
        name = tree.providers[tree.root_id].row["name"] if tree.root_id in tree.providers else str(tree.root_id)
        what = f"{len(old)} closed ids on {name}, the oldest of {min(map(_when, old)):%Y-%m-%d %H:%M:%S}"
        yield Finding(CLOSED_ID, tree.home.cell, what, "remove them", tree.root_id, do=lambda: remove(old))


def _when(record: Record) -> dt.datetime:
    return record.expires_at or dt.datetime.min.replace(tzinfo=dt.UTC)


def entries_of(stretch: Stretch) -> Iterator[Finding]:
    after: UUID | None = None
    now = dt.datetime.now(dt.UTC)
    while True:
        page = list_page(stretch.home, stretch.number, after, A_PAGE)
        lost = [
            one.claim_id
            for one in page
            if now - one.listed_at > LONG + LONG and (one.record is None or one.record.kind == INSTANCE)
        ]
        if lost:
            what = f"{len(lost)} entries of slot {stretch.number}, {lost[0]} the first, lead nowhere"
            do = lambda lost=lost: forget(stretch.home, lost)  # noqa: E731
            yield Finding(LIST_ENTRY, stretch.home.cell, what, "take them off the list", do=do)
        if len(page) < A_PAGE:
            return
        after = page[-1].claim_id

"""The audit of requests: open work that nobody does, requests in flight on no list, claims that are missing."""

import datetime as dt
from collections.abc import Iterator, Sequence
from uuid import UUID

from conductor import open_work
from conductor.finding import LONG, MISSING, OVERDUE, OVERDUE_WORK, STUCK, YOUNG, Finding, Stretch
from conductor.outcome import parts_of, waits_for_people
from conductor.recover import recover
from conductor.release import push, start_release
from conductor.rows import RequestRow, find, find_many, get
from conductor.states import ACTIVE, ENDED, FAILED
from conductor.types import OVER, Part
from providers.records import CLAIM, INSTANCE
from store.home import Home
from store.session import keyspace, read, read_many, write_many

A_PAGE = 200


def open_work_of(home: Home) -> Iterator[Finding]:
    now = dt.datetime.now(dt.UTC)
    for entry in open_work.due(home, moves_on=False):
        if now - entry.due_at > OVERDUE:
            what = f"request {entry.request_id} was due {entry.due_at:%Y-%m-%d %H:%M:%S}"
            do = lambda entry=entry: recover(home, entry.request_id, entry.due_at)  # noqa: E731
            yield Finding(OVERDUE_WORK, home.cell, what, "bring it on", request_id=entry.request_id, do=do)


def requests_of(stretch: Stretch) -> Iterator[Finding]:
    space = keyspace(stretch.home.datacenter)
    cql = f"SELECT id, request_id FROM {space}.requests_by_hour WHERE cell = ? AND hour = ?"
    before: UUID | None = None
    while True:
        more = "" if before is None else " AND id < ?"
        values = [stretch.home.cell, stretch.hour, *([] if before is None else [before])]
        page = read(f"{cql}{more} LIMIT {A_PAGE}", values)
        rows = find_many([row["request_id"] for row in page])
        for row in rows.values():
            if row.state not in ENDED:
                yield from _request(row)
        if len(page) < A_PAGE:
            return
        before = page[-1]["id"]


def _request(row: RequestRow) -> Iterator[Finding]:
    now = dt.datetime.now(dt.UTC)
    changed = row.updated_at or now
    missing = _missing(row) if row.parts and now - changed > YOUNG else []
    for part in missing:
        what = f"{row.request_id} ({row.state}) has nothing under {part.claim_id} on {part.provider_name}"
        words = "end the request" if row.all_or_nothing else "take it out of the request"
        only = None if row.all_or_nothing else [part.claim_id]
        do = lambda row=row, only=only: _end(row, only)  # noqa: E731
        yield Finding(MISSING, row.cell, what, words, part.provider_id, part.claim_id, row.request_id, do)
    since = max(changed, row.lease_until or changed)
    is_open = not missing and row.state != ACTIVE and now - since > LONG
    parts = parts_of(row) if is_open else ()
    if is_open and not (parts and waits_for_people(parts)) and not _is_on_list(row):
        what = f"{row.request_id} is {row.state} since {changed:%Y-%m-%d %H:%M:%S}"
        yield Finding(STUCK, row.cell, what, "bring it on", request_id=row.request_id, do=lambda: bring_on(row))


def _missing(row: RequestRow) -> list[Part]:
    parts = [part for part in row.parts if part.state not in OVER]
    queries = [
        (
            f"SELECT kind FROM {keyspace(p.datacenter)}.provider_records "
            "WHERE root_id = ? AND provider_id = ? AND record_id = ?",
            [p.root_id, p.provider_id, p.claim_id],
        )
        for p in parts
    ]
    found = read_many(queries)
    gone = [p for p, rows in zip(parts, found, strict=True) if not rows or rows[0]["kind"] not in (CLAIM, INSTANCE)]
    if not gone:
        return []
    again = get(row.request_id)  # it may have been released, or destroyed, between the two reads
    return gone if again.version == row.version else []


def _is_on_list(row: RequestRow) -> bool:
    """Within the next quarter of an hour: then a conductor comes by."""
    now = dt.datetime.now(dt.UTC)
    cql = (
        f"SELECT request_id FROM {keyspace(row.home.datacenter)}.open_requests "
        "WHERE cell = ? AND minute = ? AND slot = ? AND request_id = ?"
    )
    begin = now.replace(second=0, microsecond=0) - 3 * open_work.STEP
    minutes = [begin + number * open_work.STEP for number in range(19)]
    slot = row.request_id.int % open_work.SLOTS
    return any(read_many((cql, [row.home.cell, minute, slot, row.request_id]) for minute in minutes))


def bring_on(row: RequestRow | None) -> None:
    if row is not None:
        now = dt.datetime.now(dt.UTC)
        write_many([open_work.put_on(row.home, row.request_id, now)])
        recover(row.home, row.request_id, now)


def _end(row: RequestRow, only: Sequence[UUID] | None) -> None:
    """If it is as it was found: somebody may have repaired it, or placed it anew."""
    now = find(row.request_id, at_home=True)
    if now is None or now.version != row.version:
        return
    push(start_release(row, FAILED, "what it had on a host is not there any more", only))

"""Looks for what happened: pages of the log in either direction, narrowed; a bounded number of partitions a page.

For people. Programs follow the log by events/tail.py, which misses nothing; this reads up to the present, where an
event may still turn up late.
"""

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from cassandra.util import max_uuid_from_time, min_uuid_from_time
from django.conf import settings

from events.buckets import SECONDS, bucket_of, following
from events.tail import decode_cursor, encode_cursor, event_of, time_of
from events.types import Event
from store.home import Home
from store.session import READ, keyspace, read, read_many

PARTITIONS_A_PAGE = 480  # four hours of a cell that is never quiet, however rare what is asked for
AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which events: each field narrows; empty ones do not. `since` and `until` are instants in UTC."""

    type: str = ""
    provider_id: UUID | None = None
    claim_id: UUID | None = None
    request_id: UUID | None = None
    since: dt.datetime | None = None
    until: dt.datetime | None = None
    oldest_first: bool = False


def find_event(home: Home, event_id: UUID) -> Event | None:
    """None: there is none, or it was too long ago."""
    bucket = bucket_of(time_of(event_id))
    step = dt.timedelta(seconds=SECONDS)  # its id may be rounded over the edge
    rows = read(
        f"SELECT * FROM {keyspace(home.datacenter)}.events WHERE cell = ? AND bucket IN ? AND id = ?",
        [home.cell, [bucket - step, bucket, bucket + step], event_id],
    )
    return event_of(rows[0]) if rows else None


def look(homes: Sequence[Home], wanted: Wanted, limit: int, cursor: str | None) -> tuple[list[Event], str | None]:
    """Up to `limit` events of the cells, in the order asked for, and the cursor for the next ones (None: that was all).

    A page may be short before the end. Raises BadCursor, StoreUnavailable.
    """
    if not homes:
        return [], None
    low, high = _bounds(wanted, decode_cursor(cursor) if cursor else None)
    found: list[Event] = []
    looked = 0
    for buckets in _together(_buckets(homes, low, high, wanted.oldest_first), max(1, AT_ONCE // len(homes))):
        found += _read(homes, buckets, wanted, low, high, limit + 1)
        if len(found) > limit:
            return found[:limit], encode_cursor(found[limit - 1].id)
        looked += len(buckets) * len(homes)
        if looked >= PARTITIONS_A_PAGE:
            return found, encode_cursor(_edge(buckets[-1], wanted.oldest_first))
    return found, None


def _bounds(wanted: Wanted, cursor: UUID | None) -> tuple[UUID, UUID]:
    """Ids above the first and below the second."""
    now = dt.datetime.now(dt.UTC)
    oldest, newest = now - dt.timedelta(seconds=settings.EVENTS_TTL), now + dt.timedelta(minutes=1)
    since, until = (min(max(at, oldest), newest) for at in (wanted.since or oldest, wanted.until or newest))
    low, high = min_uuid_from_time(since.timestamp()), max_uuid_from_time(until.timestamp())
    if cursor is None or not low.time <= cursor.time <= high.time:
        return low, high
    return (cursor, high) if wanted.oldest_first else (low, cursor)


def _edge(bucket: dt.datetime, oldest_first: bool) -> UUID:
    """A cursor behind all of a bucket: in the next one."""
    if oldest_first:
        begin: UUID = min_uuid_from_time(following(bucket).timestamp())
        return begin
    end: UUID = max_uuid_from_time(bucket.timestamp() - 0.000_001)
    return end


def _buckets(homes: Sequence[Home], low: UUID, high: UUID, oldest_first: bool) -> Iterator[dt.datetime]:
    """Those that the directory names, a day at a time."""
    begin, end = bucket_of(time_of(low)), bucket_of(time_of(high))
    days = [begin.date() + dt.timedelta(days=n) for n in range((end.date() - begin.date()).days + 1)]
    cql = "SELECT bucket FROM {}.event_buckets WHERE cell = ? AND day = ? AND bucket >= ? AND bucket <= ?"
    for day in days if oldest_first else reversed(days):
        pages = read_many((cql.format(keyspace(h.datacenter)), [h.cell, day, begin, end]) for h in homes)
        yield from sorted(
            {row["bucket"].replace(tzinfo=dt.UTC) for rows in pages for row in rows}, reverse=not oldest_first
        )


def _together(buckets: Iterator[dt.datetime], size: int) -> Iterator[list[dt.datetime]]:
    some: list[dt.datetime] = []
    for bucket in buckets:
        some.append(bucket)
        if len(some) == size:
            yield some
            some = []
    if some:
        yield some


def _read(
    homes: Sequence[Home], buckets: Sequence[dt.datetime], wanted: Wanted, low: UUID, high: UUID, limit: int
) -> list[Event]:
    names = ("type", "provider_id", "claim_id", "request_id")
    asked = {name: getattr(wanted, name) for name in names if getattr(wanted, name)}
    # Filtering inside one partition, which has 30 seconds of one cell, cut by LIMIT.
    where = "".join(f" AND {name} = ?" for name in asked)
    order = "ASC" if wanted.oldest_first else "DESC"
    cql = (
        "SELECT * FROM {}.events WHERE cell = ? AND bucket = ? AND id > ? AND id < ?"
        f"{where} ORDER BY id {order} LIMIT ?{' ALLOW FILTERING' if asked else ''}"
    )
    queries: list[tuple[str, list[Any]]] = [
        (cql.format(keyspace(home.datacenter)), [home.cell, bucket, low, high, *asked.values(), limit])
        for bucket in buckets
        for home in homes
    ]
    pages = read_many(queries, READ)
    events = [event_of(row) for rows in pages for row in rows]
    # Those of one cell are in order already; several cells' are put together by their time.
    return sorted(events, key=lambda event: event.id.time, reverse=not wanted.oldest_first)

"""Reads the event log: pages after a cursor, and a follower that stays at the head.

A process's clock and its writes may be a little late, so readers stay `EVENTS_LAG` seconds behind the head; a follower
also re-reads an overlap and drops what it has seen.
"""

import base64
import binascii
import datetime as dt
import json
from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

from cassandra.util import datetime_from_uuid1, max_uuid_from_time, min_uuid_from_time
from django.conf import settings

from events.buckets import SECONDS, bucket_of, following
from events.types import Event
from store.home import Home
from store.session import keyspace, read, read_many

OVERLAP = 3.0  # seconds that a follower re-reads, for events that were written late
WHOLE = "*"
BRIEF = "cell, id, type, provider_id, root_id, resource_class, claim_id, request_id, generation"  # half the cost


class BadCursor(ValueError):
    """The cursor was not made by this portal."""


def encode_cursor(event_id: UUID) -> str:
    return base64.urlsafe_b64encode(event_id.bytes).rstrip(b"=").decode()


def decode_cursor(cursor: str) -> UUID:
    """Raises BadCursor."""
    try:
        event_id = UUID(bytes=base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, binascii.Error) as error:
        raise BadCursor("not a cursor of this portal") from error
    if event_id.version != 1:
        raise BadCursor("not a cursor of this portal")
    return event_id


def time_of(event_id: UUID) -> dt.datetime:
    at: dt.datetime = datetime_from_uuid1(event_id)
    return at.replace(tzinfo=dt.UTC)


def horizon() -> dt.datetime:
    """Events after this instant may still be joined by earlier ones; readers stop here."""
    return dt.datetime.now(dt.UTC) - dt.timedelta(seconds=settings.EVENTS_LAG)


def head_cursor() -> str:
    """A cursor for "from now on"."""
    return encode_cursor(max_uuid_from_time(horizon().timestamp()))


def settled_cursor() -> str:
    """A cursor for "all that `read_after` would give by now": whoever got nothing from it yet goes on from here."""
    settled = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=settings.EVENTS_SETTLE)
    return encode_cursor(max_uuid_from_time(settled.timestamp()))


def read_after(homes: Sequence[Home], cursor: str | None, limit: int) -> tuple[list[Event], str | None]:
    """Up to `limit` events of the cells after `cursor` (None: the oldest kept), oldest first, and the new cursor.

    Walks the buckets that the directory names, so quiet time costs nothing. Raises BadCursor, StoreUnavailable.
    """
    after = decode_cursor(cursor) if cursor else None
    # A cursor never goes back, so a page stops well before the head: where no earlier event can turn up any more.
    settled = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=settings.EVENTS_SETTLE)
    upto = max_uuid_from_time(settled.timestamp())
    found: list[Event] = []
    for bucket in _buckets(homes, after):
        page = [event for home in homes for event in _read_bucket(home, bucket, after, upto, limit)]
        found += sorted(page, key=_order)
        if len(found) >= limit:
            break
    found = found[:limit]
    return found, encode_cursor(found[-1].id) if found else cursor


class Follower:
    """Follows one cell from a cursor: each `poll()` gives the events not given before, in the order of their ids.

    An event that was written late (its id is older than the head) is given when it is seen; consumers keep the highest
    generation of a provider, so order matters only per provider.
    """

    def __init__(self, home: Home, cursor: str | None = None, columns: str = WHOLE) -> None:
        """`columns`: BRIEF leaves `data` and `image` empty, for who only wants to know what happened to whom."""
        self.home = home
        self._columns = columns
        start = time_of(decode_cursor(cursor)) if cursor else horizon()
        self._read_to = start
        self._seen: dict[UUID, dt.datetime] = {}
        self._first = decode_cursor(cursor) if cursor else max_uuid_from_time(start.timestamp())
        self.cursor = encode_cursor(self._first)

    def poll(self, overlap: float = OVERLAP) -> list[Event]:
        """A smaller overlap costs less, and leaves what was written later than that to the next poll with a larger."""
        upto_time = horizon()
        begin = self._read_to - dt.timedelta(seconds=overlap)
        low, high = min_uuid_from_time(begin.timestamp()), max_uuid_from_time(upto_time.timestamp())
        buckets = [bucket_of(begin)]
        while following(buckets[-1]) <= upto_time:
            buckets.append(following(buckets[-1]))
        events = [e for b in buckets for e in _read_bucket(self.home, b, low, high, None, self._columns)]
        fresh = [e for e in events if e.id not in self._seen and _order_id(e.id) > _order_id(self._first)]
        self._seen.update((e.id, e.at) for e in fresh)
        self._read_to = max(self._read_to, upto_time)
        cut = self._read_to - dt.timedelta(seconds=OVERLAP + SECONDS)
        self._seen = {event_id: at for event_id, at in self._seen.items() if at >= cut}
        fresh.sort(key=_order)
        if fresh:
            self.cursor = encode_cursor(max((e.id for e in fresh), key=_order_id))
        return fresh


def _order_id(event_id: UUID) -> tuple[int, bytes]:
    return event_id.time, event_id.bytes


def _order(event: Event) -> tuple[int, bytes]:
    return _order_id(event.id)


def _buckets(homes: Sequence[Home], after: UUID | None) -> Iterator[dt.datetime]:
    now = dt.datetime.now(dt.UTC)
    start = time_of(after) if after else now - dt.timedelta(seconds=settings.EVENTS_TTL)
    first, day = bucket_of(start), start.date()
    while day <= now.date():
        queries = [
            (
                f"SELECT bucket FROM {keyspace(home.datacenter)}.event_buckets "
                "WHERE cell = ? AND day = ? AND bucket >= ?",
                (home.cell, day, first),
            )
            for home in homes
        ]
        found = {row["bucket"].replace(tzinfo=dt.UTC) for rows in read_many(queries) for row in rows}
        yield from (bucket for bucket in sorted(found) if bucket >= first)
        day += dt.timedelta(days=1)


def _read_bucket(
    home: Home, bucket: dt.datetime, after: UUID | None, upto: UUID, limit: int | None, columns: str = WHOLE
) -> list[Event]:
    bounds, values = ("AND id > ? ", [after]) if after else ("", [])
    rows = read(
        f"SELECT {columns} FROM {keyspace(home.datacenter)}.events WHERE cell = ? AND bucket = ? {bounds}AND id <= ?"
        + (" LIMIT ?" if limit else ""),
        [home.cell, bucket, *values, upto, *([limit] if limit else [])],
    )
    return [event_of(row) for row in rows]


def event_of(row: dict[str, Any]) -> Event:
    return Event(
        id=row["id"],
        cell=row["cell"],
        type=row["type"],
        at=time_of(row["id"]),
        provider_id=row["provider_id"],
        root_id=row["root_id"],
        resource_class=row["resource_class"],
        claim_id=row["claim_id"],
        request_id=row["request_id"],
        generation=row["generation"],
        data=json.loads(row.get("data") or "{}"),
        image=json.loads(row["image"]) if row.get("image") else None,
    )

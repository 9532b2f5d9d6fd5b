"""Writes events, after the transaction they tell of; a projection's repair tells what a crash swallowed."""

import datetime as dt
import json
import threading
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from cassandra.util import uuid_from_time

from events.buckets import bucket_of
from events.types import News
from store.home import Home
from store.session import keyspace, write_many

_noted: set[tuple[str, str, dt.datetime]] = set()  # buckets this process has put into the directory
_lock = threading.Lock()
Write = tuple[str, Sequence[Any]]


def append(home: Home, news: Sequence[News], others: Sequence[Write] = ()) -> None:
    """Appends events that carry no provider's row; `others` are plain writes that go in the same message."""
    try:
        write_many([*(write for one in news for write in event_writes(home, one)), *others])
    except Exception:
        forget_directory()
        raise


def event_writes(
    home: Home,
    news: News,
    *,
    root_id: UUID | None = None,
    resource_class: str | None = None,
    generation: int | None = None,
    image: Mapping[str, Any] | None = None,
) -> list[Write]:
    """The writes that put one event into its cell's log, for callers that send them together with others."""
    now = dt.datetime.now(dt.UTC)
    bucket = bucket_of(now)
    space = keyspace(home.datacenter)
    insert = (
        f"INSERT INTO {space}.events (cell, bucket, id, type, provider_id, root_id, resource_class, claim_id, "
        "request_id, generation, data, image) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            home.cell,
            bucket,
            uuid_from_time(now.timestamp()),
            news.type,
            news.provider_id,
            root_id,
            resource_class,
            news.claim_id,
            news.request_id,
            generation,
            json.dumps(dict(news.data), default=str),
            None if image is None else json.dumps(image, default=str),
        ),
    )
    return [insert, *_directory(home, space, bucket)]


def forget_directory() -> None:
    """After a write that failed: the directory's row may be missing too, so the next event writes it again."""
    with _lock:
        _noted.clear()


def _directory(home: Home, space: str, bucket: dt.datetime) -> list[Write]:
    key = (space, home.cell, bucket)
    with _lock:
        if key in _noted:
            return []
        if len(_noted) > 1000:
            _noted.clear()
        _noted.add(key)
    return [
        (
            f"INSERT INTO {space}.event_buckets (cell, day, bucket) VALUES (?, ?, ?)",
            (home.cell, bucket.date(), bucket),
        )
    ]

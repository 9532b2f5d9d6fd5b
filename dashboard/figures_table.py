"""Where a cell's figures are kept: a partition an hour of short steps, a partition a day of minutes."""

import datetime as dt
import json
from collections.abc import Mapping
from typing import Any

from django.conf import settings

from store.home import Home
from store.session import READ, keyspace, read_many, write

STEP, MINUTE = 5, 60  # seconds that a row is about
SHORT_KEPT = 2 * 3600  # seconds that rows of STEP are kept; those of a minute stay as long as the events
MOST = 1500  # rows of one answer


def put(home: Home, row: Mapping[str, Any]) -> None:
    at = dt.datetime.fromisoformat(row["at"])
    kept = SHORT_KEPT if row["step"] == STEP else settings.EVENTS_TTL
    write(
        f"INSERT INTO {keyspace(home.datacenter)}.figures (cell, step, bucket, at, data) VALUES (?, ?, ?, ?, ?) "
        "USING TTL ?",
        [home.cell, row["step"], _bucket(row["step"], at), at, json.dumps(row, separators=(",", ":")), kept],
    )


def newest(home: Home) -> Mapping[str, Any] | None:
    """The last row; None when nobody wrote one for an hour. Raises StoreUnavailable."""
    return newest_of([home])[0]


def newest_of(homes: list[Home]) -> list[Mapping[str, Any] | None]:
    """The last row of each cell. Raises StoreUnavailable."""
    bucket = _bucket(STEP, dt.datetime.now(dt.UTC))
    queries = [
        (f"{_select(home)} LIMIT 1", [home.cell, STEP, begin])
        for home in homes
        for begin in (bucket, bucket - dt.timedelta(hours=1))
    ]
    found = read_many(queries, READ)
    pairs = zip(found[::2], found[1::2], strict=True)
    return [json.loads(rows[0]["data"]) if (rows := now or before) else None for now, before in pairs]


def between(home: Home, since: dt.datetime, until: dt.datetime) -> list[Mapping[str, Any]]:
    """Rows of that time, oldest first: short steps when it is short, else minutes, and of a long time every n-th, so
    that there are never more than MOST. Raises StoreUnavailable."""
    now = dt.datetime.now(dt.UTC)
    is_short = (until - since).total_seconds() <= MOST * STEP and since > now - dt.timedelta(seconds=SHORT_KEPT)
    step = STEP if is_short else MINUTE
    buckets, at = [], _bucket(step, since)
    while at <= until:
        buckets.append(at)
        at += dt.timedelta(hours=1) if step == STEP else dt.timedelta(days=1)
    queries = [(f"{_select(home)} AND at > ? AND at <= ?", [home.cell, step, b, since, until]) for b in buckets]
    rows = [row for page in read_many(queries, READ) for row in reversed(page)]
    every = -(-len(rows) // MOST) or 1
    return [json.loads(row["data"]) for row in rows[::every]]


def _select(home: Home) -> str:
    return f"SELECT at, data FROM {keyspace(home.datacenter)}.figures WHERE cell = ? AND step = ? AND bucket = ?"


def _bucket(step: int, at: dt.datetime) -> dt.datetime:
    begin = at.replace(minute=0, second=0, microsecond=0)
    return begin if step == STEP else begin.replace(hour=0)

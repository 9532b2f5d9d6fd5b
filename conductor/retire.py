"""Retention: requests that ended some time ago leave the table of transactions for one whose rows fade out."""

import datetime as dt
from collections.abc import Iterator
from uuid import UUID

from django.conf import settings

from conductor.rows import find, retire
from conductor.states import ENDED
from store.home import Home
from store.session import keyspace, read, write

A_PAGE = 200
LOOK_AGAIN = dt.timedelta(hours=6)  # at hours in which requests still run


def retire_ended(home: Home) -> int:
    """Looks at hours of a cell that are older than REQUESTS_KEPT seconds and not done; returns how many requests went.

    An hour whose requests have all ended is done for good; one with requests that still run is left for six hours.
    """
    now = dt.datetime.now(dt.UTC)
    before = now - dt.timedelta(seconds=settings.REQUESTS_KEPT)
    space = keyspace(home.datacenter)
    hours = read(
        f"SELECT hour, retired, looked_at FROM {space}.request_hours WHERE cell = ? AND hour < ?", [home.cell, before]
    )
    gone = 0
    for row in reversed(hours):
        looked_at = row["looked_at"]
        if row["retired"] or (looked_at is not None and now - looked_at.replace(tzinfo=dt.UTC) < LOOK_AGAIN):
            continue
        went, running = _retire_hour(home, row["hour"])
        gone += went
        cql = f"INSERT INTO {space}.request_hours (cell, hour, retired, looked_at) VALUES (?, ?, ?, ?)"
        write(cql, [home.cell, row["hour"], running == 0, now])
    return gone


def _retire_hour(home: Home, hour: dt.datetime) -> tuple[int, int]:
    """How many went, and how many still run."""
    gone = running = 0
    for request_id in _requests_of(home, hour):
        row = find(request_id)
        if row is None or row.is_retired:
            continue
        if row.state in ENDED:
            retire(row)
            gone += 1
        else:
            running += 1
    return gone, running


def _requests_of(home: Home, hour: dt.datetime) -> Iterator[UUID]:
    cql = f"SELECT id, request_id FROM {keyspace(home.datacenter)}.requests_by_hour WHERE cell = ? AND hour = ?"
    rows = read(f"{cql} LIMIT ?", [home.cell, hour, A_PAGE])
    while rows:
        yield from (row["request_id"] for row in rows)
        rows = read(f"{cql} AND id < ? LIMIT ?", [home.cell, hour, rows[-1]["id"], A_PAGE])

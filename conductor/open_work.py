"""The list of open requests of a cell: plain rows, by the minute in which somebody should look at them again.

Written before the transaction that they speak of, so there are rows too many, never too few; a request may be on the
list several times. Minutes that are over and done with are not read again: `open_from` says where the open ones begin.
"""

import datetime as dt
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from store.home import Home
from store.session import keyspace, read, read_many, write

SLOTS = 4  # partitions of a minute
A_SLOT = 500  # looked at per partition and call; the rest when these are done
STEP = dt.timedelta(minutes=1)
MARGIN = dt.timedelta(minutes=3)  # clocks that are behind by less than this put their rows where they are still read
AT_ONCE = 32  # partitions read side by side
Write = tuple[str, Sequence[Any]]


@dataclass(frozen=True, slots=True)
class Entry:
    """A request that is due."""

    home: Home
    minute: dt.datetime
    request_id: UUID
    due_at: dt.datetime


def put_on(home: Home, request_id: UUID, due_at: dt.datetime) -> Write:
    """The write that has a request looked at when `due_at` has passed."""
    cql = (
        f"INSERT INTO {keyspace(home.datacenter)}.open_requests (cell, minute, slot, request_id, due_at) "
        "VALUES (?, ?, ?, ?, ?)"
    )
    minute = _minute(max(due_at, dt.datetime.now(dt.UTC)))  # never where nobody reads any more
    return cql, [home.cell, minute, request_id.int % SLOTS, request_id, due_at]


def take_off(home: Home, request_id: UUID, due_at: dt.datetime) -> Write:
    """The write that takes back what `put_on` wrote. Sparing: what is left is found to need nothing when it is due."""
    cql = (
        f"DELETE FROM {keyspace(home.datacenter)}.open_requests "
        "WHERE cell = ? AND minute = ? AND slot = ? AND request_id = ?"
    )
    return cql, [home.cell, _minute(due_at), request_id.int % SLOTS, request_id]


def done(entry: Entry) -> None:
    """Unless somebody has put it on again meanwhile, for the same minute."""
    if _is_as_read(entry):
        _delete(entry)


def _delete(entry: Entry) -> None:
    write(*take_off(entry.home, entry.request_id, entry.minute))


def again(entry: Entry, due_at: dt.datetime) -> None:
    """Has the request looked at once more: the new row first, then the old one goes."""
    if not _is_as_read(entry):
        return
    cql, values = put_on(entry.home, entry.request_id, due_at)
    write(cql, values)
    if values[1] != entry.minute:  # else it is the same row, and tells the new time now
        _delete(entry)


def _is_as_read(entry: Entry) -> bool:
    cql = (
        f"SELECT due_at FROM {keyspace(entry.home.datacenter)}.open_requests "
        "WHERE cell = ? AND minute = ? AND slot = ? AND request_id = ?"
    )
    rows = read(cql, [entry.home.cell, entry.minute, entry.request_id.int % SLOTS, entry.request_id])
    return not rows or rows[0]["due_at"].replace(tzinfo=dt.UTC) == entry.due_at


def due(home: Home, moves_on: bool = True) -> Iterator[Entry]:
    """What is due in a cell now, oldest minutes first. Moves `open_from` on over minutes with nothing left in them, if
    it `moves_on`."""
    now = dt.datetime.now(dt.UTC)
    begin = first = _open_from(home, now)
    minutes = _minutes(begin, now)
    in_front = True  # nothing was left in any minute before
    for some in range(0, len(minutes), AT_ONCE // SLOTS):
        chunk = minutes[some : some + AT_ONCE // SLOTS]
        entries: list[Entry] = []
        for minute, rows in zip(chunk, _read(home, chunk), strict=True):
            in_front = in_front and not rows
            if in_front and minute < now - MARGIN:
                first = minute + STEP
            entries += [Entry(home, minute, r["request_id"], r["due_at"].replace(tzinfo=dt.UTC)) for r in rows]
        random.shuffle(entries)  # so that conductors that look at the same moment begin with different ones
        yield from (entry for entry in entries if entry.due_at <= now)
    if first > begin and moves_on:
        cql = f"INSERT INTO {keyspace(home.datacenter)}.open_from (cell, minute) VALUES (?, ?)"
        write(cql, [home.cell, first])


def _open_from(home: Home, now: dt.datetime) -> dt.datetime:
    rows = read(f"SELECT minute FROM {keyspace(home.datacenter)}.open_from WHERE cell = ?", [home.cell])
    latest = _minute(now - MARGIN)
    if rows:
        kept: dt.datetime = rows[0]["minute"].replace(tzinfo=dt.UTC)
        return min(kept, latest)
    # No conductor ever looked at this cell: everything since it was made (a day, when it was removed meanwhile).
    made = read(f"SELECT created_at FROM {keyspace()}.cells WHERE all_cells = 'all' AND name = ?", [home.cell])
    since = made[0]["created_at"].replace(tzinfo=dt.UTC) if made else now - dt.timedelta(days=1)
    return min(_minute(since), latest) - STEP


def _minutes(begin: dt.datetime, now: dt.datetime) -> list[dt.datetime]:
    found = [begin]
    while found[-1] + STEP <= now:
        found.append(found[-1] + STEP)
    return found


def _read(home: Home, minutes: Sequence[dt.datetime]) -> Iterator[list[dict[str, Any]]]:
    cql = (
        f"SELECT request_id, due_at FROM {keyspace(home.datacenter)}.open_requests "
        "WHERE cell = ? AND minute = ? AND slot = ? LIMIT ?"
    )
    pages = read_many((cql, [home.cell, minute, slot, A_SLOT]) for minute in minutes for slot in range(SLOTS))
    for index in range(0, len(pages), SLOTS):
        yield [row for page in pages[index : index + SLOTS] for row in page]


def _minute(at: dt.datetime) -> dt.datetime:
    return at.replace(second=0, microsecond=0)

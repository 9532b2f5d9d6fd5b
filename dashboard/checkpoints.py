"""A cell as it was, kept now and then: from the checkpoint before an instant and the events up to it comes the cell at
that instant (dashboard/past.py)."""

import datetime as dt
import json
import zlib
from dataclasses import dataclass

from django.conf import settings

from dashboard.types import State, Vital
from store.home import Home
from store.session import QUORUM, keyspace, read, read_many, write, write_many

PART = 256 * 1024  # bytes
LEVEL = 3  # of zlib: a tenth of the size, at a third of the default's time


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Named, not read yet. The event log after `cursor` is not in it."""

    at: dt.datetime
    cursor: str
    parts: int


def put(home: Home, state: State, cursor: str, at: dt.datetime) -> Checkpoint:
    """Its parts first, then its name: whoever finds it finds all of it."""
    said = {"hosts": list(state.hosts.values()), "claims": list(state.claims.values())}
    data = zlib.compress(json.dumps(said, separators=(",", ":")).encode(), LEVEL)
    parts = [data[begin : begin + PART] for begin in range(0, len(data), PART)]
    space = keyspace(home.datacenter)
    insert = f"INSERT INTO {space}.checkpoint_parts (cell, at, part, data) VALUES (?, ?, ?, ?) USING TTL ?"
    at = at.replace(microsecond=at.microsecond // 1000 * 1000)  # as Cassandra keeps it
    write_many((insert, [home.cell, at, number, part, settings.EVENTS_TTL]) for number, part in enumerate(parts))
    write(
        f"INSERT INTO {space}.checkpoints (cell, day, at, cursor, parts) VALUES (?, ?, ?, ?, ?) USING TTL ?",
        [home.cell, at.date(), at, cursor, len(parts), settings.EVENTS_TTL],
    )
    return Checkpoint(at, cursor, len(parts))


def before(home: Home, at: dt.datetime) -> Checkpoint | None:
    """The last one before the instant: of its day or the day before. Raises StoreUnavailable."""
    cql = (
        f"SELECT at, cursor, parts FROM {keyspace(home.datacenter)}.checkpoints "
        "WHERE cell = ? AND day = ? AND at <= ? LIMIT 1"
    )
    for day in (at.date(), at.date() - dt.timedelta(days=1)):
        rows = read(cql, [home.cell, day, at], QUORUM)
        if rows:
            return _named(rows[0])
    return None


def oldest(home: Home) -> dt.datetime | None:
    """The first that is kept; None: none. Raises StoreUnavailable."""
    today = dt.datetime.now(dt.UTC).date()
    cql = (
        f"SELECT at, cursor, parts FROM {keyspace(home.datacenter)}.checkpoints "
        "WHERE cell = ? AND day = ? ORDER BY at ASC LIMIT 1"
    )
    days = [today - dt.timedelta(days=back) for back in range(settings.EVENTS_TTL // 86400 + 1, -1, -1)]
    pages = read_many((cql, [home.cell, day]) for day in days)
    return next((_named(page[0]).at for page in pages if page), None)


def get(home: Home, one: Checkpoint) -> State | None:
    """The cell as it was then; None: it has gone meanwhile. Raises StoreUnavailable."""
    cql = f"SELECT data FROM {keyspace(home.datacenter)}.checkpoint_parts WHERE cell = ? AND at = ? AND part = ?"
    pages = read_many((cql, [home.cell, one.at, number]) for number in range(one.parts))
    if not all(pages):
        return None
    said = json.loads(zlib.decompress(b"".join(page[0]["data"] for page in pages)))
    state = State()
    state.hosts = {host["id"]: host for host in said["hosts"]}
    state.vital = {
        host["root"]: Vital(host["alive"], host["heard_at"], host["failed_builds"], host["conflicts"])
        for host in said["hosts"]
    }
    for claim in said["claims"]:
        state.claims[claim["id"]] = claim
        state.claims_on.setdefault(claim["provider"], set()).add(claim["id"])
    return state


def _named(row: dict[str, object]) -> Checkpoint:
    at, cursor, parts = row["at"], row["cursor"], row["parts"]
    assert isinstance(at, dt.datetime)
    assert isinstance(cursor, str)
    assert isinstance(parts, int)
    return Checkpoint(at.replace(tzinfo=dt.UTC), cursor, parts)

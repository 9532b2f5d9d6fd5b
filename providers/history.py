"""Who did what to a provider, when and why: plain rows after the fact, which outlive the provider.

What changes on its own (heartbeats, what an agent reports, claims) is not here: the events have that.
"""

import base64
import binascii
import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from cassandra.util import datetime_from_uuid1, uuid_from_time
from django.conf import settings

from providers.inventory import Inventory
from providers.records import location_of
from providers.refusals import Invalid, NotFound
from store.home import Home
from store.session import keyspace, read, write

STATE, INVENTORY, MAINTENANCE, REMOVED = "state", "inventory", "maintenance", "removed"
WHAT = (STATE, INVENTORY, MAINTENANCE, REMOVED)


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that was done. `before` and `after` are states, or amounts in words. `claims` and `instances`: how many
    there were when it stopped taking more, None for anything else."""

    id: UUID
    who: str
    what: str
    before: str
    after: str
    why: str
    claims: int | None = None
    instances: int | None = None

    @property
    def at(self) -> dt.datetime:
        at: dt.datetime = datetime_from_uuid1(self.id)
        return at.replace(tzinfo=dt.UTC)


@dataclass(frozen=True, slots=True)
class HistoryPage:
    lines: Sequence[Line]
    next: str | None


def remember(
    home: Home,
    provider_id: UUID,
    who: str,
    what: str,
    before: str = "",
    after: str = "",
    why: str = "",
    on_it: tuple[int, int] | None = None,
) -> None:
    """Writes a line; it is kept for PROVIDER_HISTORY_TTL seconds. `on_it`: claims and instances."""
    claims, instances = on_it or (None, None)
    cql = (
        f"INSERT INTO {keyspace(home.datacenter)}.provider_history "
        "(provider_id, id, who, what, before, after, why, claims, instances) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) "
        "USING TTL ?"
    )
    line = [uuid_from_time(dt.datetime.now(dt.UTC).timestamp()), who, what, before, after, why, claims, instances]
    write(cql, [provider_id, *line, settings.PROVIDER_HISTORY_TTL])


def read_history(provider_id: UUID, limit: int, cursor: str | None = None) -> HistoryPage:
    """Newest first, of a removed provider too. Raises NotFound, Invalid (a garbled cursor)."""
    rows = read(f"SELECT * FROM {keyspace()}.providers_by_id WHERE provider_id = ?", [provider_id])
    if not rows or rows[0]["root_id"] is None:
        raise NotFound(f"no provider {provider_id}")
    return history_at(location_of(rows[0]).home, provider_id, limit, cursor)


def history_at(home: Home, provider_id: UUID, limit: int, cursor: str | None = None) -> HistoryPage:
    """The same of a provider whose home is known."""
    before = _decode(cursor)
    cql = f"SELECT * FROM {keyspace(home.datacenter)}.provider_history WHERE provider_id = ?"
    values: list[Any] = [provider_id]
    if before is not None:
        cql += " AND id < ?"
        values.append(before)
    rows = read(f"{cql} LIMIT ?", [*values, limit + 1])
    lines = [_line(row) for row in rows[:limit]]
    return HistoryPage(lines, _encode(lines[-1].id) if len(rows) > limit else None)


def in_words(one: Inventory | None) -> str:
    """`64 x 2 - 4`: total, ratio, reserved."""
    return f"{one.total} x {one.allocation_ratio:g} - {one.reserved}" if one else ""


def _line(row: dict[str, Any]) -> Line:
    who, what, before, after, why = (row[name] or "" for name in ("who", "what", "before", "after", "why"))
    return Line(row["id"], who, what, before, after, why, row["claims"], row["instances"])


def _encode(last: UUID) -> str:
    return base64.urlsafe_b64encode(last.bytes).rstrip(b"=").decode()


def _decode(cursor: str | None) -> UUID | None:
    if not cursor:
        return None
    try:
        found = UUID(bytes=base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, binascii.Error) as error:
        raise Invalid("next", "is not a cursor of this list") from error
    if found.version != 1:
        raise Invalid("next", "is not a cursor of this list")
    return found

"""When each host was heard from last, the silent ones before all others; a bounded number of shards a page."""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from providers import cells
from providers.heartbeat import AGENT, HEARD, Heard, heard
from providers.refusals import Invalid, NotFound
from providers.shards import all_shards
from store.home import Home
from store.session import keyspace, read_many

SILENT, ALIVE = "silent", "alive"
SHARDS_A_PAGE = 64

Place = tuple[str, Home, str, int]  # silent or alive, and the shard


@dataclass(frozen=True, slots=True)
class Host:
    """A root provider with an agent."""

    id: UUID
    name: str
    cell: str
    resource_class: str
    state: str
    heard: Heard


@dataclass(frozen=True, slots=True)
class HostPage:
    """Some hosts and the cursor for the next ones (None: that was all). A page may be short before the end."""

    results: Sequence[Host]
    next: str | None


def list_heard(cell: str, only: str, limit: int, cursor: str | None = None) -> HostPage:
    """Hosts with an agent: of one cell or of all (""), SILENT or ALIVE ones or both (""). A host that falls silent or
    is heard again between two pages may be on both or on none. Raises Invalid for a garbled cursor."""
    places = _places(cell, [only] if only else [SILENT, ALIVE])
    start, after = _decode(cursor)
    found: list[Host] = []
    for position in range(start, min(len(places), start + SHARDS_A_PAGE)):
        for host in _read(places[position], after):
            if len(found) == limit:
                return HostPage(found, _encode(position, after))
            found.append(host)
            after = host.id
        after = None
    end = start + SHARDS_A_PAGE
    return HostPage(found, _encode(end, None) if end < len(places) else None)


def _places(cell: str, wanted: Sequence[str]) -> list[Place]:
    try:
        homes = [cells.find(cell).home] if cell else [one.home for one in cells.all_cells()]
    except NotFound:
        return []
    shards = [
        (home, of_class, shard)
        for home in homes
        for of_class, count in sorted(all_shards(home).items())
        for shard in range(count)
    ]
    return [(one, *shard) for one in wanted for shard in shards]


def _read(place: Place, after: UUID | None) -> list[Host]:
    wanted, home, of_class, shard = place
    space, key = keyspace(home.datacenter), [home.cell, of_class, shard]
    of_shard = "WHERE cell = ? AND resource_class = ? AND shard = ?"
    cql = f"SELECT provider_id, root_id, name, state, heartbeat FROM {space}.capacity {of_shard}"
    rows, heartbeats = read_many(
        [
            (cql if after is None else f"{cql} AND root_id > ?", key if after is None else [*key, after]),
            (f"SELECT {HEARD} FROM {space}.heartbeats {of_shard}", key),
        ]
    )
    last = {row["provider_id"]: row for row in heartbeats}
    hosts = [
        Host(row["root_id"], row["name"], home.cell, of_class, row["state"], heard(last.get(row["root_id"])))
        for row in rows
        if row["provider_id"] == row["root_id"] and row["heartbeat"] == AGENT
    ]
    return [host for host in hosts if host.heard.alive == (wanted == ALIVE)]


def _encode(position: int, after: UUID | None) -> str:
    text = json.dumps([position, str(after or "")])
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def _decode(cursor: str | None) -> tuple[int, UUID | None]:
    if not cursor:
        return 0, None
    try:
        position, after = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if not isinstance(position, int) or position < 0:
            raise ValueError("position")
        return position, UUID(after) if after else None
    except (ValueError, TypeError, AttributeError) as error:
        raise Invalid("next", "is not a cursor of this list") from error

"""Supply that may not be projected yet: on this list from before a registration or removal to after its projection.

Whoever died in between is finished by the conductor; without it a new provider could stay invisible for ever."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

from events.types import PROVIDER_REMOVED, PROVIDER_REPAIRED, News
from providers.projection import project_now
from providers.records import Location, Tree
from store.home import Home
from store.session import keyspace, read_many, write

SLOTS = 16
A_SLOT = 200  # looked at per slot and call
GRACE = dt.timedelta(seconds=15)  # whoever put it on is likely still at it


@dataclass(frozen=True, slots=True)
class Entry:
    location: Location
    since: dt.datetime


def put_on(location: Location) -> None:
    home = location.home
    cql = (
        f"INSERT INTO {keyspace(home.datacenter)}.unprojected "
        "(cell, slot, root_id, provider_id, resource_class, shard, since) VALUES (?, ?, ?, ?, ?, ?, toTimestamp(now()))"
    )
    where = [home.cell, _slot(location), location.root_id, location.provider_id]
    write(cql, [*where, location.resource_class, location.shard])


def take_off(location: Location) -> None:
    home = location.home
    cql = (
        f"DELETE FROM {keyspace(home.datacenter)}.unprojected "
        "WHERE cell = ? AND slot = ? AND root_id = ? AND provider_id = ?"
    )
    write(cql, [home.cell, _slot(location), location.root_id, location.provider_id])


def project_location(location: Location, *news: News) -> Tree:
    """Projects the provider's tree, and takes its row out of the capacity table when it is gone."""
    tree = project_now(location.home, location.root_id, *news)
    if location.provider_id not in tree.providers and not any(n.type == PROVIDER_REMOVED for n in news):
        gone = {"resource_class": location.resource_class, "shard": location.shard}
        project_now(location.home, location.root_id, News(PROVIDER_REMOVED, location.provider_id, data=gone))
    take_off(location)
    return tree


def has_any(home: Home, resource_class: str) -> bool:
    """Whether a provider of this class is being registered or removed."""
    return any(entry.location.resource_class == resource_class for entry in _entries(home))


def finish(home: Home) -> int:
    """Projects what others left on the list; returns how many."""
    done = 0
    before = dt.datetime.now(dt.UTC) - GRACE
    for entry in _entries(home):
        if entry.since < before:
            location = entry.location
            project_location(location, News(PROVIDER_REPAIRED, location.provider_id))
            done += 1
    return done


def _entries(home: Home) -> Iterator[Entry]:
    cql = f"SELECT * FROM {keyspace(home.datacenter)}.unprojected WHERE cell = ? AND slot = ? LIMIT ?"
    for rows in read_many((cql, [home.cell, slot, A_SLOT]) for slot in range(SLOTS)):
        for row in rows:
            location = Location(row["provider_id"], row["root_id"], home, row["resource_class"], row["shard"])
            yield Entry(location, row["since"].replace(tzinfo=dt.UTC))


def _slot(location: Location) -> int:
    return location.root_id.int % SLOTS

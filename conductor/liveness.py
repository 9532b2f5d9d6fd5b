"""Who fell silent, and who is heard again: declared once, told once, and what a silent host had begun is placed anew.

One conductor a cell does it, by a lease, in rounds that read the cell's heartbeats a shard at a time. When many hosts
fall silent at once that is more likely a portal, a network or a Cassandra than the hosts: it is told as one event, they
get one more time to live to come back, and then they are declared a few a round.
"""

import datetime as dt
import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from uuid import UUID, uuid4

from django.conf import settings

from conductor import lease
from conductor.recover import recover
from events.append import append
from events.types import CELL_SILENT, PROVIDER_HEARD, PROVIDER_SILENT, News
from providers.heartbeat import AGENT, HEARD, counts
from providers.maintenance import in_maintenance
from providers.records import CLAIM, aware, read_tree
from providers.shards import all_shards
from providers.silent import Silent, all_silent, claims_moved, declare, heard_again
from store.home import Home
from store.session import READ, keyspace, lwt_profile, read, read_many

log = logging.getLogger("sched_portal.conductor")

AT_ONCE = 16  # shards read side by side
MOVING = 5.0  # seconds of a round that requests are moved on
NAMED = 10  # hosts whose names an event about many of them has


@dataclass
class Watch:
    """What one conductor remembers of a cell between two rounds. Lost with it, it costs time: the next begins anew."""

    home: Home
    since: dict[UUID, float] = field(default_factory=dict)  # hosts of a mass that are waited for, from when on
    is_mass: bool | None = None  # None: nobody knows yet


@dataclass(frozen=True, slots=True)
class Round:
    """What one round came to: hosts declared silent, heard again, waited for, and requests that were moved on."""

    declared: int = 0
    heard: int = 0
    waited_for: int = 0
    moved: int = 0


def watch(seen: Watch) -> Round | None:
    """One round; None when another conductor has the cell."""
    home = seen.home
    if not lease.take(home, _lease(home), max(30, round(3 * settings.LIVENESS_INTERVAL))):
        return None
    known = {one.provider_id: one for one in all_silent(home)}
    alive, silent = _heartbeats(home)
    back = _come_back(home, [one for one in known.values() if one.provider_id not in silent], alive)
    new = [one for provider_id, one in silent.items() if provider_id not in known]
    planned = in_maintenance(home, [one.provider_id for one in new], dt.datetime.now(dt.UTC)) if new else ()
    new = [one for one in new if one.provider_id not in planned]  # their silence is no alarm
    chosen = _chosen(seen, _hosts(home, new), len(alive) + len(silent), bool(alive))
    # Told first: who dies in between is followed by another, who tells it once more.
    _tell(home, chosen)
    declared = [one for one in chosen if declare(home, one)]
    waiting = [one for one in known.values() if one.provider_id in silent and not one.claims_moved]
    until = time.monotonic() + MOVING
    moved = sum(_move_on(home, one, until) for one in [*declared, *waiting][: settings.SILENT_AT_ONCE])
    return Round(len(declared), back, len(seen.since), moved)


def give_back(home: Home) -> None:
    """This conductor watches the cell no more."""
    lease.give_back(home, _lease(home))


def _lease(home: Home) -> str:
    return f"liveness:{home.cell}"


@dataclass(frozen=True, slots=True)
class _Row:
    provider_id: UUID
    resource_class: str
    shard: int
    seen_at: dt.datetime | None


def _heartbeats(home: Home) -> tuple[set[UUID], dict[UUID, _Row]]:
    """Who is heard and who was: every heartbeat of the cell."""
    alive: set[UUID] = set()
    silent: dict[UUID, _Row] = {}
    table = f"{keyspace(home.datacenter)}.heartbeats"
    cql = f"SELECT {HEARD} FROM {table} WHERE cell = ? AND resource_class = ? AND shard = ?"
    for some in _in_chunks([(name, shard) for name, count in all_shards(home).items() for shard in range(count)]):
        # Where they are written: a copy that lags would make living hosts silent.
        profile = lwt_profile(home.datacenter)
        found = read_many(((cql, [home.cell, name, shard]) for name, shard in some), profile)
        for (name, shard), rows in zip(some, found, strict=True):
            for row in rows:
                if counts(row):
                    alive.add(row["provider_id"])
                elif row["left"]:  # else there are only notes of what went wrong on it
                    seen_at = aware(row["seen_at"])
                    silent[row["provider_id"]] = _Row(row["provider_id"], name, shard, seen_at)
    return alive, silent


def _hosts(home: Home, rows: Sequence[_Row]) -> list[Silent]:
    """Those that are providers with an agent still."""
    cql = (
        f"SELECT provider_id, name, heartbeat FROM {keyspace(home.datacenter)}.capacity "
        "WHERE cell = ? AND resource_class = ? AND shard = ? AND root_id IN ?"
    )
    by_shard: dict[tuple[str, int], list[_Row]] = {}
    for row in rows:
        by_shard.setdefault((row.resource_class, row.shard), []).append(row)
    now = dt.datetime.now(dt.UTC)
    hosts: list[Silent] = []
    for (name, shard), some in by_shard.items():
        found = read(cql, [home.cell, name, shard, sorted((one.provider_id for one in some), key=str)], READ)
        names = {row["provider_id"]: row["name"] for row in found if row["heartbeat"] == AGENT}
        hosts += [
            Silent(one.provider_id, names[one.provider_id], name, shard, one.seen_at, now, False)
            for one in some
            if one.provider_id in names
        ]
    return hosts


def _chosen(seen: Watch, hosts: Sequence[Silent], of: int, anybody_heard: bool) -> Sequence[Silent]:
    """Whom to declare now. Few: all of them. Many, or all there are: told once, waited for, then a few a round."""
    now = time.monotonic()
    there = {one.provider_id for one in hosts}
    seen.since = {one: since for one, since in seen.since.items() if one in there}
    is_many = bool(hosts) and (
        len(hosts) > min(settings.SILENT_AT_ONCE, max(1, of * settings.SILENT_SHARE)) or not anybody_heard
    )
    if is_many and not seen.is_mass:
        _tell_of_many(seen.home, hosts, of)
    if not is_many and not seen.since:
        if seen.is_mass is not False:
            lease.drop(seen.home, _mass(seen.home))
        seen.is_mass = False
        return hosts
    seen.is_mass = True
    for one in hosts:
        seen.since.setdefault(one.provider_id, now)
    due = [one for one in hosts if now - seen.since[one.provider_id] >= settings.HEARTBEAT_TTL]
    for one in due[: settings.SILENT_AT_ONCE]:
        del seen.since[one.provider_id]
    return due[: settings.SILENT_AT_ONCE]


def _tell_of_many(home: Home, hosts: Sequence[Silent], of: int) -> None:
    """Once, also when another conductor takes the cell over meanwhile."""
    names = sorted(one.name for one in hosts)
    if not lease.take(home, _mass(home), 3600, uuid4()):
        return
    log.warning("cell %s: %d of %d hosts fell silent: %s", home.cell, len(hosts), of, ", ".join(names[:NAMED]))
    append(home, [News(CELL_SILENT, data={"hosts": len(hosts), "of": of, "names": names[:NAMED]})])


def _mass(home: Home) -> str:
    return f"silent:{home.cell}"


def _tell(home: Home, declared: Iterable[Silent]) -> None:
    for one in declared:
        log.warning("cell %s: %s is silent since %s", home.cell, one.name, one.seen_at)
        data = {"name": one.name, "seen_at": one.seen_at}
        append(home, [News(PROVIDER_SILENT, one.provider_id, data=data)])


def _come_back(home: Home, gone: Iterable[Silent], alive: set[UUID]) -> int:
    """Heard again, or no provider with a heartbeat any more."""
    back = 0
    for one in gone:
        if one.provider_id in alive:
            log.info("cell %s: %s is heard again", home.cell, one.name)
            append(home, [News(PROVIDER_HEARD, one.provider_id, data={"name": one.name, "seen_at": one.seen_at})])
        back += heard_again(home, one.provider_id) and one.provider_id in alive
    return back


def _move_on(home: Home, host: Silent, until: float) -> int:
    """The requests that have open claims on the host; what it has built stays, for it may still run. What is left when
    the time is up is the next round's: others may be heard again meanwhile."""
    now = dt.datetime.now(dt.UTC)
    records = [r for r in read_tree(home, host.provider_id).records if r.kind == CLAIM]
    moved = 0
    for request_id in {record.request_id for record in records}:
        if time.monotonic() > until:
            return moved
        try:
            moved += recover(home, request_id, now)[1]
        except Exception:  # one request must not keep the others waiting: the next round comes back to it
            log.exception("request %s could not be moved on from %s", request_id, host.name)
            return moved
    claims_moved(home, host.provider_id)
    return moved


def _in_chunks(items: Sequence[tuple[str, int]]) -> Iterator[Sequence[tuple[str, int]]]:
    return (items[begin : begin + AT_ONCE] for begin in range(0, len(items), AT_ONCE))

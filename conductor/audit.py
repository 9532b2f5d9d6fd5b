"""Compares what the tables say with each other, a bounded look at a time: claims and instances against their requests,
sums against records, projections against both, lists against what they name, and requests that nobody looks after.

The conductor's sweeps repair most of it anyway, in their own time; an audit says what there is now. It reads; a finding
knows its repair, which is done only when it is asked for (`repair`), by the functions that the conductor uses.
"""

import datetime as dt
import logging
from collections.abc import Iterator

from claims.lookups import SLOTS
from conductor.audit_requests import open_work_of, requests_of
from conductor.audit_trees import entries_of, trees_of
from conductor.finding import Finding, Stretch
from conductor.rows import find, remember
from providers.shards import all_shards
from store.home import Home
from store.session import keyspace, read

log = logging.getLogger("sched_portal.audit")


def stretches(home: Home, hours: int = 48) -> list[Stretch]:
    """All there is to look at in a cell; of its requests those of the last hours."""
    trees = [
        Stretch(home, "trees", name, number)
        for name, count in sorted(all_shards(home).items())
        for number in range(count)
    ]
    lists = [Stretch(home, "list of claims", number=slot) for slot in range(SLOTS)]
    cql = f"SELECT hour FROM {keyspace(home.datacenter)}.request_hours WHERE cell = ? LIMIT 10000"
    since = dt.datetime.now(dt.UTC) - dt.timedelta(hours=hours)
    found = sorted(row["hour"].replace(tzinfo=dt.UTC) for row in read(cql, [home.cell]))
    requests = [Stretch(home, "requests", hour=hour) for hour in found if hour > since]
    return [*trees, *lists, Stretch(home, "open work"), *requests]


def look(stretch: Stretch) -> Iterator[Finding]:
    """What is wrong there. Raises StoreUnavailable."""
    match stretch.kind:
        case "trees":
            yield from trees_of(stretch)
        case "list of claims":
            yield from entries_of(stretch)
        case "open work":
            yield from open_work_of(stretch.home)
        case _:
            yield from requests_of(stretch)


def repair(finding: Finding, who: str) -> None:
    """Does it, and keeps it in the request's history. It may have been repaired meanwhile: then nothing changes."""
    if finding.do is None:
        return
    finding.do()
    log.warning("%s repaired %s: %s: %s", who, finding.kind, finding.what, finding.repair)
    if finding.request_id is not None and (row := find(finding.request_id)) is not None:
        remember(row, row.state, who, f"audit, {finding.kind}: {finding.repair}")

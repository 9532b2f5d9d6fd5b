"""Reads a cell as it is now: every host from the projection, and the records of those that have claims in flight.

Read once per cell and process; what follows comes from the event log. `compare` finds what the log did not tell.
"""

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

from dashboard.apply import apply_image, host_of, remove
from dashboard.types import Delta, State, Vital
from providers.find import read_cell
from providers.heartbeat import HEARD, counts, rhythm
from providers.image import image_of
from providers.records import Tree, aware, tree_of
from providers.shards import all_shards
from store.home import Home
from store.session import READ, keyspace, read_many

AT_ONCE = 64  # shards or trees read side by side
LATE = 1.5  # intervals without a heartbeat


def load(home: Home) -> State:
    """The whole cell. Raises StoreUnavailable."""
    state = State(vital=vital(home))
    images = read_cell(home)
    state.hosts = {image["id"]: host_of(image, state.vital) for image in images}
    roots = {UUID(image["root"]) for image in images if image["claims"]}
    state.put(_from_records(state, home, roots))
    return state


def vital(home: Home) -> dict[str, Vital]:
    """How the roots are now, shard by shard. Raises StoreUnavailable."""
    late = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=LATE * rhythm(home).interval)
    columns = f"{HEARD}, failed_builds, conflicts"
    return {str(row["provider_id"]): _vital(row, late) for row in read_shards(home, columns, "heartbeats")}


def _vital(row: Mapping[str, Any], late: dt.datetime) -> Vital:
    alive, seen_at = counts(row), aware(row["seen_at"])
    heard_at = seen_at.isoformat(timespec="seconds") if seen_at and (not alive or seen_at < late) else ""
    return Vital(alive, heard_at, len(row["failed_builds"] or ()), len(row["conflicts"] or ()))


def compare(state: State, home: Home) -> Delta:
    """What the projection has and the log did not tell (its writer crashed in between, or wrote far too late).

    Reads ids and generations only; then the records of what differs, which decide. Raises StoreUnavailable.
    """
    rows = read_shards(home, "root_id, provider_id, generation")
    there = {str(row["provider_id"]): row for row in rows}
    behind = {
        row["root_id"]
        for host_id, row in there.items()
        if host_id not in state.gone
        and (host_id not in state.hosts or state.hosts[host_id]["generation"] < row["generation"])
    }
    lost = {UUID(host["root"]) for host in state.hosts.values() if host["id"] not in there}
    return _from_records(state, home, behind | lost)


def _from_records(state: State, home: Home, roots: Iterable[UUID]) -> Delta:
    """The trees' providers as their records say, with their claims; hosts that have no record any more are removed."""
    delta = Delta()
    at = dt.datetime.now(dt.UTC).isoformat()
    shown: dict[str, list[str]] = {}
    for host in state.hosts.values():
        shown.setdefault(host["root"], []).append(host["id"])
    for tree in _trees(home, sorted(roots, key=str)):
        for own in tree.providers.values():
            delta.merge(apply_image(state, _dated(tree, image_of(tree, own)), at))
        for host_id in shown.get(str(tree.root_id), ()):
            if UUID(host_id) not in tree.providers:
                delta.merge(remove(state, host_id))
    return delta


def _dated(tree: Tree, image: dict[str, Any]) -> dict[str, Any]:
    """Claims with the time they were made, which a record knows and an event's image does not."""
    made = {str(record.id): record.created_at for record in tree.records}
    claims = [{"created_at": _text(made.get(claim["id"])), **claim} for claim in image["claims"]]
    return {**image, "claims": claims}


def _text(at: dt.datetime | None) -> str | None:
    return at.isoformat() if at is not None else None


def _trees(home: Home, roots: Sequence[UUID]) -> Iterator[Tree]:
    cql = f"SELECT * FROM {keyspace(home.datacenter)}.provider_records WHERE root_id = ?"
    for begin in range(0, len(roots), AT_ONCE):
        page = roots[begin : begin + AT_ONCE]
        for root_id, rows in zip(page, read_many((cql, [root_id]) for root_id in page), strict=True):
            yield tree_of(home, root_id, rows)


def read_shards(home: Home, columns: str, table: str = "capacity") -> Iterator[Mapping[str, Any]]:
    """The named columns of all of a cell's rows, of a table that is sharded as the capacity table is."""
    cql = (
        f"SELECT {columns} FROM {keyspace(home.datacenter)}.{table} WHERE cell = ? AND resource_class = ? AND shard = ?"
    )
    shards = [[home.cell, name, shard] for name, count in sorted(all_shards(home).items()) for shard in range(count)]
    for begin in range(0, len(shards), AT_ONCE):
        for rows in read_many([(cql, key) for key in shards[begin : begin + AT_ONCE]], READ):
            yield from rows

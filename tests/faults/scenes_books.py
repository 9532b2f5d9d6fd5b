"""The books of a stage: what Cassandra's own sums say, what is held by whom, what is left over."""

import datetime as dt
from collections.abc import Iterator, Sequence

from claims import groups
from claims.find import list_page
from claims.lookups import SLOTS
from conductor import open_work
from providers.records import CLAIM, CLOSED, INSTANCE, OwnRow, Record, Tree, read_provider
from store.session import keyspace, read
from tests.faults.scenes_stage import SHAPES, Stage


def wrong_sums(stage: Stage) -> Iterator[str]:
    """Available is not the sum of the records, or below zero."""
    for host in stage.hosts:
        tree, own = read_provider(host)
        for name, available in own.available.items():
            total = _total(stage, tree, own, name)
            if total != available or available < 0:
                yield f"{own.row['name']}: {name} available {available}, sum of records {total}"


def _total(stage: Stage, tree: Tree, own: OwnRow, name: str) -> int:
    if own.resource_class.custom:  # CQL cannot sum what is in maps
        return own.amounts[name] + sum(r.amounts.get(name, 0) for r in tree.records if r.provider_id == own.id)
    table = f"{keyspace(stage.home.datacenter)}.provider_records"
    cql = f"SELECT SUM({name}) AS total FROM {table} WHERE root_id = ? AND provider_id = ?"
    return int(read(cql, [tree.root_id, own.id])[0]["total"])


def records(stage: Stage) -> list[Record]:
    return [record for tree in _trees(stage) for record in tree.records]


def wrong_claims(stage: Stage, wanted: Sequence[int]) -> Iterator[str]:
    """The request has other claims and instances than one for each of these members."""
    ours = [r for r in records(stage) if r.request_id == stage.request_id and r.kind in (CLAIM, INSTANCE)]
    if sorted(r.member for r in ours) != list(wanted):
        yield f"claimed for members {sorted(r.member for r in ours)} instead of {wanted}"
    if len({r.epoch for r in ours}) > 1 and not SHAPES[stage.shape].anew:
        yield f"claims of several plans: {sorted(r.epoch for r in ours)}"


def left_over(stage: Stage) -> Iterator[str]:
    """What is still there when everything was released and swept."""
    for tree in _trees(stage):
        for record in tree.records:
            yield f"a {record.kind} record is left, {record.state}, epoch {record.epoch}"
        for own in tree.providers.values():
            if not own.available == own.amounts == own.totals:
                yield f"{own.row['name']}: available {dict(own.available)} of {dict(own.totals)}"
    for member in groups.members(stage.group) if stage.group else ():
        yield f"a member of the group is left in {member.place}"
    for slot in range(SLOTS):
        for entry in list_page(stage.home, slot, None, 100):
            if entry.record is not None and entry.record.kind in (CLAIM, CLOSED):
                yield f"the list of claims has a {entry.record.kind}"


def still_due(stage: Stage) -> list[open_work.Entry]:
    """Open work that a conductor should have done a second ago."""
    before = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=1)
    return [entry for entry in open_work.due(stage.home) if entry.due_at < before]


def _trees(stage: Stage) -> Sequence[Tree]:
    return [read_provider(host)[0] for host in stage.hosts]

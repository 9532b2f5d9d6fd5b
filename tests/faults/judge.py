"""What is wrong at the end: trees that do not add up, claims that nobody was told of, claims that were told and are not
there."""

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from cassandra import DriverException
from cassandra.cluster import NoHostAvailable
from cassandra.connection import ConnectionException
from serial_reader import read_serially

from conductor.outcome import parts_of
from conductor.rows import find
from conductor.states import ENDED, SCHEDULING
from providers.records import CLAIM, OwnRow, Record, Tree, tree_of
from store.failures import StoreUnavailable
from store.home import Home


@dataclass(frozen=True, slots=True)
class Told:
    """A request as its author knows it: the claims it was told of, and whether it gave them back (None: maybe)."""

    request_id: UUID
    claims: frozenset[UUID]
    given_back: bool | None = False


def tree_at(home: Home, root_id: UUID, seconds: float = 60.0) -> Tree:
    """Read at SERIAL, which also finishes transactions that hang; again while Cassandra is away."""
    until = time.monotonic() + seconds
    while True:
        try:
            return tree_of(home, root_id, read_serially(root_id, home.datacenter))
        except (NoHostAvailable, DriverException, ConnectionException, StoreUnavailable):
            if time.monotonic() > until:
                raise
            time.sleep(0.1)


def sums(trees: Sequence[Tree]) -> list[str]:
    """Providers below zero, or with another `available` than the sum of their records, or closed ids with amounts."""
    return [finding for tree in trees for own in tree.providers.values() for finding in _sums(tree, own)]


def _sums(tree: Tree, own: OwnRow) -> Iterator[str]:
    rows = [r for r in tree.records if r.provider_id == own.id]
    for name, amount in own.amounts.items():
        total = amount + sum(r.amounts.get(name, 0) for r in rows)
        if total < 0:
            yield f"{own.id}: oversold, {name} sums to {total}"
        if total != own.available[name]:
            yield f"{own.id}: {name} sums to {total}, available says {own.available[name]}"
        used = sum(r.gives_back.get(name, 0) for r in rows)
        if amount + used != own.totals[name]:
            yield f"{own.id}: {name} is {amount} and {used} used, of {own.totals[name]}"


def requests(trees: Sequence[Tree], told: Mapping[UUID, Told]) -> list[str]:
    """Compares the claims with the requests: what their authors were told, and what their rows say."""
    claims = {r.id: r for tree in trees for r in tree.records if r.kind == CLAIM}
    findings = [
        f"{i}: told of, and not there"
        for one in told.values()
        if one.given_back is False
        for i in one.claims - set(claims)
    ]
    findings += [
        f"{i}: given back, and there" for one in told.values() if one.given_back for i in one.claims & set(claims)
    ]
    return findings + [wrong for r in claims.values() for wrong in _owner(r, told.get(r.request_id))]


def _owner(claim: Record, told: Told | None) -> Iterator[str]:
    row = find(claim.request_id)
    if told is not None and claim.id in told.claims:
        if told.given_back is False and (row is None or row.state in ENDED):
            yield f"{claim.id}: told of, and its request is {row.state if row else 'not there'}"
    elif told is not None and told.claims:
        yield f"{claim.id}: a ghost, its request was told of others"
    elif row is None or row.state in ENDED:
        yield f"{claim.id}: a ghost, its request is {row.state if row else 'not there'}"
    elif claim.id not in {p.claim_id for p in parts_of(row)}:
        yield f"{claim.id}: a ghost, its request does not know it"


def open_requests(request_ids: Collection[UUID]) -> list[str]:
    """Requests that have not come to an end or to claims."""
    rows = [(i, find(i)) for i in request_ids]
    return [
        f"request {i} is still {row.state}"
        for i, row in rows
        if row is not None
        and row.state == SCHEDULING
        and len(parts_of(row)) != len(row.plan.members if row.plan else ())
    ]

"""Lookups of claims: plain rows written before the transaction they point at. False positives, never negatives."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any
from uuid import UUID

from claims.types import Order
from providers.records import Record
from store.home import Home
from store.session import keyspace, write_many

SLOTS = 16  # partitions of a cell's list of claims
ENDED_TTL = 7 * 86400  # how long an ended claim's id still says what became of it


def slot_of(claim_id: UUID) -> int:
    return claim_id.int % SLOTS


def write_before(orders: Sequence[Order]) -> None:
    """Makes their claims findable by id and by cell, before they are there."""
    write_many(write for order in orders for write in _lookups(order))


def _lookups(order: Order) -> Iterator[tuple[str, list[Any]]]:
    home = order.home
    by_id = (
        f"INSERT INTO {keyspace()}.claims_by_id (claim_id, request_id, root_id, provider_id, cell, datacenter) "
        "VALUES (?, ?, ?, ?, ?, ?)"
    )
    by_cell = (
        f"INSERT INTO {keyspace(home.datacenter)}.claims_by_cell "
        "(cell, slot, claim_id, root_id, provider_id, request_id) VALUES (?, ?, ?, ?, ?, ?)"
    )
    for m in order.members:
        yield by_id, [m.claim_id, order.request_id, order.root_id, m.provider_id, home.cell, home.datacenter]
        yield by_cell, [home.cell, slot_of(m.claim_id), m.claim_id, order.root_id, m.provider_id, order.request_id]


def put_on_list(home: Home, root_id: UUID, provider_id: UUID, claim_id: UUID, request_id: UUID) -> None:
    """Puts an id on the cell's list, where it will be found and removed some time after it was closed."""
    cql = (
        f"INSERT INTO {keyspace(home.datacenter)}.claims_by_cell "
        "(cell, slot, claim_id, root_id, provider_id, request_id) VALUES (?, ?, ?, ?, ?, ?)"
    )
    write_many([(cql, [home.cell, slot_of(claim_id), claim_id, root_id, provider_id, request_id])])


def forget(home: Home, claim_ids: Iterable[UUID]) -> None:
    """Takes claims off the cell's list: they were consumed, or nothing is left under their ids."""
    cql = f"DELETE FROM {keyspace(home.datacenter)}.claims_by_cell WHERE cell = ? AND slot = ? AND claim_id = ?"
    write_many((cql, [home.cell, slot_of(claim_id), claim_id]) for claim_id in claim_ids)


def expire_ids(records: Iterable[Record]) -> None:
    """Lets the ids of claims that ended fade out of the lookup by id."""
    cql = (
        f"INSERT INTO {keyspace()}.claims_by_id (claim_id, request_id, root_id, provider_id, cell, datacenter) "
        "VALUES (?, ?, ?, ?, ?, ?) USING TTL ?"
    )
    write_many(
        (cql, [r.id, r.request_id, r.root_id, r.provider_id, r.home.cell, r.home.datacenter, ENDED_TTL])
        for r in records
    )

"""Finds claims: by id, on a provider, in a cell. The lookups may name claims that are gone; the records decide."""

import base64
import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from claims.lookups import SLOTS
from providers import cells
from providers.records import CLAIM, CLOSED, Record, locate, read_tree, record_of
from providers.refusals import Invalid, NotFound
from store.home import Home
from store.session import keyspace, read, read_many

READ_A_PAGE = 2000  # lookup rows looked at per page, however rare what is asked for
AT_ONCE = 200  # of one partition
ON_LIST = 256


@dataclass(frozen=True, slots=True)
class ClaimFilter:
    """Which claims in flight: each field narrows; empty ones do not. `older_than` is an instant."""

    cell: str = ""
    state: str = ""
    provider: UUID | None = None
    consumer: str = ""
    project: str = ""
    older_than: dt.datetime | None = None

    def matches(self, record: Record) -> bool:
        return (
            record.kind == CLAIM
            and self.cell in ("", record.home.cell)
            and self.state in ("", record.state)
            and self.provider in (None, record.provider_id)
            and self.consumer in ("", record.consumer)
            and self.project in ("", record.project)
            and (self.older_than is None or (record.created_at is not None and record.created_at < self.older_than))
        )


@dataclass(frozen=True, slots=True)
class ClaimPage:
    results: Sequence[Record]
    next: str | None


@dataclass(frozen=True, slots=True)
class Listed:
    """An entry of a cell's list of claims, when it was written, and what is there now."""

    claim_id: UUID
    listed_at: dt.datetime
    record: Record | None


def find(claim_id: UUID) -> Record:
    """The claim, or the instance it became. Raises NotFound when it ended, was never made, or its id is closed."""
    record = find_any(claim_id)
    if record is None or record.kind == CLOSED:
        raise NotFound(f"no claim {claim_id}")
    return record


def find_any(claim_id: UUID) -> Record | None:
    """The record under this id, closed ones too."""
    rows = read(f"SELECT * FROM {keyspace()}.claims_by_id WHERE claim_id = ?", [claim_id])
    if not rows:
        return None
    row = rows[0]
    return _read(Home(row["cell"], row["datacenter"]), [(row["root_id"], row["provider_id"], claim_id)])[0]


def was_a_claim(claim_id: UUID) -> UUID | None:
    """The request of a claim that is or was there, for a clear answer about one that ended."""
    rows = read(f"SELECT request_id FROM {keyspace()}.claims_by_id WHERE claim_id = ?", [claim_id])
    return rows[0]["request_id"] if rows else None


def on_provider(provider_id: UUID) -> list[Record]:
    """Claims and instances on one provider. Raises NotFound."""
    location = locate(provider_id)
    tree = read_tree(location.home, location.root_id)
    if provider_id not in tree.providers:
        raise NotFound(f"no provider {provider_id}")
    return [r for r in tree.records if r.provider_id == provider_id and r.kind != CLOSED]


def list_claims(wanted: ClaimFilter, limit: int, cursor: str | None = None) -> ClaimPage:
    """Claims in flight in a stable order. A page may be short before the end. Raises Invalid for a garbled cursor."""
    if wanted.provider is not None:
        return _on_provider(wanted, limit, cursor)
    partitions = [(home, slot) for home in _homes(wanted.cell) for slot in range(SLOTS)]
    position, after = _decode(cursor)
    found: list[Record] = []
    looked, together = 0, 1
    while position < len(partitions):
        some = partitions[position : position + together]
        for (home, _), rows in zip(some, _lookups(some, after), strict=True):
            for record, row in zip(_read(home, [_key(r) for r in rows]), rows, strict=True):
                if record is not None and wanted.matches(record):
                    if len(found) == limit:
                        return ClaimPage(found, _encode(position, after))
                    found.append(record)
                after = row["claim_id"]
            looked += len(rows)
            if len(rows) < AT_ONCE:
                position, after = position + 1, None
            if looked >= READ_A_PAGE and position < len(partitions):
                return ClaimPage(found, _encode(position, after))
            if after is not None:  # there is more of it: what comes after it has to wait
                break
        together = 1 if after is not None else min(2 * together, SLOTS)  # of those with little in them more at a time
    return ClaimPage(found, None)


def list_page(home: Home, slot: int, after: UUID | None, limit: int) -> list[Listed]:
    """A stretch of one partition of a cell's list, with everything that it leads to: closed ids and nothing too."""
    rows = _lookup(home, slot, after, limit)
    records = _read(home, [_key(row) for row in rows])
    return [
        Listed(row["claim_id"], dt.datetime.fromtimestamp(row["listed_at"] / 1e6, dt.UTC), record)
        for row, record in zip(rows, records, strict=True)
    ]


def providers_on_list(home: Home) -> set[tuple[UUID, UUID]]:
    """(root id, provider id) of those where a claim is in flight or ended lately. Of very many entries ON_LIST of each
    partition, others each time."""
    start = uuid4()  # claims' ids are spread evenly
    where = f"FROM {keyspace(home.datacenter)}.claims_by_cell WHERE cell = ? AND slot = ?"
    queries: list[tuple[str, list[Any]]] = []
    for slot in range(SLOTS):
        queries.append(
            (f"SELECT root_id, provider_id {where} AND claim_id > ? LIMIT ?", [home.cell, slot, start, ON_LIST])
        )
        queries.append((f"SELECT root_id, provider_id {where} LIMIT ?", [home.cell, slot, ON_LIST]))
    return {(row["root_id"], row["provider_id"]) for rows in read_many(queries) for row in rows}


def _on_provider(wanted: ClaimFilter, limit: int, cursor: str | None) -> ClaimPage:
    assert wanted.provider is not None
    _, after = _decode(cursor)
    try:
        records = on_provider(wanted.provider)
    except NotFound:
        return ClaimPage([], None)
    matching = sorted((r for r in records if wanted.matches(r)), key=lambda r: r.id.bytes)
    left = [r for r in matching if after is None or r.id.bytes > after.bytes]
    return ClaimPage(left[:limit], _encode(0, left[limit - 1].id) if len(left) > limit else None)


def _homes(cell: str) -> list[Home]:
    if not cell:
        return [c.home for c in cells.all_cells()]
    try:
        return [cells.find(cell).home]
    except NotFound:
        return []


def _lookup(home: Home, slot: int, after: UUID | None, limit: int) -> list[dict[str, Any]]:
    return read(*_select(home, slot, after, limit))


def _lookups(partitions: Sequence[tuple[Home, int]], after: UUID | None) -> list[list[dict[str, Any]]]:
    """The first rows of each; of the first partition those after that claim."""
    (first, *others) = partitions
    return read_many([_select(*first, after, AT_ONCE), *(_select(*one, None, AT_ONCE) for one in others)])


def _select(home: Home, slot: int, after: UUID | None, limit: int) -> tuple[str, list[Any]]:
    columns = "claim_id, root_id, provider_id, WRITETIME(request_id) AS listed_at"
    cql = f"SELECT {columns} FROM {keyspace(home.datacenter)}.claims_by_cell WHERE cell = ? AND slot = ?"
    if after is None:
        return f"{cql} LIMIT ?", [home.cell, slot, limit]
    return f"{cql} AND claim_id > ? LIMIT ?", [home.cell, slot, after, limit]


def _key(row: dict[str, Any]) -> tuple[UUID, UUID, UUID]:
    return row["root_id"], row["provider_id"], row["claim_id"]


def _read(home: Home, keys: Sequence[tuple[UUID, UUID, UUID]]) -> list[Record | None]:
    cql = (
        f"SELECT * FROM {keyspace(home.datacenter)}.provider_records "
        "WHERE root_id = ? AND provider_id = ? AND record_id = ?"
    )
    pages = read_many((cql, list(key)) for key in keys)
    return [record_of(home, rows[0]) if rows and rows[0]["kind"] else None for rows in pages]


def _encode(position: int, after: UUID | None) -> str:
    return base64.urlsafe_b64encode(f"{position}.{after or ''}".encode()).rstrip(b"=").decode()


def _decode(cursor: str | None) -> tuple[int, UUID | None]:
    if not cursor:
        return 0, None
    try:
        position, _, after = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode().partition(".")
        return int(position), UUID(after) if after else None
    except (ValueError, UnicodeDecodeError) as error:
        raise Invalid("next", "is not a cursor of this list") from error

"""Finds requests: one with its whole life, or a page of them, newest first."""

import base64
import binascii
import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from conductor.outcome import parts_of, planned_parts, records_of, state_of
from conductor.rows import RequestRow, find, find_many, get, history
from conductor.states import CLAIMED, ENDED, HELD, NOTIFIED, RELEASING, RESCHEDULING, SCHEDULING
from conductor.types import OVER, Part, RequestView
from events.tail import time_of
from providers import cells
from providers.records import Record
from providers.refusals import Invalid, NotFound
from store.home import Home
from store.session import keyspace, read_many

READ_A_PAGE = 500  # lookup rows looked at per page, however rare what is asked for
AT_ONCE = 25  # requests


@dataclass(frozen=True, slots=True)
class RequestFilter:
    """Which requests: each field narrows; empty ones do not."""

    cell: str = ""
    state: str = ""
    project: str = ""
    consumer: str = ""


@dataclass(frozen=True, slots=True)
class RequestPage:
    results: Sequence[RequestView]
    next: str | None


def read_request(request_id: UUID) -> RequestView:
    """A request with its parts, records and history. Raises NotFound."""
    row = get(request_id)
    parts = parts_of(row)
    return _view(row, parts, records_of(parts), history(row))


def list_requests(wanted: RequestFilter, limit: int, cursor: str | None = None) -> RequestPage:
    """Requests, newest first; a page may be short before the end. Raises Invalid for a garbled cursor."""
    homes = _homes(wanted.cell)
    before = last = _decode(cursor)
    found: list[RequestView] = []
    looked = 0
    for hour in _hours(homes, before):
        while True:
            rows = _lookups(homes, hour, before, wanted)
            for row, view in _read(rows, wanted.state, AT_ONCE if wanted.state else min(AT_ONCE, limit + 1)):
                if view is not None and _matches(view, wanted):
                    if len(found) == limit:
                        return RequestPage(found, _encode(last))
                    found.append(view)
                last = before = row["id"]
            looked += len(rows)
            if looked >= READ_A_PAGE:
                return RequestPage(found, _encode(last))
            if not rows:
                break
    return RequestPage(found, None)


def _read(
    rows: Sequence[Mapping[str, Any]], state: str, together: int
) -> Iterator[tuple[Mapping[str, Any], RequestView | None]]:
    """The requests of some rows of the lookup, so many side by side; None for one that is gone, or whose row alone says
    that it is in another state."""
    for some in (rows[begin : begin + together] for begin in range(0, len(rows), together)):
        found = find_many([row["request_id"] for row in some])
        requests = {one: request for one, request in found.items() if _may_be(request.state, state)}
        parts = {one: parts_of(request) for one, request in requests.items()}
        there = records_of([part for of_one in parts.values() for part in of_one])
        records = {record.id: record for record in there if record is not None}
        for row in some:
            one = row["request_id"]
            own = [records.get(part.claim_id) for part in parts.get(one, ())]
            yield row, _view(requests[one], parts[one], own) if one in requests else None


def _view(
    row: RequestRow, parts: Sequence[Part], records: Sequence[Record | None], lines: Sequence[Mapping[str, Any]] = ()
) -> RequestView:
    return RequestView(
        request_id=row.request_id,
        state=_finer(row, state_of(row, parts, records), lines),
        cell=row.cell,
        project=row.project,
        consumer=row.consumer,
        username=row.username,
        reason=row.reason,
        attempts=row.attempts,
        created_at=row.created_at,
        updated_at=row.updated_at,
        body=row.body,
        parts=parts,
        records=[r for r in records if r is not None],
        plan=row.plan,
        history=lines,
        failures=row.failures,
        explanation=(row.response or {}).get("explain"),
    )


def _finer(row: RequestRow, state: str, lines: Sequence[Mapping[str, Any]]) -> str:
    """Between two transactions, where it costs next to nothing to know."""
    if state == SCHEDULING and row.plan is not None and row.plan.holds and planned_parts(row):
        return HELD
    told = [line["state"] for line in lines if line["state"] in (NOTIFIED, RESCHEDULING)]
    if state == CLAIMED and told and told[-1] == NOTIFIED:
        return NOTIFIED
    return state


def roots_of(request_id: UUID, resource_class: str) -> frozenset[UUID]:
    """Where the request's claims and instances on that class are: roots of trees. Raises NotFound."""
    row = find(request_id)
    if row is None:
        raise NotFound(f"no request {request_id}")
    there = (part for part in parts_of(row) if part.state not in OVER and part.resource_class == resource_class)
    return frozenset(part.root_id for part in there)


def _may_be(written: str, wanted: str) -> bool:
    """Whether a request whose row says `written` may turn out to be in the state that is wanted."""
    if wanted in ENDED:
        return written in (wanted, RELEASING)
    return not wanted or written not in ENDED


def _matches(view: RequestView, wanted: RequestFilter) -> bool:
    return (
        wanted.cell in ("", view.cell)
        and wanted.state in ("", view.state)
        and wanted.project in ("", view.project)
        and wanted.consumer in ("", view.consumer)
    )


def _homes(cell: str) -> list[Home]:
    if not cell:
        return [c.home for c in cells.all_cells()]
    try:
        return [cells.find(cell).home]
    except NotFound:
        return []


def _hours(homes: Sequence[Home], before: UUID | None) -> list[dt.datetime]:
    """The hours that have requests, newest first, from the cursor's on."""
    queries = [
        (f"SELECT hour FROM {keyspace(home.datacenter)}.request_hours WHERE cell = ? LIMIT 10000", [home.cell])
        for home in homes
    ]
    hours = {row["hour"].replace(tzinfo=dt.UTC) for rows in read_many(queries) for row in rows}
    latest = time_of(before) if before else None
    return sorted((hour for hour in hours if latest is None or hour <= latest), reverse=True)


def _lookups(
    homes: Sequence[Home], hour: dt.datetime, before: UUID | None, wanted: RequestFilter
) -> list[dict[str, Any]]:
    queries: list[tuple[str, list[Any]]] = []
    for home in homes:
        cql = f"SELECT id, request_id FROM {keyspace(home.datacenter)}.requests_by_hour WHERE cell = ? AND hour = ?"
        values: list[Any] = [home.cell, hour]
        if before is not None:
            cql += " AND id < ?"
            values.append(before)
        for column, value in (("project", wanted.project), ("consumer", wanted.consumer)):
            if value:
                cql += f" AND {column} = ?"
                values.append(value)
        # Filtering inside one hour's partition of one cell, cut by LIMIT.
        queries.append((f"{cql} LIMIT 100 ALLOW FILTERING", values))
    rows = [row for found in read_many(queries) for row in found]
    return sorted(rows, key=lambda row: (row["id"].time, row["id"].bytes), reverse=True)[:100]


def _encode(last: UUID | None) -> str | None:
    if last is None:
        return None
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

"""What a drain touches: the requests that have claims or instances on a provider, whose they are, and what else of them
is elsewhere. To be looked at before, and while it empties."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from claims.types import BUILDING as CLAIM_BUILDING
from conductor.outcome import parts_of
from conductor.rows import RequestRow, find
from conductor.side_by_side import in_chunks, side_by_side
from conductor.states import BUILDING, CLAIMED, SCHEDULING
from conductor.types import GONE
from providers.drain import Drain
from providers.records import Record
from providers.refusals import Invalid
from providers.subtree import count, subtree

HOLDERS = 50  # told of one provider; the smaller ones are only counted


@dataclass(frozen=True, slots=True)
class Touched:
    """One request with something on the provider. `elsewhere`: how many of its other parts are on other providers.
    `state` is empty when the request is not known (any more)."""

    request_id: UUID
    consumer: str
    project: str
    state: str
    claims: int
    instances: int
    elsewhere: int


@dataclass(frozen=True, slots=True)
class Holder:
    """Whose it is."""

    project: str
    consumer: str
    requests: int
    claims: int
    instances: int


@dataclass(frozen=True, slots=True)
class TouchedPage:
    results: Sequence[Touched]
    next: str | None


def requests_on(drain: Drain) -> int:
    return len({record.request_id for record in drain.records})


def touched(drain: Drain, limit: int, cursor: str | None = None) -> TouchedPage:
    """The requests in the order of their ids, a page at a time. Raises Invalid for a garbled cursor."""
    after = _decode(cursor)
    by_request: dict[UUID, list[Record]] = {}
    for record in drain.records:
        if after is None or record.request_id > after:
            by_request.setdefault(record.request_id, []).append(record)
    ids = sorted(by_request)
    here = frozenset(own.id for own in subtree(drain.tree, drain.own.id))
    found: list[Touched] = []
    for some in in_chunks(ids[:limit]):
        found += side_by_side(lambda one: _touched(one, by_request[one], here), some)
    return TouchedPage(found, str(ids[limit - 1]) if len(ids) > limit else None)


def holders(drain: Drain) -> tuple[list[Holder], int]:
    """Whose claims and instances these are, those with most first; and how many holders are not among them."""
    by_holder: dict[tuple[str, str], list[Record]] = {}
    for record in drain.records:
        by_holder.setdefault((record.project, record.consumer), []).append(record)
    found = [
        Holder(project, consumer, len({r.request_id for r in records}), *count(records))
        for (project, consumer), records in by_holder.items()
    ]
    found.sort(key=lambda one: (-one.claims - one.instances, one.project, one.consumer))
    return found[:HOLDERS], max(0, len(found) - HOLDERS)


def _touched(request_id: UUID, records: list[Record], here: frozenset[UUID]) -> Touched:
    row = find(request_id)
    parts = parts_of(row) if row is not None else ()
    elsewhere = sum(1 for part in parts if part.state != GONE and part.provider_id not in here)
    first = records[0]
    return Touched(request_id, first.consumer, first.project, _state(row, records), *count(records), elsewhere)


def _state(row: RequestRow | None, records: list[Record]) -> str:
    """As far as it can be told from what is here: its other parts are not read for this."""
    if row is None:
        return ""
    if row.state in (SCHEDULING, CLAIMED):
        return BUILDING if any(record.state == CLAIM_BUILDING for record in records) else CLAIMED
    return row.state


def _decode(cursor: str | None) -> UUID | None:
    try:
        return UUID(cursor) if cursor else None
    except ValueError as error:
        raise Invalid("next", "is not a cursor of this list") from error

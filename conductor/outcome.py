"""What a request has come to: its state, its claims, and the first answer again for whoever repeats it."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from claims.image import image_of_claim
from claims.types import ACTIVE as CLAIM_ACTIVE
from claims.types import BUILDING as CLAIM_BUILDING
from claims.types import claim_id
from conductor.attempt import part_of
from conductor.rows import RequestRow
from conductor.states import ACTIVE, BUILDING, CLAIMED, ENDED, FAILED, RELEASED, RELEASING, SCHEDULING
from conductor.types import (
    OVER,
    PLAN_CHANGED,
    Contended,
    Decision,
    NoValidHost,
    Outcome,
    Part,
    Pending,
    Placed,
    PlanChanged,
)
from providers.image import Image
from providers.records import CLAIM, CLOSED, INSTANCE, Record, Tree, record_of
from providers.tree_columns import columns_of
from store.home import Home
from store.session import keyspace, read_many

NOBODY = UUID(int=0)
TOGETHER = 100  # records of one provider read by one query


def parts_of(row: RequestRow) -> tuple[Part, ...]:
    """The claims that the request made: from the row once it says so, else those of the plan's ids that are there."""
    return row.parts if row.parts or row.plan is None or row.plan.holds else planned_parts(row)


def planned_parts(row: RequestRow) -> tuple[Part, ...]:
    """Those of the plan's ids that are there, holds that were never committed too."""
    if row.plan is None:
        return ()
    tries = [(m, n, t) for m in row.plan.members for n, t in enumerate(m.tries)]
    planned = [part_of(row, member, number, place) for member, number, place in tries]
    return tuple(p for p, r in zip(planned, records_of(planned), strict=True) if r is not None and r.kind != CLOSED)


def waits_for_people(parts: Sequence[Part]) -> bool:
    """What stays has no agent, so it has no deadline either."""
    return all(part.agentless for part in parts if part.state not in OVER)


def planned_ids(row: RequestRow) -> list[UUID]:
    """The id of every try of the row's plan, whether there is a claim under it or not."""
    members = row.plan.members if row.plan else ()
    return [claim_id(row.request_id, row.epoch, m.number, n) for m in members for n in range(len(m.tries))]


def records_of(parts: Sequence[Part]) -> list[Record | None]:
    """The parts' records as they are now, in order; None for those that are gone. Bounded by the request's size: one
    query for up to TOGETHER of one provider."""
    by_provider: dict[tuple[str, UUID, UUID, str], list[UUID]] = {}
    for p in parts:
        by_provider.setdefault((p.datacenter, p.root_id, p.provider_id, p.resource_class), []).append(p.claim_id)
    queries: list[tuple[str, list[Any]]] = []
    for (datacenter, root_id, provider_id, of_class), ids in by_provider.items():
        cql = (
            f"SELECT {columns_of(frozenset([of_class]))} FROM {keyspace(datacenter)}.provider_records "
            "WHERE root_id = ? AND provider_id = ? AND record_id IN ?"
        )
        some = (ids[begin : begin + TOGETHER] for begin in range(0, len(ids), TOGETHER))
        queries += [(cql, [root_id, provider_id, few]) for few in some]
    found = {row["record_id"]: row for rows in read_many(queries) for row in rows if row["kind"]}
    return [record_of(Home(p.cell, p.datacenter), found[p.claim_id]) if p.claim_id in found else None for p in parts]


def state_of(row: RequestRow, parts: Sequence[Part], records: Sequence[Record | None]) -> str:
    """The request's state as everyone is told: what the row says, and what the claims under its ids say together."""
    there = [r for r in records if r is not None and r.kind in (CLAIM, INSTANCE)]
    if row.state == SCHEDULING:
        if not there:
            return SCHEDULING
        return BUILDING if any(r.state == CLAIM_BUILDING for r in there) else CLAIMED
    if row.state == CLAIMED:
        return BUILDING if any(r.state == CLAIM_BUILDING or r.kind == INSTANCE for r in there) else CLAIMED
    if row.state == ACTIVE:
        # Active only after the claims that its agents consumed are gone from every list.
        agentless = {p.claim_id for p in parts if p.agentless}
        waiting = any(r.kind == CLAIM and (r.id not in agentless or r.state != CLAIM_ACTIVE) for r in there)
        return BUILDING if waiting else ACTIVE
    if row.state == RELEASING and not there:
        return row.ends_as or RELEASED
    return row.state


def claim_images(row: RequestRow, parts: Sequence[Part], trees: Mapping[UUID, Tree] | None = None) -> list[Image]:
    """The claims in the API's form: as they are while they are claims, else as they were made. `trees`: those that the
    caller has just read, by id; they are not read again."""
    known = trees or {}
    there = {r.id: r for tree in known.values() for r in tree.records}
    unread = [p for p in parts if p.root_id not in known]
    there |= {r.id: r for r in records_of(unread) if r is not None}
    records = [there.get(p.claim_id) for p in parts]
    return [
        image_of_claim(record) if record is not None and record.kind == CLAIM else _as_made(row, part)
        for part, record in zip(parts, records, strict=True)
    ]


def _as_made(row: RequestRow, part: Part) -> Image:
    return {
        "id": str(part.claim_id),
        "request_id": str(row.request_id),
        "provider": str(part.provider_id),
        "provider_name": part.provider_name,
        "cell": part.cell,
        "resource_class": part.resource_class,
        "consumer": row.consumer,
        "project": row.project,
        "amounts": {name: -amount for name, amount in part.amounts.items() if amount},
        "state": CLAIMED,
        "created_at": row.created_at,
        "expires_at": None,
        "generation": None,
    }


def replay(row: RequestRow) -> Outcome | None:
    """The first outcome, from the row; None while it is still being decided."""
    explanation: Mapping[str, Any] = (row.response or {}).get("explain") or {}
    if row.state == FAILED and row.reason == "no_valid_host":
        return NoValidHost(row.request_id, explanation)
    if row.state == FAILED and row.reason == PLAN_CHANGED:
        return PlanChanged(row.request_id, (row.response or {}).get("changed", ()))
    if row.state in ENDED and not row.parts:
        return Contended(row.request_id, int((row.response or {}).get("attempts", 0)))
    parts = parts_of(row)
    if row.state == SCHEDULING and not parts:
        return None
    if row.state == SCHEDULING and row.plan is not None and len(parts) < len(row.plan.members):
        return None
    decided = row.plan.decided if row.plan else None
    parts = tuple({part.number: part for part in parts}.values())  # of one that was placed anew the last
    return Placed(row.request_id, claim_images(row, parts), max(1, row.attempts), replayed=True, decided=decided)


def no_valid_host(row: RequestRow, decision: Decision) -> NoValidHost:
    """The refusal that a decision without an assignment is."""
    assert decision.explanation is not None
    return NoValidHost(row.request_id, decision.explanation.as_json())


def nowhere(decision: Decision) -> Outcome:
    """There is no cell: a refusal that no row could keep."""
    if decision.explanation is None:
        return Pending(NOBODY)
    return NoValidHost(NOBODY, decision.explanation.as_json())

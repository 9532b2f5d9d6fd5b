"""What a host says of its claims: it builds, it has built, it could not, it is gone.

Each moves the request row first (the row decides), then the records; repeated after a crash, each finishes the rest.
"""

import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from uuid import UUID

from django.conf import settings

from claims import mark
from claims.consume import consume
from claims.find import find_any, was_a_claim
from claims.overtaken import tries
from claims.release import ANY, destroy, release
from claims.together import Together
from claims.types import HELD, Not
from conductor.activate import finish_active
from conductor.lose import lose
from conductor.outcome import parts_of, records_of
from conductor.release import begin_release, finish_release, is_done, push
from conductor.reschedule import reschedule
from conductor.rows import RequestRow, get, move, remember
from conductor.states import ACTIVE, CLAIMED, ENDED, FAILED, RELEASING, RESCHEDULING, SCHEDULING
from conductor.states import RELEASED as RELEASED_STATE
from conductor.texts import parts_json
from conductor.types import BUILT, OVER, Part
from events.types import CLAIM_FAILED
from providers.heartbeat import note_failed_build
from providers.records import CLAIM, CLOSED, INSTANCE, Record, locate
from providers.refusals import Busy, Conflict, NotFound, Undecided
from store.failures import StoreUnavailable

log = logging.getLogger("sched_portal.conductor")

PATIENCE = 5.0  # seconds that a report waits for others on the same request, before it goes alone
CONSUMED, RELEASED, CLOSED_STATE, MISSING, HELD_STATE = "consumed", "released", "closed", "missing", "held"


class ClaimGone(Conflict):
    """The claim is not what the agent thinks; `claim_state` says what it is, so that the agent knows what to do."""

    def __init__(self, claim_state: str, message: str) -> None:
        super().__init__(message)
        self.claim_state = claim_state


@dataclass(frozen=True, slots=True)
class _Said:
    """The row after a report: whether it says so since this one, and whether this one does what follows when the row
    is active (of several that moved it together, one)."""

    row: RequestRow
    is_new: bool
    finishes: bool


def building(claim_id: UUID, provider_id: UUID | None) -> Record:
    """The host is about to build. `provider_id`: the agent's own (None: an admin acts for it).

    Raises NotFound, ClaimGone when it must not build.
    """
    record = _claim(claim_id, provider_id)
    result = mark.building(record)
    if isinstance(result, Not):
        raise _gone(result.record, claim_id)
    return replace(record, state="building")


def built(claim_id: UUID, provider_id: UUID | None) -> RequestRow:
    """The host has built it: the request row says so, then the claim is consumed.

    Raises NotFound, ClaimGone (`consumed` when it had been before).
    """
    record = _claim(claim_id, provider_id)
    if record.kind == INSTANCE:
        raise _gone(record, claim_id)
    said = _say_built(record)
    result = consume(record)
    if isinstance(result, Not):
        raise _gone(result.record, claim_id)
    if said.row.state == ACTIVE and said.finishes:
        finish_active(said.row)
    return said.row


def not_built(claim_id: UUID, provider_id: UUID | None, reason: str) -> RequestRow:
    """The host could not build it, or stopped because it was asked to: its amounts come back, and the request is placed
    anew while attempts are left.

    Raises NotFound, ClaimGone.
    """
    record = _claim(claim_id, provider_id)
    if record.kind == INSTANCE:
        raise _gone(record, claim_id)
    who = f"agent of {record.provider_name}"
    row, is_first = _say_not_built(get(record.request_id), record, reason, who)
    release(record, ANY, CLAIM_FAILED)
    if record.release_requested:
        remember(row, row.state, who, reason)
    else:
        with suppress(NotFound):  # its provider may be gone by now
            note_failed_build(locate(record.root_id), record.id)
    if not is_first:
        return finish_release(row)
    return place_anew(row) if row.state == RESCHEDULING else push(row)


def _say_not_built(row: RequestRow, record: Record, reason: str, who: str) -> tuple[RequestRow, bool]:
    part = next((part for part in parts_of(row) if part.claim_id == record.id), None)
    if row.state in (RELEASING, *ENDED) or (part is not None and part.state in OVER):
        return row, False
    if record.release_requested:
        return begin_release(row, RELEASED_STATE, "released while it was being built", [record.id])
    if row.state == ACTIVE:  # the row says that it was built
        return begin_release(row, FAILED, f"{record.provider_name}: {reason}", None)
    return lose(row, {record.id: reason}, who)


def place_anew(row: RequestRow) -> RequestRow:
    """At once, for a conductor would come to it some seconds later; what fails here is left to it."""
    try:
        return reschedule(row)
    except (StoreUnavailable, Undecided) as error:
        log.info("request %s is placed anew by a conductor: %s", row.request_id, error)
        return row


def destroyed(request_id: UUID, provider_id: UUID | None, reason: str = "") -> RequestRow:
    """The instances of this request on this provider are gone (all of them for None: by force).

    With the request not being deleted, the instance died by itself: the request ends as failed, with the reason.
    Raises NotFound, Conflict while it is only claimed.
    """
    row = get(request_id)
    parts = [p for p in parts_of(row) if provider_id in (None, p.provider_id, p.root_id)]
    if not parts:
        raise NotFound(f"request {request_id} has nothing on this provider")
    there = [r for r in records_of(parts) if r is not None]
    records = [r for r in there if r.kind == INSTANCE]
    waiting = [r for r in there if r.kind == CLAIM]
    is_open, is_first = row.state not in (RELEASING, *ENDED), False
    if not records and waiting and is_open:
        raise Conflict(
            f"request {request_id} is {row.state}: its claim was not consumed, so there is nothing to destroy"
        )
    if is_open:
        row, is_first = begin_release(row, FAILED, reason or "its instance ended by itself", None)
    for record in records:
        destroy(record)
    remember(row, row.state, "agent", reason or "destroyed")
    return push(row) if is_first else finish_release(row)


def _say_built(record: Record) -> _Said:
    """The row says that this part is built; it is active when it was the last that an agent builds."""
    said = _at_once.do(record.request_id, record)
    if isinstance(said, ClaimGone):
        raise said
    if said.is_new:
        remember(said.row, said.row.state, f"agent of {record.provider_name}", "built")
    return said


def _say_built_together(records: Sequence[Record]) -> list[_Said | ClaimGone]:
    """Of one request, in one transaction: a large one has a large row, and its hosts report at once."""
    for _ in tries():
        row = get(records[0].request_id)
        before = parts_of(row)
        said = [_said_of(row, before, record) for record in records]
        new = {record.id for record, one in zip(records, said, strict=True) if one is None}
        parts = [replace(p, state=BUILT) if p.claim_id in new else p for p in before]
        is_known = any(isinstance(one, RequestRow) for one in said)
        done = (new or is_known) and all(is_done(p) for p in parts)
        if row.state == ACTIVE or not (new or done):
            return [one if isinstance(one, ClaimGone) else _Said(row, False, True) for one in said]
        is_anew = row.state == RESCHEDULING
        moved = move(row, ACTIVE if done else RESCHEDULING if is_anew else CLAIMED, members=parts_json(parts))
        if moved is not None:
            first = next(index for index, one in enumerate(said) if not isinstance(one, ClaimGone))
            return [
                one if isinstance(one, ClaimGone) else _Said(moved, one is None, index == first)
                for index, one in enumerate(said)
            ]
    raise Busy(f"request {records[0].request_id} is being changed by others all the time; repeat")


def _said_of(row: RequestRow, parts: Sequence[Part], record: Record) -> RequestRow | ClaimGone | None:
    """The row: it says already that this was built. None: it is to say so now."""
    part = next((p for p in parts if p.claim_id == record.id), None)
    if row.state == ACTIVE and part is not None and part.state == BUILT:
        return row  # consuming may still be to do
    if row.state not in (SCHEDULING, CLAIMED, RESCHEDULING):
        return ClaimGone(RELEASED, f"request {row.request_id} is {row.state}: tear down what was built")
    if row.state == SCHEDULING and row.plan is not None and row.plan.holds:
        return ClaimGone(HELD_STATE, f"request {row.request_id} is not committed yet: a held claim can't be consumed")
    if part is None and record.epoch != row.epoch:
        return ClaimGone(CLOSED_STATE, f"claim {record.id} belongs to an older plan of its request")
    if part is None or part.state in OVER or record.release_requested:
        return ClaimGone(RELEASED, f"claim {record.id} is no longer part of request {row.request_id}")
    return row if part.state == BUILT else None


def _claim(claim_id: UUID, provider_id: UUID | None) -> Record:
    record = find_any(claim_id)
    if record is None:
        if was_a_claim(claim_id) is None:
            raise NotFound(f"no claim {claim_id}")
        raise _gone(None, claim_id)
    if provider_id not in (None, record.provider_id, record.root_id):  # the root's agent acts for its whole tree
        raise NotFound(f"no claim {claim_id} on this provider")
    if record.kind == CLOSED:
        raise _gone(record, claim_id)
    return record


def _gone(record: Record | None, claim_id: UUID) -> ClaimGone:
    if record is None or (record.kind == CLOSED and record.state == RELEASED):
        return ClaimGone(RELEASED, f"claim {claim_id} is gone: it was released, or its instance was destroyed")
    if record.kind == INSTANCE:
        return ClaimGone(CONSUMED, f"claim {claim_id} was consumed already")
    if record.kind == CLOSED:
        return ClaimGone(CLOSED_STATE, f"claim {claim_id} was closed: it never happened")
    if record.state == HELD:
        return ClaimGone(HELD_STATE, f"claim {claim_id} is held: its request is not committed yet")
    if record.release_requested:
        return ClaimGone(RELEASED, f"claim {claim_id} is to be released: stop building and say failed")
    return ClaimGone(record.state, f"claim {claim_id} is {record.state}")


_at_once: Together[Record, _Said | ClaimGone] = Together(
    _say_built_together, lambda records, other: True, lambda: settings.REPORTS_TOGETHER, PATIENCE
)

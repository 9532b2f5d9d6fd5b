"""What an operator does to a claim in flight beside releasing it: tells its host again, has it placed anew, gives it
time, takes its host for suspect. Each is a transaction that conductors and the host know too: any may be first."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from claims.extend import extend
from claims.find import find as find_claim
from claims.types import HELD, Not
from conductor.lose import lose
from conductor.outcome import parts_of
from conductor.progress import place_anew
from conductor.release import push
from conductor.rows import RequestRow, get, remember
from conductor.states import RESCHEDULING
from conductor.types import MADE
from events.append import append
from events.types import CLAIM_CHANGED, News
from providers.change import Changes, change
from providers.records import CLAIM, Record, read_provider
from providers.refusals import Conflict, NotFound
from providers.register import DISABLED
from store.failures import StoreUnavailable

SUSPECT = "suspect: "  # how the reason of a host that is taken for it begins


@dataclass(frozen=True, slots=True)
class Moved:
    """A claim that was on a suspect host, and what became of it: its request's state, or why it stays."""

    claim_id: UUID
    request_id: UUID
    state: str = ""
    refusal: str = ""


def tell_again(claim_id: UUID, who: str, why: str) -> Record:
    """Its host is told once more that there are orders. Raises NotFound, Conflict, StoreUnavailable."""
    record = _in_flight(claim_id)
    data = {"state": record.state, "told_again_by": who}
    append(record.home, [News(CLAIM_CHANGED, record.provider_id, record.id, record.request_id, data)])
    _note(record, who, f"told its host again: {why}")
    return record


def give_time(claim_id: UUID, seconds: float, who: str, why: str) -> Record:
    """Its host may take so much longer, from its deadline or from now, whichever is later; the record as it is then.

    Raises NotFound; Conflict for a claim without a deadline, or one that is asked back or was changed meanwhile.
    """
    record = _in_flight(claim_id)
    if record.expires_at is None:
        raise Conflict(f"claim {claim_id} has no deadline: nothing builds it")
    begin = max(record.expires_at, dt.datetime.now(dt.UTC))
    until = begin + dt.timedelta(seconds=seconds)
    until = until.replace(microsecond=until.microsecond // 1000 * 1000)  # as Cassandra keeps it
    if isinstance(extend(record, until), Not):
        raise Conflict(f"claim {claim_id} was changed meanwhile, or is asked back: look at it again")
    _note(record, who, f"given time until {until:%Y-%m-%d %H:%M:%S} UTC: {why}")
    return find_claim(claim_id)


def move_elsewhere(claim_id: UUID, who: str, why: str) -> RequestRow:
    """Takes it from its host and has it placed anew, as when the host could not build it; its request afterwards.

    Raises NotFound, Conflict (it is built, or nothing that an agent builds), Busy, Undecided, StoreUnavailable.
    """
    record = _in_flight(claim_id)
    row = get(record.request_id)
    part = next((part for part in parts_of(row) if part.claim_id == claim_id), None)
    if part is None or part.state != MADE:
        raise Conflict(f"its request says of claim {claim_id} that it is {part.state if part else 'none of its own'}")
    if part.agentless:
        raise Conflict(f"claim {claim_id} is on a provider without an agent: it goes where its request goes")
    after, moved = lose(row, {claim_id: f"taken away by {who}: {why}"}, who)
    if not moved:
        raise Conflict(f"request {row.request_id} is {after.state} by now: look at it again")
    return place_anew(after) if after.state == RESCHEDULING else push(after)


def suspect(provider_id: UUID, state_version: int, who: str, why: str) -> None:
    """The root of the provider's tree gets no new claims until somebody enables it. `state_version` is the root's, as
    it was seen. Raises NotFound, Conflict (`StateVersionConflict`)."""
    tree, _ = read_provider(provider_id)
    reason = f"{SUSPECT}{why}"
    change(tree.root_id, state_version, Changes({"state": DISABLED, "state_reason": reason}, {}, {}), who)


def open_claims(provider_id: UUID) -> list[Record]:
    """Of the provider's whole tree: what its host has not built yet, and could be placed anew. Raises NotFound."""
    tree, _ = read_provider(provider_id)
    return [r for r in tree.records if r.kind == CLAIM and r.expires_at is not None and not r.release_requested]


def move_all(records: Sequence[Record], who: str, why: str) -> list[Moved]:
    """Each as `move_elsewhere`; one that is refused keeps none of the others back."""
    found = []
    for record in records:
        try:
            row = move_elsewhere(record.id, who, why)
            found.append(Moved(record.id, record.request_id, state=row.state))
        except (NotFound, Conflict, StoreUnavailable) as error:
            found.append(Moved(record.id, record.request_id, refusal=str(error)))
    return found


def _in_flight(claim_id: UUID) -> Record:
    record = find_claim(claim_id)
    if record.kind != CLAIM:
        raise Conflict(f"claim {claim_id} was consumed: it is an instance of request {record.request_id} now")
    if record.release_requested:
        raise Conflict(f"claim {claim_id} is asked back already: its host is to stop and to say so")
    if record.state == HELD:
        raise Conflict(f"claim {claim_id} is held: its request is not committed yet, and no host knows of it")
    return record


def _note(record: Record, who: str, why: str) -> None:
    row = get(record.request_id)
    remember(row, row.state, who, why)

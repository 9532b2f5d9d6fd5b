"""The states of a request, as a table: what may follow what, who says so, and by what.

Four of them are never written: the row and the claims under its ids say them together, and no transaction is spent on
them (DESIGN 4.10, docs/adr/0005-claimed-is-implied.md). docs/states.md is made from this table.
"""

from dataclasses import dataclass

ACCEPTED = "accepted"
SCHEDULING = "scheduling"
HELD = "held"
CLAIMED = "claimed"
NOTIFIED = "notified"
BUILDING = "building"
ACTIVE = "active"
RESCHEDULING = "rescheduling"
RELEASING = "releasing"
RELEASED = "released"
FAILED = "failed"
UNKNOWN = "unknown"

WRITTEN, IMPLIED, ANSWER = "written", "implied", "answer"


@dataclass(frozen=True, slots=True)
class State:
    """`kind`: WRITTEN into the row by a transaction; IMPLIED by the row and its claims; or only ever an ANSWER."""

    name: str
    kind: str
    means: str


@dataclass(frozen=True, slots=True)
class Transition:
    """`by`: the function that writes it; of an implied one, the transaction or plain write that it follows from."""

    source: str
    target: str
    by: str
    why: str
    implied: bool = False


STATES: tuple[State, ...] = (
    State(ACCEPTED, IMPLIED, "its row and its plan are there; nothing was tried yet"),
    State(SCHEDULING, WRITTEN, "the tries of its plan are being made"),
    State(HELD, IMPLIED, "some of its trees are held; its row does not say yet that they count"),
    State(CLAIMED, WRITTEN, "its claims are made; on one tree this is implied by the claims under its ids"),
    State(NOTIFIED, IMPLIED, "a host was shown its claim and has not begun"),
    State(BUILDING, IMPLIED, "a host is at work on it, or has built a part"),
    State(ACTIVE, WRITTEN, "all of it is built"),
    State(RESCHEDULING, WRITTEN, "a host could not build its part, or did not answer: it is placed on another"),
    State(RELEASING, WRITTEN, "it is being taken back; hosts are asked where they are at work"),
    State(RELEASED, WRITTEN, "nothing of it is left, as was asked"),
    State(FAILED, WRITTEN, "nothing of it is left, and it was not asked: the reason says why"),
    State(UNKNOWN, ANSWER, "the deadline passed without an answer; a conductor brings it to an end"),
)

ENDED = (RELEASED, FAILED)
WRITTEN_STATES = tuple(state.name for state in STATES if state.kind == WRITTEN)
ALL = tuple(state.name for state in STATES if state.name not in (ACCEPTED, UNKNOWN))  # a request may be found in these

TRANSITIONS: tuple[Transition, ...] = (
    Transition("", SCHEDULING, "conductor.accept", "a plan was made: ordered attempts with the ids of their claims"),
    Transition("", FAILED, "conductor.accept", "no valid host, after a full sweep; or its own plan holds no more"),
    Transition(FAILED, SCHEDULING, "conductor.twin", "asked for again after it was interrupted, or lost every try"),
    Transition(SCHEDULING, SCHEDULING, "conductor.place", "every try of the plan was refused: a new plan"),
    Transition(SCHEDULING, CLAIMED, "conductor.place", "every tree of the plan is held: the commit point"),
    Transition(SCHEDULING, FAILED, "conductor.place", "tries or time used up, or no valid host any more"),
    Transition(SCHEDULING, FAILED, "conductor.promote", "its own plan does not hold any more, or time used up"),
    Transition(SCHEDULING, ACTIVE, "conductor.progress", "its only host has built it"),
    Transition(SCHEDULING, CLAIMED, "conductor.progress", "one of several parts is built, or was released"),
    Transition(SCHEDULING, RESCHEDULING, "conductor.lose", "a host could not build it, did not answer, or is dead"),
    Transition(SCHEDULING, RELEASING, "conductor.release", "released before a host began"),
    Transition(CLAIMED, CLAIMED, "conductor.progress", "one of several hosts has built its part"),
    Transition(CLAIMED, ACTIVE, "conductor.progress", "the last of its hosts has built its part"),
    Transition(CLAIMED, RESCHEDULING, "conductor.lose", "a host could not build its part, did not answer, or is dead"),
    Transition(CLAIMED, RELEASING, "conductor.release", "released, or a part that nobody could build was the last"),
    Transition(RESCHEDULING, RESCHEDULING, "conductor.reschedule", "a conductor takes it on, or makes a new plan"),
    Transition(RESCHEDULING, RESCHEDULING, "conductor.progress", "another of its hosts has built its part meanwhile"),
    Transition(RESCHEDULING, CLAIMED, "conductor.reschedule", "its new trees are held: the commit point"),
    Transition(RESCHEDULING, ACTIVE, "conductor.reschedule", "what was lost has no agent, and the rest is built"),
    Transition(RESCHEDULING, ACTIVE, "conductor.release", "what found no other place is given up, the rest is built"),
    Transition(RESCHEDULING, RELEASING, "conductor.release", "released; or no attempt is left, or nothing fits"),
    Transition(ACTIVE, ACTIVE, "conductor.release", "a claim without an agent was released, others stay"),
    Transition(ACTIVE, RELEASING, "conductor.release", "deleted by a person or program, or the instance died"),
    Transition(RELEASING, RELEASED, "conductor.release", "nothing of it is left"),
    Transition(RELEASING, FAILED, "conductor.release", "nothing is left of what could not be built"),
    Transition("", ACCEPTED, "conductor.accept", "the row is written", implied=True),
    Transition(ACCEPTED, SCHEDULING, "conductor.accept", "the first claim is about to be tried", implied=True),
    Transition(SCHEDULING, HELD, "claims.take", "one of several trees is held", implied=True),
    Transition(HELD, CLAIMED, "conductor.commit", "the row says that what is held counts", implied=True),
    Transition(SCHEDULING, CLAIMED, "claims.take", "the one tree of the plan is claimed", implied=True),
    Transition(CLAIMED, NOTIFIED, "conductor.shown", "its host asked for orders and was shown it", implied=True),
    Transition(CLAIMED, BUILDING, "claims.mark", "the host says that it begins", implied=True),
    Transition(NOTIFIED, BUILDING, "claims.mark", "the host says that it begins", implied=True),
    Transition(BUILDING, ACTIVE, "claims.consume", "the last claim became an instance", implied=True),
    Transition(SCHEDULING, UNKNOWN, "conductor.place", "the deadline passed without an answer", implied=True),
)


def point(source: str, target: str) -> str:
    """What fault tests call a transition's transaction (store/failpoints.py)."""
    return f"requests.{source or 'new'}-{target}"


ALLOWED = frozenset((t.source, t.target) for t in TRANSITIONS if not t.implied)

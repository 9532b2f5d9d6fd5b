"""The states of a request, as a table: what may follow what, and who says so.

`scheduling` with claims that were made is `claimed` to everyone who asks: the plan in the row and the claim under a
planned id say it together, and no third transaction is spent on it (see docs/one-request.md).
"""

from dataclasses import dataclass

SCHEDULING = "scheduling"
CLAIMED = "claimed"
BUILDING = "building"  # derived from the claims: a host is at work
ACTIVE = "active"
RELEASING = "releasing"
RELEASED = "released"
FAILED = "failed"
UNKNOWN = "unknown"  # only ever an answer: the deadline passed without one

ENDED = (RELEASED, FAILED)
ALL = (SCHEDULING, CLAIMED, BUILDING, ACTIVE, RELEASING, RELEASED, FAILED)


@dataclass(frozen=True, slots=True)
class Transition:
    source: str
    target: str
    by: str  # the function that writes it
    why: str


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
    Transition(ACTIVE, ACTIVE, "conductor.release", "a claim without an agent was released, others stay"),
    Transition(SCHEDULING, RELEASING, "conductor.release", "released before a host began"),
    Transition(CLAIMED, CLAIMED, "conductor.progress", "one of several hosts has built its part"),
    Transition(CLAIMED, ACTIVE, "conductor.progress", "the last of its hosts has built its part"),
    Transition(CLAIMED, RELEASING, "conductor.release", "released, expired, or a host failed to build its part"),
    Transition(ACTIVE, RELEASING, "conductor.release", "deleted by a person or program, or the instance died"),
    Transition(RELEASING, RELEASED, "conductor.release", "nothing of it is left"),
    Transition(RELEASING, FAILED, "conductor.release", "nothing is left of what could not be built"),
)


def point(source: str, target: str) -> str:
    """What fault tests call a transition's transaction (store/failpoints.py)."""
    return f"requests.{source or 'new'}-{target}"


ALLOWED = frozenset((t.source, t.target) for t in TRANSITIONS)

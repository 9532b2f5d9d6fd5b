"""A request as it comes in, its plan, and what it can come to."""

import datetime as dt
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any
from uuid import UUID

from claims.groups import Group
from providers.image import Image
from providers.records import Record
from scheduler.assign import Assignment
from scheduler.changes import Change
from scheduler.types import Ranked, Resource, Stage


@dataclass(frozen=True, slots=True)
class ScheduleRequest:
    """What is asked for. `body` is the client's JSON as sent: its canonical form is what a repetition must equal."""

    consumer: str
    project: str
    resources: tuple[Resource, ...]
    body: Mapping[str, Any]
    username: str
    request_id: UUID | None = None
    cell: str = ""
    count: int = 1
    all_or_nothing: bool = True
    instance: Mapping[str, Any] | None = None
    group: Group | None = None
    same_host_as: frozenset[UUID] = frozenset()  # requests
    different_host_from: frozenset[UUID] = frozenset()
    avoid: frozenset[UUID] = frozenset()  # roots of trees on which it failed already
    filters: tuple[str, ...] | None = None
    weighers: Mapping[str, float] | None = None
    search: str = "sample"
    explain: bool = False

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.body)


def fingerprint(body: Mapping[str, Any]) -> str:
    """Of the canonical JSON (sorted keys, no spaces), without the id itself: it may come by header or in the body."""
    rest = {name: value for name, value in body.items() if name != "request_id"}
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Try:
    """One place that a member may get: a provider, as the decision saw it."""

    provider_id: UUID
    provider_name: str
    root_id: UUID
    cell: str
    datacenter: str
    state_version: int
    root_state_version: int
    agentless: bool
    place: str = ""  # in the request's group: host, rack or zone; "" when it is bound to none


@dataclass(frozen=True, slots=True)
class PlannedMember:
    """One claim to be made: what of, how much (positive amounts), and where, in order."""

    number: int
    resource_class: str
    amounts: Mapping[str, int]
    tries: tuple[Try, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """Stored in the request row before any claim is made, so that whoever finishes can name every claim there may be.

    `holds`: its members are on several trees (a group is one more), so each is held and the request row is the commit
    point; without it all members are on one tree, one transaction makes all claims, and nothing needs to be committed.
    """

    holds: bool
    members: tuple[PlannedMember, ...]
    domains: frozenset[str] = frozenset()  # the places there are for a group that spreads; not stored: joining is first
    decided: Mapping[str, Any] | None = None  # how; None: it was looked at first, or an older release made it


@dataclass(frozen=True, slots=True)
class Part:
    """One claim that was made, in the request row: `state` is made, built, gone, or lost: gone, and placed anew."""

    claim_id: UUID
    number: int
    provider_id: UUID
    provider_name: str
    root_id: UUID
    cell: str
    datacenter: str
    resource_class: str
    amounts: Mapping[str, int]
    agentless: bool
    state: str = "made"


MADE, BUILT, GONE, LOST = "made", "built", "gone", "lost"
OVER = (GONE, LOST)  # whatever there is under its id goes back


@dataclass(frozen=True, slots=True)
class Failure:
    """One attempt at a member that came to nothing on a host, as the request row keeps it."""

    at: dt.datetime
    member: int
    provider_id: UUID
    provider_name: str
    root_id: UUID
    reason: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why nothing fits, or how many did: the funnel, who came nearest (provider id, name, missing amounts), and what
    would make it fit. `considered` are all of the class (about, when not all shards were read); the funnel and the rest
    is of the `seen`, in `shards` of `of_shards`, in `seconds`; `policy` is the version that decided."""

    considered: int
    funnel: tuple[Stage, ...]
    nearest: tuple[tuple[UUID, str, Mapping[str, int]], ...]
    resource_class: str = ""
    query: str = ""
    search: str = "all"
    shards: int = 0
    of_shards: int = 0
    seen: int = 0
    seconds: float = 0.0
    policy: int = 0
    changes: tuple[Change, ...] = ()

    def as_json(self) -> dict[str, Any]:
        return {
            "considered": self.considered,
            "funnel": [
                {"stage": s.stage, "left": s.left, "removed": s.removed, "reason": s.reason} for s in self.funnel
            ],
            "nearest": [{"provider": str(p), "name": name, "short_by": dict(by)} for p, name, by in self.nearest],
            "resource_class": self.resource_class,
            "query": self.query,
            "search": self.search,
            "seen": {
                "providers": self.seen,
                "shards": self.shards,
                "of_shards": self.of_shards,
                "seconds": round(self.seconds, 3),
            },
            "policy": self.policy,
            "changes": [
                {"what": c.what, "from": c.wanted, "to": c.to, "providers": c.providers, "text": c.text}
                | ({"by": "operator"} if c.by_operator else {"by": "request"})
                for c in self.changes
            ],
        }


@dataclass(frozen=True, slots=True)
class Seen:
    """What a decision chose from: `fitting` providers, found by that `search` in so many shards (of 256 providers each,
    about) of so many; of several resources the sums."""

    search: str
    fitting: int
    shards: int
    of_shards: int


@dataclass(frozen=True, slots=True)
class Decision:
    """Where everything goes; or, with `assignment` None, why not (of the resource that found no place). `policy` is the
    version that decided, and `seen` what it chose from."""

    assignment: Assignment | None
    explanation: Explanation | None
    policy: int = 0
    seen: Seen | None = None

    @property
    def how(self) -> Mapping[str, Any] | None:
        """In the API's form."""
        return {"policy": self.policy, **asdict(self.seen)} if self.seen else None


PLAN_CHANGED = "plan_changed"  # why a request failed whose own plan did not hold any more
Changed = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Step:
    """One entry of a plan that was looked at first: a provider, and what must still be so. `generation` is what it was
    then; it may change."""

    provider_id: UUID
    state_version: int
    root_state_version: int | None = None
    generation: int | None = None


@dataclass(frozen=True, slots=True)
class Placed:
    """The claims are made. `replayed`: an earlier request with this id made them, and this one nothing."""

    request_id: UUID
    claims: Sequence[Image]
    attempts: int
    explanation: Mapping[str, Any] | None = None
    replayed: bool = False
    decided: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class NoValidHost:
    request_id: UUID
    explanation: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Contended:
    """Room was seen, but every try was lost to others; nothing is claimed."""

    request_id: UUID
    attempts: int


@dataclass(frozen=True, slots=True)
class Pending:
    """No answer in time (or the twin with the same id is still at it): ask for the request later."""

    request_id: UUID


@dataclass(frozen=True, slots=True)
class Mismatch:
    """The id was used for another body."""

    request_id: UUID


@dataclass(frozen=True, slots=True)
class PlanChanged:
    """The plan that was to be claimed exactly does not hold; nothing is claimed. Each of its providers as it is now."""

    request_id: UUID
    changed: Changed


Outcome = Placed | NoValidHost | Contended | Pending | Mismatch | PlanChanged


@dataclass(frozen=True, slots=True)
class DryRun:
    """All that fit, best first, per resource of the request; nothing was written."""

    ranked: Sequence[Ranked]
    explanation: Explanation


@dataclass(frozen=True, slots=True)
class RequestView:
    """A request's life, for its page."""

    request_id: UUID
    state: str
    cell: str
    project: str
    consumer: str
    username: str
    reason: str
    attempts: int
    created_at: dt.datetime | None
    updated_at: dt.datetime | None
    body: Mapping[str, Any]
    parts: Sequence[Part]
    records: Sequence[Record]
    plan: Plan | None
    history: Sequence[Mapping[str, Any]] = field(default=())
    failures: Sequence[Failure] = ()
    explanation: Mapping[str, Any] | None = None

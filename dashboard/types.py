"""What is shown of a cell: hosts, claims in flight, and what changed between two looks. All of it is JSON as sent."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypedDict

LINES = 500  # of the event feed that one message carries at most: the last ones


@dataclass(frozen=True, slots=True)
class Vital:
    """How a root is. `heard_at` (ISO 8601, UTC) only when its heartbeat is late or has stopped: who beats in time has
    nothing to tell."""

    alive: bool
    heard_at: str = ""
    failed_builds: int = 0
    conflicts: int = 0


SILENT = Vital(False)


class Amount(TypedDict):
    """One amount of a host, in its column's unit: capacity (total x ratio - reserved) = used + claimed + available."""

    total: int
    capacity: int
    used: int
    claimed: int
    available: int


class Host(TypedDict):
    """A provider as a row of the page. Of two rows of one host the one with the higher `generation` is the newer.

    `heard_at`, `failed_builds` (of the last half hour) and `conflicts` (of the last three minutes) are its root's."""

    id: str
    name: str
    resource_class: str
    root: str
    parent: str | None
    state: str
    state_reason: str
    heartbeat: str
    alive: bool
    heard_at: str
    failed_builds: int
    conflicts: int
    traits: list[str]
    rack: str
    zone: str
    generation: int
    claims: int
    instances: int
    amounts: dict[str, Amount]


class Claim(TypedDict):
    """A claim in flight: amounts are negative, `since` is when it was made (ISO 8601, UTC)."""

    id: str
    provider: str
    request_id: str
    consumer: str
    state: str
    amounts: dict[str, int]
    since: str


class Line(TypedDict):
    """An event as a line of the feed. `at` is ISO 8601, UTC; `data` what the event log has beside it."""

    id: str
    type: str
    at: str
    provider: str | None
    claim: str | None
    request: str | None
    data: Mapping[str, Any]


@dataclass(slots=True)
class Delta:
    """What changed, by id; None: it is gone. Merging two of them is the second one laid over the first.

    `lines` are what happened, in the order it was seen; `figures` the cell's newest ones, where there are new ones."""

    hosts: dict[str, Host | None] = field(default_factory=dict)
    claims: dict[str, Claim | None] = field(default_factory=dict)
    lines: list[Line] = field(default_factory=list)
    figures: Mapping[str, Any] | None = None

    def __bool__(self) -> bool:
        return bool(self.hosts or self.claims or self.lines or self.figures)

    def merge(self, later: "Delta") -> None:
        self.hosts.update(later.hosts)
        self.claims.update(later.claims)
        self.lines = [*self.lines, *later.lines][-LINES:]
        self.figures = later.figures or self.figures


@dataclass(slots=True)
class State:
    """A cell as it is shown. `vital` says how each root is; `gone` are the ids that were removed, so that a late event
    brings none of them back (ids are never reused)."""

    hosts: dict[str, Host] = field(default_factory=dict)
    claims: dict[str, Claim] = field(default_factory=dict)
    claims_on: dict[str, set[str]] = field(default_factory=dict)
    vital: Mapping[str, Vital] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)

    def put(self, delta: Delta) -> None:
        """Lays what changed over what is known; the page's script does the same."""
        for claim_id, claim in delta.claims.items():
            before = self.claims.pop(claim_id, None)
            if before is not None:
                there = self.claims_on[before["provider"]]
                there.discard(claim_id)
                if not there:
                    del self.claims_on[before["provider"]]
            if claim is not None:
                self.claims[claim_id] = claim
                self.claims_on.setdefault(claim["provider"], set()).add(claim_id)
        for host_id, host in delta.hosts.items():
            if host is None:
                self.hosts.pop(host_id, None)
                self.claims_on.pop(host_id, None)
                self.gone.add(host_id)
            else:
                self.hosts[host_id] = host

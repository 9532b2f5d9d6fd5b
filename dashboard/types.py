"""What is shown of a cell: hosts, claims in flight, and what changed between two looks. All of it is JSON as sent."""

from dataclasses import dataclass, field
from typing import TypedDict


class Amount(TypedDict):
    """One amount of a host, in its column's unit: capacity (total x ratio - reserved) = used + claimed + available."""

    total: int
    capacity: int
    used: int
    claimed: int
    available: int


class Host(TypedDict):
    """A provider as a row of the page. Of two rows of one host the one with the higher `generation` is the newer."""

    id: str
    name: str
    resource_class: str
    root: str
    parent: str | None
    state: str
    state_reason: str
    heartbeat: str
    alive: bool
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


@dataclass(slots=True)
class Delta:
    """What changed, by id; None: it is gone. Merging two of them is the second one laid over the first."""

    hosts: dict[str, Host | None] = field(default_factory=dict)
    claims: dict[str, Claim | None] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.hosts or self.claims)

    def merge(self, later: "Delta") -> None:
        self.hosts.update(later.hosts)
        self.claims.update(later.claims)


@dataclass(slots=True)
class State:
    """A cell as it is shown. `heard` are the roots whose agents are heard from; `gone` the ids that were removed, so
    that a late event brings none of them back (ids are never reused)."""

    hosts: dict[str, Host] = field(default_factory=dict)
    claims: dict[str, Claim] = field(default_factory=dict)
    claims_on: dict[str, set[str]] = field(default_factory=dict)
    heard: set[str] = field(default_factory=set)
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

"""What goes in and out of a decision."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

Amounts = Mapping[str, int]
PropertyValue = str | int


@dataclass(frozen=True, slots=True)
class Candidate:
    """A provider as the scheduler sees it: its own row, seen through the projection, plus whether it is alive.

    `amounts` is its own record (effective capacity less what its instances use), `available` the sum with its claims,
    `totals` what the hardware has; all in the unit of their column.
    """

    provider_id: UUID
    root_id: UUID
    cell: str
    datacenter: str
    resource_class: str
    name: str
    state: str
    root_state: str
    state_version: int
    root_state_version: int
    generation: int
    amounts: Amounts
    available: Amounts
    totals: Amounts
    properties: Mapping[str, PropertyValue]
    traits: frozenset[str]
    aggregates: frozenset[str]
    rack: str
    zone: str
    heartbeat: str
    alive: bool
    shard: int = 0
    state_reason: str = ""
    parent_id: UUID | None = None


AFFINITY, ANTI_AFFINITY = "affinity", "anti-affinity"
SOFT_POLICIES = ("soft-affinity", "soft-anti-affinity")


@dataclass(frozen=True, slots=True)
class GroupRule:
    """What a group allows its next member: `places` (root ids, racks or zones, by `scope`) have members already."""

    policy: str
    scope: str
    places: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Resource:
    """One line of a request: amounts (column -> whole number) of one resource class, with what the host must be."""

    resource_class: str
    amounts: Amounts
    properties: Mapping[str, PropertyValue] = field(default_factory=dict)
    required: frozenset[str] = frozenset()
    forbidden: frozenset[str] = frozenset()
    aggregates: frozenset[str] = frozenset()
    group: GroupRule | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why one provider does not do: the constant that API, admin and tests share, and a sentence for people."""

    reason: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Ranked:
    """A provider that fits, with its weight and each weigher's part in it."""

    candidate: Candidate
    weight: float
    weights: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Stage:
    """One step of the funnel: how many a filter removed, how many it left, and the reason it gave."""

    stage: str
    left: int
    removed: int
    reason: str


@dataclass(frozen=True, slots=True)
class Policy:
    """Which filters run, in order; the weighers with their multipliers; how many of the best the pick is drawn from."""

    filters: tuple[str, ...]
    weighers: Mapping[str, float]
    subset: int = 5
    alternates: int = 5

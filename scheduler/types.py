"""What goes in and out of a decision."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

Amounts = Mapping[str, int]
PropertyValue = str | int


@dataclass(frozen=True, slots=True)
class Admission:
    """Who and what a provider's aggregates keep it for; None: they say nothing about it."""

    tenants: frozenset[str] | None = None
    images: frozenset[str] | None = None


EVERYBODY = Admission()


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
    claims: int = 0  # in flight, held ones too
    instances: int = 0
    failed_builds: int = 0  # lately, of its tree
    conflicts: int = 0  # stretches of the last minutes in which claims on its tree were refused for want of room
    admits: Admission = EVERYBODY
    multipliers: Mapping[str, float] = field(default_factory=dict)  # of weighers, by its aggregates

    @property
    def builds(self) -> int:
        """Claims that its agent is at work on or will be; one without an agent builds nothing."""
        return 0 if self.heartbeat == "none" else self.claims


AFFINITY, ANTI_AFFINITY, SPREAD = "affinity", "anti-affinity", "spread"
SOFT_POLICIES = ("soft-affinity", "soft-anti-affinity")


@dataclass(frozen=True, slots=True)
class GroupRule:
    """What a group allows its next member: `places` (root ids, racks or zones, by `scope`) have members already."""

    policy: str
    scope: str
    places: frozenset[str] = frozenset()
    members: Mapping[str, int] = field(default_factory=dict)  # by place; for `spread`
    max_skew: int = 1
    domains: frozenset[str] = frozenset()  # the places there are, with members or without; for `spread`
    slack: int = 0  # how many more copies of the request come, which may fill emptier places before this one


EQUAL, UNEQUAL, AT_LEAST, AT_MOST, ONE_OF = "==", "!=", ">=", "<=", "in"
OPERATORS = (EQUAL, UNEQUAL, AT_LEAST, AT_MOST, ONE_OF)


@dataclass(frozen=True, slots=True)
class Condition:
    """What one property must be; `value` is a tuple for `in`. A provider without the property meets only `!=`."""

    property: str
    operator: str
    value: PropertyValue | tuple[PropertyValue, ...]


@dataclass(frozen=True, slots=True)
class Resource:
    """One line of a request: amounts (column -> whole number) of one resource class, with what the host must be.

    `properties` must be equal; `conditions` are the other operators. `any_of`: of each set one trait at least.
    """

    resource_class: str
    amounts: Amounts
    properties: Mapping[str, PropertyValue] = field(default_factory=dict)
    required: frozenset[str] = frozenset()
    forbidden: frozenset[str] = frozenset()
    aggregates: frozenset[str] = frozenset()
    group: GroupRule | None = None
    conditions: tuple[Condition, ...] = ()
    any_of: tuple[frozenset[str], ...] = ()
    only_on: frozenset[UUID] | None = None  # roots: where the named requests run
    not_on: frozenset[UUID] = frozenset()
    project: str = ""
    image: str = ""
    cells: frozenset[str] | None = None  # that may be asked; None: any
    kept_for: frozenset[str] = frozenset()  # aggregates that are for its image: it goes nowhere else


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
    """Which filters run; the weighers with their multipliers; how many of the best the pick is drawn from.

    `sample_hosts`: how many a sample looks for; `sweep_seconds`: how long a sweep may take; `pack_limit`: up to how
    many providers of a class a policy that packs reads all; `max_instances`, `max_builds`: of one host, 0 for no limit.
    """

    filters: tuple[str, ...]
    weighers: Mapping[str, float]
    subset: int = 5
    alternates: int = 5
    sample_hosts: int = 16
    sweep_seconds: float = 10.0
    pack_limit: int = 20_000
    max_instances: int = 0
    max_builds: int = 0
    version: int = 0  # of the stored policy; 0: the settings'
    home_cell: str = ""  # what the weigher `cell` prefers

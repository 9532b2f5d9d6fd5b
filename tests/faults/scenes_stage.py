"""The stage of a scene: a cell, its hosts and one request of a client, so that scenes do not meet each other."""

import contextlib
import itertools
import uuid
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from claims.groups import Group
from conductor.identify import make_request_id
from conductor.types import ScheduleRequest
from providers import cells
from providers.cells import number_of
from providers.heartbeat import beat
from providers.inventory import Inventory
from providers.records import locate
from providers.refusals import Conflict
from providers.register import NewProvider, register
from providers.resource_classes import custom
from providers.resource_classes.kind import amount
from scheduler.types import AFFINITY, ANTI_AFFINITY, Resource
from store.home import Home

# What the hosts do with a claim: all of them, or the first, which is the largest and so is chosen first.
BUILDS, BREAKS, SILENT = "builds", "breaks", "silent"
FIRST_BREAKS, FIRST_SILENT = "first breaks", "first silent"
_numbers = itertools.count(1)

VCPUS = Resource("compute", {"vcpus": 8})
DISK = Resource("block_storage", {"capacity_gb": 10})
TOO_MUCH = Resource("compute", {"vcpus": 64})
COMPUTE = {"vcpus": 16, "memory_mb": 1024, "disk_gb": 10}
SMALL = {"vcpus": 8, "memory_mb": 1024, "disk_gb": 10}
LARGER = {"vcpus": 12, "memory_mb": 1024, "disk_gb": 10}
OWN_CLASS = "licences_of_scenes"  # its amounts are kept in maps: other statements, and a read before each
STORAGE = {"capacity_gb": 100, "iops": 100}


@dataclass(frozen=True)
class Shape:
    """What is asked for, and of which hosts (their class, amounts, and whether they have an agent)."""

    resources: tuple[Resource, ...]
    hosts: tuple[tuple[str, dict[str, int], bool], ...]
    count: int = 1
    policy: str = ""  # of the group that the request is in
    anew: bool = False  # its body is as the API sends it, with its resources: only such a request is placed anew
    all_or_nothing: bool = True

    @property
    def members(self) -> range:
        return range(len(self.resources) * self.count)


LARGE = ("compute", LARGER, True)
SMALL_ONES = (("compute", SMALL, True), ("compute", SMALL, True), ("compute", SMALL, True))
POOL = ("block_storage", STORAGE, False)
SHAPES = {
    "one": Shape((VCPUS,), (("compute", COMPUTE, True),)),
    "agentless": Shape((VCPUS,), (("compute", COMPUTE, False),)),
    "impossible": Shape((TOO_MUCH,), (("compute", COMPUTE, True),)),
    "stale": Shape((VCPUS,), (("compute", COMPUTE, True), ("compute", SMALL, True))),
    "stale alone": Shape((VCPUS,), (("compute", COMPUTE, True),)),
    "two on one host": Shape((VCPUS,), (("compute", COMPUTE, True),), count=2),
    "two hosts": Shape((VCPUS,), (("compute", SMALL, True), ("compute", SMALL, True)), count=2),
    "apart": Shape((VCPUS,), (("compute", COMPUTE, True), ("compute", COMPUTE, True)), count=2, policy=ANTI_AFFINITY),
    "together": Shape((VCPUS,), (("compute", COMPUTE, True), ("compute", COMPUTE, True)), count=2, policy=AFFINITY),
    "own class": Shape((Resource(OWN_CLASS, {"seats": 2}),), ((OWN_CLASS, {"seats": 4}, True),)),
    "host and disk": Shape((VCPUS, DISK), (("compute", COMPUTE, True), ("block_storage", STORAGE, False))),
    "one anew": Shape((VCPUS,), (LARGE, *SMALL_ONES), anew=True),
    "one nowhere": Shape((VCPUS,), (LARGE,), anew=True),
    "two anew": Shape((VCPUS,), (LARGE, *SMALL_ONES), count=2, anew=True),
    "two or one": Shape((VCPUS,), (LARGE, SMALL_ONES[0]), count=2, anew=True, all_or_nothing=False),
    "apart anew": Shape((VCPUS,), (LARGE, *SMALL_ONES), count=2, policy=ANTI_AFFINITY, anew=True),
    "host and disk anew": Shape((VCPUS, DISK), (LARGE, *SMALL_ONES, POOL), anew=True),
    "host and disks anew": Shape((VCPUS, DISK), (LARGE, POOL, POOL), anew=True),
}


@dataclass(frozen=True)
class Stage:
    """`other_id` is of a request that takes room before."""

    shape: str
    cell: str
    home: Home
    request_id: UUID
    other_id: UUID
    hosts: tuple[UUID, ...]
    with_agent: frozenset[UUID]
    agents: str = BUILDS
    settings: dict[str, float] = field(default_factory=dict)

    def request(self) -> ScheduleRequest:
        shape = SHAPES[self.shape]
        return self._request(self.request_id, shape, self.group)

    @property
    def group(self) -> Group | None:
        policy = SHAPES[self.shape].policy
        return Group("faults", self.cell, policy, "host") if policy else None

    def other(self) -> ScheduleRequest:
        """Takes most of the first host, which is the largest."""
        return self._request(self.other_id, Shape((Resource("compute", {"vcpus": 10}),), ()))

    def breaks(self, host: UUID) -> bool:
        return self.agents == BREAKS or (self.agents == FIRST_BREAKS and host == self.hosts[0])

    def is_silent(self, host: UUID) -> bool:
        return self.agents == SILENT or (self.agents == FIRST_SILENT and host == self.hosts[0])

    def _request(self, request_id: UUID, shape: Shape, group: Group | None = None) -> ScheduleRequest:
        resources, count = shape.resources, shape.count
        body: dict[str, Any] = {"count": count}
        if shape.anew:
            asked = [{"resource_class": one.resource_class, "amounts": dict(one.amounts)} for one in resources]
            body |= {"resources": asked, "cell": self.cell, "all_or_nothing": shape.all_or_nothing}
        if group:
            body["group"] = {"id": group.id, "policy": group.policy, "scope": group.scope}
        return ScheduleRequest(
            "me", "faults", resources, body, "me", request_id, self.cell, count, shape.all_or_nothing, group=group
        )


def set_up(shape: str, agents: str = BUILDS, **settings: float) -> Stage:
    """A new cell with the hosts of the shape. The ids of its requests are at home in it, as those that portals make."""
    with contextlib.suppress(Conflict):  # the scene before has made it
        custom.create(OWN_CLASS, [amount("seats", "seat")])
    cell = cells.create(f"scene-{next(_numbers)}-{uuid.uuid4().hex[:6]}")
    hosts, with_agent = [], set()
    for number, (resource_class, amounts, has_agent) in enumerate(SHAPES[shape].hosts):
        inventory = {name: Inventory(amount) for name, amount in amounts.items()}
        heartbeat = "agent" if has_agent else "none"
        _, own = register(NewProvider(f"h{number}", cell.name, resource_class, inventory, heartbeat=heartbeat))
        hosts.append(own.id)
        if has_agent:
            with_agent.add(own.id)
            beat(locate(own.id))
    ids = make_request_id(number_of(cell.name)), make_request_id(number_of(cell.name))
    return Stage(shape, cell.name, cell.home, *ids, tuple(hosts), frozenset(with_agent), agents, settings)

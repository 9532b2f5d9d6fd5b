"""The stage of a request's state machine: its hosts, what they do and run, and what must be so of its rows."""

import datetime as dt
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from claims import groups
from claims.find import on_provider
from claims.types import BUILDING, HELD
from conductor import open_work
from conductor.identify import make_request_id
from conductor.progress import ClaimGone, building, built, destroyed, not_built
from conductor.rows import RequestRow
from conductor.states import ENDED, RELEASING
from conductor.types import OVER, ScheduleRequest
from providers import cells
from providers.cells import number_of
from providers.heartbeat import beat
from providers.inventory import Inventory
from providers.records import CLAIM, INSTANCE, Record, locate, read_provider
from providers.refusals import Busy, Conflict, NotFound, Undecided
from providers.register import NewProvider, register
from scheduler.types import ANTI_AFFINITY, Resource
from store.failures import StoreUnavailable
from store.session import read

VCPUS = Resource("compute", {"vcpus": 2})
DISK = Resource("block_storage", {"capacity_gb": 10})
# Leases are over at once: whoever comes by takes the request over from whoever is at it.
SETTINGS = {
    "SCHEDULE_DEADLINE": 5.0,
    "REQUEST_LEASE": -5.1,
    "HEARTBEAT_TTL": 3600,
    "CLAIMS_TOGETHER": 1,
    "REPORTS_TOGETHER": 1,
    "RESCHEDULE_LIMIT": 3,
}
REFUSALS = (Conflict, NotFound, Busy, Undecided, StoreUnavailable)


@dataclass(frozen=True)
class Shape:
    """What is asked for; `vcpus` of each of the four hosts."""

    vcpus: int = 4
    count: int = 1
    disk: bool = False
    apart: bool = False
    whole: bool = True

    @property
    def resources(self) -> tuple[Resource, ...]:
        return (VCPUS, DISK) if self.disk else (VCPUS,)


SHAPES = (
    Shape(),
    Shape(disk=True),
    Shape(count=2),
    Shape(vcpus=2, count=2),
    Shape(vcpus=2, count=3, whole=False),
    Shape(count=2, apart=True),
)


@dataclass
class Tally:
    """What was done in all runs."""

    every: int = 0
    began: float = field(default_factory=time.monotonic)
    counts: Counter[str] = field(default_factory=Counter)
    moves: Counter[str] = field(default_factory=Counter)
    ends: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        seconds = time.monotonic() - self.began
        return (
            f"{dict(self.counts)}, {seconds:.0f} s\nends: {dict(self.ends)}\nmoves: {dict(sorted(self.moves.items()))}"
        )


class RequestStage:
    """One request and its hosts. `running`: what hosts run, claim -> host."""

    def set_up(self, shape: Shape) -> None:
        self.shape = shape
        self.silent: set[UUID] = set()
        self.running: dict[UUID, UUID] = {}
        cell = cells.create(f"machine-{uuid.uuid4().hex[:12]}")
        self.cell, self.home = cell.name, cell.home
        self.request_id = make_request_id(number_of(cell.name))
        self.hosts = [self._host(f"h{number}", "compute", {"vcpus": shape.vcpus}, "agent") for number in range(4)]
        self.pools = [self._host(f"p{n}", "block_storage", {"capacity_gb": 10}, "none") for n in range(2 * shape.disk)]

    def _host(self, name: str, of_class: str, amounts: Mapping[str, int], heartbeat: str) -> UUID:
        whole = {"vcpus": 0, "memory_mb": 1, "disk_gb": 1} if of_class == "compute" else {"capacity_gb": 0, "iops": 1}
        inventory = {column: Inventory(total) for column, total in (whole | dict(amounts)).items()}
        _, own = register(NewProvider(name, self.cell, of_class, inventory, heartbeat=heartbeat))
        if heartbeat == "agent":
            beat(locate(own.id))
        return own.id

    def _wanted(self) -> ScheduleRequest:
        shape = self.shape
        body: dict[str, Any] = {"count": shape.count, "all_or_nothing": shape.whole, "cell": self.cell}
        body["resources"] = [{"resource_class": r.resource_class, "amounts": dict(r.amounts)} for r in shape.resources]
        if self.group:
            body["group"] = {"id": self.group.id, "policy": self.group.policy, "scope": "host"}
        return ScheduleRequest("me", "machine", shape.resources, body, "me", self.request_id, self.cell, shape.count,
                               shape.whole, group=self.group)  # fmt: skip

    @property
    def group(self) -> groups.Group | None:
        return groups.Group("machine", self.cell, ANTI_AFFINITY, "host") if self.shape.apart else None

    def _say(self, host: UUID, record: Record, says: str) -> None:
        try:
            if says == "not built":
                self.running.pop(record.id, None)  # taken away before it is said
                not_built(record.id, host, "no such image")
                return
            if says == "building" or record.state != BUILDING:
                building(record.id, host)
            if says == "built":
                self.running[record.id] = host
                built(record.id, host)
        except ClaimGone as gone:
            if gone.claim_state != "consumed":
                self.running.pop(record.id, None)
        except NotFound:
            self.running.pop(record.id, None)

    def _look(self, host: UUID) -> None:
        """What an agent does at one look for orders, and with what it runs and is not asked for any more."""
        found = {record.id: record for record in on_provider(host)}
        for record in found.values():
            if record.kind == INSTANCE and record.state == "destroying":
                self.running.pop(record.id, None)
                self._quietly(lambda: destroyed(self.request_id, host))
            elif record.kind == CLAIM and record.release_requested:
                self._quietly(lambda r=record: self._say(host, r, "not built"))  # type: ignore[misc]
            elif record.kind == CLAIM and record.state != HELD:
                self._quietly(lambda r=record: self._say(host, r, "built"))  # type: ignore[misc]
        for claim in [c for c, on in self.running.items() if on == host and c not in found]:
            self.running.pop(claim)  # it says `built` again and hears that the claim is gone

    def _quietly(self, call: Callable[[], object]) -> None:
        """What is refused is said again later."""
        try:
            call()
        except REFUSALS:
            self.refused()

    def refused(self) -> None:
        """Hears of it."""

    def _records(self) -> list[Record]:
        return [record for one in (*self.hosts, *self.pools) for record in on_provider_with_closed(one)]

    def _on_pools(self) -> set[UUID]:
        return {r.id for r in self._records() if r.provider_id in self.pools}

    def _is_on_the_list(self) -> bool:
        space = open_work.put_on(self.home, self.request_id, dt.datetime.now(dt.UTC))[0].split(".open_requests")[0]
        cql = f"{space.removeprefix('INSERT INTO ')}.open_requests"
        now = dt.datetime.now(dt.UTC).replace(second=0, microsecond=0)
        minutes = [now + dt.timedelta(minutes=n) for n in range(-5, 12)]
        query = f"SELECT due_at FROM {cql} WHERE cell = ? AND minute IN ? AND slot = ? AND request_id = ?"
        slot = self.request_id.int % open_work.SLOTS
        return bool(read(query, [self.home.cell, minutes, slot, self.request_id]))

    def _wrong_sums(self) -> Iterator[str]:
        for one in (*self.hosts, *self.pools):
            tree, own = read_provider(one)
            for name, available in own.available.items():
                total = own.amounts[name] + sum(r.amounts.get(name, 0) for r in tree.records)
                if total != available or available < 0:
                    yield f"{own.row['name']}: {name} available {available}, sum of records {total}"

    def _built_twice(self, row: RequestRow) -> Iterator[str]:
        """Two claims that count for one member; what the row says is lost or gone does not."""
        if row.state in (RELEASING, *ENDED):
            return
        over = {part.claim_id for part in row.parts if part.state in OVER}
        there = [r for r in self._records() if r.kind in (CLAIM, INSTANCE) and r.state != HELD and r.id not in over]
        for member, number in Counter(record.member for record in there).items():
            if number > 1:
                yield f"{number} claims for member {member}: {[(r.id, r.state, r.epoch) for r in there]}"


def on_provider_with_closed(provider_id: UUID) -> list[Record]:
    tree, own = read_provider(provider_id)
    return [record for record in tree.records if record.provider_id == own.id]

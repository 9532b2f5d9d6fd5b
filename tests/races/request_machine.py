"""The state machine of one request: its client, two conductors, its hosts and who declares them silent, interleaved.

A transaction at a time, each of them free to die or to lose an answer at any. After every step the rows in Cassandra
must agree with each other; at the end the request has come to its end and nothing is left over.
"""

import datetime as dt
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest
from django.conf import settings
from hypothesis import reject
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from request_players import DIE_AFTER, DIE_BEFORE, GO, NOT_HEARD, NOT_SENT, Dies, Player, Players, end_all

from claims import groups
from claims.find import on_provider
from claims.types import BUILDING, HELD
from conductor import open_work
from conductor.identify import make_request_id
from conductor.outcome import parts_of
from conductor.place import schedule
from conductor.progress import ClaimGone, building, built, destroyed, not_built
from conductor.recover import recover
from conductor.release import delete_request
from conductor.rows import RequestRow, find
from conductor.states import ACTIVE, ALLOWED, ENDED, FAILED, RELEASING
from conductor.twin import UNDECIDED
from conductor.types import OVER, ScheduleRequest
from providers import cells
from providers.cells import number_of
from providers.heartbeat import beat
from providers.inventory import Inventory
from providers.records import CLAIM, CLOSED, INSTANCE, Record, locate, read_provider
from providers.refusals import Busy, Conflict, NotFound, Undecided
from providers.register import NewProvider, register
from providers.silent import Silent, declare, heard_again
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
END = 60  # rounds until a request must have come to its end


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


class RequestMachine(RuleBasedStateMachine):
    """One request a run."""

    def __init__(self, tally: Tally, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__()
        self.tally, self.state, self.history = tally, "", list[str]()
        self.crew = Players(monkeypatch, self._applied)
        self.at_work: dict[str, Player] = {}
        self.silent: set[UUID] = set()
        self.running: dict[UUID, UUID] = {}  # what hosts run: claim -> host
        self.asked = self.is_over = False

    @initialize(shape=st.sampled_from(SHAPES), how=st.sampled_from(("whole", "whole", "steps")))
    def a_cell(self, shape: Shape, how: str) -> None:
        self.shape = shape
        cell = cells.create(f"machine-{uuid.uuid4().hex[:12]}")
        self.cell, self.home = cell.name, cell.home
        self.request_id = make_request_id(number_of(cell.name))
        self.hosts = [self._host(f"h{number}", "compute", {"vcpus": shape.vcpus}, "agent") for number in range(4)]
        self.pools = [self._host(f"p{n}", "block_storage", {"capacity_gb": 10}, "none") for n in range(2 * shape.disk)]
        self.history.append(f"{shape}")
        self.the_client_asks(how)

    def _host(self, name: str, of_class: str, amounts: Mapping[str, int], heartbeat: str) -> UUID:
        whole = {"vcpus": 0, "memory_mb": 1, "disk_gb": 1} if of_class == "compute" else {"capacity_gb": 0, "iops": 1}
        inventory = {column: Inventory(total) for column, total in (whole | dict(amounts)).items()}
        _, own = register(NewProvider(name, self.cell, of_class, inventory, heartbeat=heartbeat))
        if heartbeat == "agent":
            beat(locate(own.id))
        return own.id

    # Who begins what.

    @precondition(lambda self: self._may_ask())
    @rule(how=st.sampled_from(("whole", "whole", "steps")))
    def the_client_asks(self, how: str) -> None:
        self.asked = True
        self._begin("client", "schedule", lambda: schedule(self._wanted()), how)

    @precondition(lambda self: self.asked)
    @rule(how=st.sampled_from(("whole", "steps")), really=st.sampled_from((False, False, False, True)))
    def the_client_deletes(self, how: str, really: bool) -> None:
        if really:
            self._begin("deleter", "delete", lambda: delete_request(self.request_id, "me"), how)

    @precondition(lambda self: self.asked)
    @rule(which=st.sampled_from("AB"), how=st.sampled_from(("whole", "steps", "steps")))
    def a_conductor_comes_by(self, which: str, how: str) -> None:
        self._begin(f"conductor {which}", "recover", self._recover, how)

    @precondition(lambda self: self.asked)
    @rule(which=st.sampled_from("AB"), how=st.sampled_from(("whole", "steps", "steps")))
    def a_conductor_finds_hosts_late(self, which: str, how: str) -> None:
        """As if each host that has not begun had been asked long ago."""
        settings.ANSWER_DEADLINE = -1.0
        try:
            self._begin(f"conductor {which}", "recover late", self._recover, how)
        finally:
            settings.ANSWER_DEADLINE = 600.0

    @precondition(lambda self: self.asked)
    @rule(
        which=st.integers(0, 3),
        says=st.sampled_from(("building", "built", "built", "not built", "not built", "looks")),
        how=st.sampled_from(("whole", "whole", "steps")),
    )
    def a_host_says(self, which: int, says: str, how: str) -> None:
        """Of the first that it finds; `looks`: what an agent does with all that it finds."""
        host = self.hosts[which]
        if host in self.silent:
            return
        if says == "looks":
            self._look(host)
            return
        found = next((r for r in on_provider(host) if r.kind == CLAIM and r.state != HELD), None)
        if found is not None:
            self._begin(f"host {which}", f"{says} {found.id}", lambda: self._say(host, found, says), how)

    @precondition(lambda self: self.asked)
    @rule(which=st.integers(0, 3))
    def a_host_is_declared_silent(self, which: int) -> None:
        now, host = dt.datetime.now(dt.UTC), self.hosts[which]
        if len(self.silent) < 2 and declare(self.home, Silent(host, f"h{which}", "compute", 0, now, now, False)):
            self.silent.add(host)
            self.history.append(f"h{which} is silent")

    @precondition(lambda self: bool(self.silent))
    @rule()
    def one_is_heard_again(self) -> None:
        host = sorted(self.silent)[0]
        heard_again(self.home, host)
        self.silent.discard(host)
        self.history.append(f"h{self.hosts.index(host)} is heard again")

    # Who goes on.

    @precondition(lambda self: bool(self.at_work))
    @rule(which=st.integers(0, 9), times=st.integers(1, 4))
    def one_goes_on(self, which: int, times: int) -> None:
        for _ in range(times):
            self._step(which, GO)

    @precondition(lambda self: bool(self.at_work))
    @rule(which=st.integers(0, 9), how=st.sampled_from((DIE_BEFORE, DIE_AFTER, NOT_SENT, NOT_HEARD)))
    def one_meets_a_fault(self, which: int, how: str) -> None:
        self.tally.counts[how] += 1
        self._step(which, how)

    @precondition(lambda self: bool(self.at_work))
    @rule(which=st.integers(0, 9))
    def one_comes_to_its_end(self, which: int) -> None:
        self._player(which).run_on()
        self._sort_out()

    # What is always so.

    @invariant()
    def the_rows_agree(self) -> None:
        if self.crew.unanswered:
            self._give_up()
        if not hasattr(self, "hosts") or self.is_over:
            return
        row = find(self.request_id, at_home=True)
        if row is not None and row.state != self.state:
            self._fail(f"the row is {row.state}, its transactions made it {self.state}")
        wrong = [*self._wrong_sums(), *(self._built_twice(row) if row else ())]
        if wrong:
            self._fail("; ".join(wrong))

    def teardown(self) -> None:
        try:
            if hasattr(self, "hosts") and not self.is_over:
                self._to_the_end()
        finally:
            end_all(list(self.at_work.values()))
            self.tally.counts["runs"] += 1
            if self.tally.every and self.tally.counts["runs"] % self.tally.every == 0:
                print(self.tally, flush=True)

    def _to_the_end(self) -> None:
        for player in list(self.at_work.values()):
            player.run_on()
        self._sort_out()
        for host in self.silent:
            heard_again(self.home, host)
        self.silent.clear()
        self.the_rows_agree()
        row = self._settle(lambda row: row.state in (ACTIVE, *ENDED))
        if row is None:
            return
        self.tally.ends[row.state] += 1
        wanted = sorted(p.claim_id for p in parts_of(row) if row.state == ACTIVE and p.state not in OVER)
        there = sorted(r.id for r in self._records() if r.kind in (CLAIM, INSTANCE))
        if there != wanted or sorted(self.running) != [c for c in wanted if c not in self._on_pools()]:
            self._fail(f"{row.state} has {wanted}, there is {there}, hosts run {sorted(self.running)}")
        if row.state == ACTIVE:
            delete_request(self.request_id, "me")
            self._settle(lambda row: row.state in ENDED)
        left = [r for r in self._records() if r.kind != CLOSED]
        if left or self.running or (self.group and groups.members(self.group)):
            self._fail(f"left over: {left}, running {self.running}, group {self.group and groups.members(self.group)}")

    def _settle(self, is_settled: Callable[[RequestRow], bool]) -> RequestRow | None:
        """Conductors and hosts go on until all is done; None: nothing was ever written."""
        row = find(self.request_id, at_home=True)
        for _ in range(END if row else 0):
            assert row is not None
            if is_settled(row) and not any(self._is_open(row, r) for r in self._records()):
                return row
            if row.state not in (ACTIVE, *ENDED) and not self._is_on_the_list():
                self._fail(f"{row.state}, and not on the list of open work")
            self._quietly(self._recover)
            for host in self.hosts:
                self._look(host)
            row = find(self.request_id, at_home=True)
            self.the_rows_agree()
        if row is not None:
            self._fail(f"does not come to its end: {row.state}, {self._records()}")
        return None

    def _is_open(self, row: RequestRow, record: Record) -> bool:
        if record.kind == CLAIM:
            return record.provider_id not in self.pools or row.state in ENDED
        return record.kind == INSTANCE and row.state in ENDED

    # How.

    def _begin(self, who: str, title: str, call: Callable[[], Any], how: str) -> None:
        if who in self.at_work:
            return
        self.history.append(f"{who}: {title}, {how}")
        player = Player(self.crew, title, call)
        self.at_work[who] = player
        if how == "whole":
            player.run_on()
        self._sort_out()

    def _player(self, which: int) -> Player:
        return self.at_work[sorted(self.at_work)[which % len(self.at_work)]]

    def _step(self, which: int, told: str) -> None:
        if not self.at_work:
            return
        player = self._player(which)
        who = next(name for name, one in self.at_work.items() if one is player)
        self.history.append(f"  {who} {told} at {player.at}")
        player.step(told)
        self._sort_out()

    def _sort_out(self) -> None:
        """Who has ended leaves; whoever ended by an error that nobody expects fails the run."""
        for who, player in list(self.at_work.items()):
            if player.is_over:
                del self.at_work[who]
                self.history.append(f"  {who}: {player.title} -> {player.outcome}")
                if player.error is not None and not isinstance(player.error, REFUSALS):
                    self._fail(f"{who}: {player.title} raised {player.error!r}", player.error)

    def _applied(self, point: str) -> None:
        """Hears of every transaction that went through."""
        self.tally.counts["transactions"] += 1
        if not point.startswith("requests."):
            return
        source, _, target = point.removeprefix("requests.").partition("-")
        source = "" if source == "new" else source
        self.tally.moves[f"{source}-{target}"] += 1
        if (source, target) not in ALLOWED or source != self.state:
            self.state = f"{self.state}, then moved from {source} to {target}"
        else:
            self.state = target

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

    def _may_ask(self) -> bool:
        """Not while the first try is under way: its twin would wait for it."""
        if "client" in self.at_work or not hasattr(self, "hosts"):
            return False
        row = find(self.request_id)
        return row is None or (row.state == FAILED and row.reason in UNDECIDED and not self.at_work)

    def _recover(self) -> object:
        return recover(self.home, self.request_id, dt.datetime.now(dt.UTC))

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
        except Dies:
            raise

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
        try:
            call()
        except REFUSALS:
            if self.crew.unanswered:
                self._give_up()

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

    def _give_up(self) -> None:
        """Cassandra really did not answer: what is so then, nobody knows."""
        self.is_over, self.crew.unanswered = True, False
        self.tally.counts["given up"] += 1
        reject()

    def _fail(self, why: str, cause: BaseException | None = None) -> None:
        self.is_over = True
        raise AssertionError(f"{why}\n" + "\n".join(self.history)) from cause


def on_provider_with_closed(provider_id: UUID) -> list[Record]:
    tree, own = read_provider(provider_id)
    return [record for record in tree.records if record.provider_id == own.id]

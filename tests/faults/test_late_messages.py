"""Answers that are lost and messages that come late, one at a time, on a real Cassandra. Nothing is oversold, lost or
left as a ghost; and the same scene with a bug planted is noticed, or it would prove nothing."""

import threading
import time
import uuid
from collections.abc import Callable
from typing import Any
from uuid import UUID

import judge
import planted_bugs as bugs
import pytest
from judge import Told, tree_at
from proxy import CUT, CUT_BEFORE, HELD, LATE, LOST, Message, Proxy, Rule

from claims import consume, release, take
from claims.find import find
from claims.lookups import SLOTS
from claims.settle import close
from claims.types import Already, Done, Member, Order, Taken, Unsettled, claim_id
from conductor.place import schedule
from conductor.recover import recover
from conductor.rows import RequestRow
from conductor.rows import find as find_request
from conductor.sweep import sweep_claims
from conductor.types import Placed, ScheduleRequest
from providers.cells import Cell
from providers.records import OwnRow, Record
from scheduler.types import Resource
from store.failures import StoreUnavailable
from store.session import disconnect

COMPUTE = Resource("compute", {"vcpus": 3, "memory_mb": 512})
STORAGE = Resource("block_storage", {"capacity_gb": 10})
Wanted = Callable[[Message], bool]


def takes(own: OwnRow) -> Wanted:
    return lambda m: "INSERT INTO" in m.cql and "available_" in m.cql and own.id.bytes in m.body


def gives(own: OwnRow, to: str) -> Wanted:
    """The batch that makes a claim on this provider an `instance`, or `released`."""
    return lambda m: "gives_back" in m.cql and m.is_transaction and to.encode() in m.body and own.id.bytes in m.body


class Scene:
    """One cell with its hosts, what their authors were told, and what is wrong at the end."""

    def __init__(self, proxy: Proxy, cell: Cell, host: Callable[..., OwnRow], settings: Any) -> None:
        self.proxy, self.cell, self.make, self.settings = proxy, cell, host, settings
        self.hosts: list[OwnRow] = []
        self.told: dict[UUID, Told] = {}
        self.findings: list[str] = []

    def host(self, **changes: Any) -> OwnRow:
        self.hosts.append(self.make(heartbeat="none", **changes))
        return self.hosts[-1]

    def schedule(self, *resources: Resource) -> Any:
        wanted = ScheduleRequest("me", "faults", resources, {"all_or_nothing": True}, "somebody", cell=self.cell.name)
        outcome = schedule(wanted)
        claims = [UUID(c["id"]) for c in outcome.claims] if isinstance(outcome, Placed) else []
        self.told[outcome.request_id] = Told(outcome.request_id, frozenset(claims))
        return outcome

    def order(self, own: OwnRow) -> Order:
        request = uuid.uuid4()
        member = Member(claim_id(request, 0, 0, 0), 0, own.id, "host", "compute", {"vcpus": 3}, own.state_version)
        return Order(self.cell.home, own.id, own.state_version, request, 0, "me", "faults", (member,))

    def sweep(self) -> int:
        return sum(sweep_claims(self.cell.home, slot, None)[0].closed for slot in range(SLOTS))

    def say(self, claim: UUID, there: str | None) -> None:
        """Finds it wrong when what is under this id is not of the kind that its author was told."""
        trees = [tree_at(self.cell.home, own.row["root_id"]) for own in self.hosts]
        found = next((r.kind for tree in trees for r in tree.records if r.id == claim and r.kind != "closed"), None)
        if found != there:
            self.findings.append(f"{claim}: is {found}, its author was told {there}")

    def end(self) -> list[str]:
        trees = [tree_at(self.cell.home, own.row["root_id"]) for own in self.hosts]
        return [*self.findings, *judge.sums(trees), *(judge.requests(trees, self.told) if self.told else [])]


def late_take(scene: Scene) -> None:
    """A claim gets no answer and is settled; its message comes after that, as from a coordinator that was paused."""
    rule = scene.proxy.add(HELD, takes(scene.host()))
    assert isinstance(scene.schedule(COMPUTE), Placed)
    rule.let_go()


def lost_take(scene: Scene) -> None:
    """A claim goes through, its answer does not."""
    scene.proxy.add(LOST, takes(scene.host()))
    assert isinstance(scene.schedule(COMPUTE), Placed)


def take_later_than_its_closed_id(scene: Scene) -> None:
    """The message comes when even the closed id has been removed."""
    scene.settings.CLOSED_KEPT = 0.0
    rule = scene.proxy.add(HELD, takes(scene.host()))
    assert isinstance(scene.schedule(COMPUTE), Placed)
    assert scene.sweep() == 1
    rule.let_go()


def late_duplicate_of_a_released_claim(scene: Scene) -> None:
    """A claim is asked for twice, since the first message stays away; it is released, and then the first one comes."""
    own = scene.host()
    order = scene.order(own)
    claim = order.members[0].claim_id
    rule = scene.proxy.add(HELD, takes(own))
    assert isinstance(take.take(order), Unsettled)
    assert take.take(order) == Taken()
    assert release.release(find(claim)) == Done()
    rule.let_go()
    scene.say(claim, None)


def lost_release(scene: Scene) -> None:
    own = scene.host()
    order = scene.order(own)
    assert take.take(order) == Taken()
    scene.proxy.add(LOST, gives(own, "released"))
    assert release.release(find(order.members[0].claim_id)) in (Already(), Done())
    scene.say(order.members[0].claim_id, None)


def lost_release_then_no_connection(scene: Scene) -> None:
    """Nobody may be told "nothing was written" when only the later tries certainly were not run."""
    own = scene.host()
    order = scene.order(own)
    assert take.take(order) == Taken()
    scene.proxy.add(LOST, gives(own, "released"))
    scene.proxy.add(CUT_BEFORE, gives(own, "released"))
    assert release.release(find(order.members[0].claim_id)) in (Already(), Done())
    scene.say(order.members[0].claim_id, None)


def lost_consume(scene: Scene) -> None:
    own = scene.host()
    order = scene.order(own)
    assert take.take(order) == Taken()
    scene.proxy.add(LOST, gives(own, "instance"))
    assert consume.consume(find(order.members[0].claim_id)) in (Already(), Done())
    scene.say(order.members[0].claim_id, "instance")


def cut_take(scene: Scene) -> None:
    """The connection breaks after the claim went through. It is sent once, and who says "not run" means it."""
    own = scene.host()
    order = scene.order(own)
    scene.proxy.remembers = True
    scene.proxy.add(CUT, takes(own))
    try:
        told = take.take(order)
    except StoreUnavailable:
        scene.say(order.members[0].claim_id, None)
    else:
        assert told == Taken() or _settled(own, order) is not None
        scene.say(order.members[0].claim_id, "claim")
    sent = sum(takes(own)(m) for m in scene.proxy.passed)
    if sent != 1:
        scene.findings.append(f"one transaction was sent {sent} times")


def _settled(own: OwnRow, order: Order) -> Record | None:
    until = time.monotonic() + 40.0
    return close(order.home, own.id, own.id, order.members[0].claim_id, order.request_id, until)


def expiry_while_confirming(scene: Scene) -> None:
    """A request over two trees is committed; its author is slow to confirm the holds, and the conductor comes by."""
    slow = scene.proxy.add(LATE, lambda m: "SET state = ?" in m.cql and "kind = 'claim'" in m.cql and b"held" in m.body)
    author, row = _on_two_trees(scene, slow)
    recover(row.home, row.request_id, row.lease_until)
    slow.let_go()
    author.join(20)


def expiry_while_committing(scene: Scene) -> None:
    """Both trees are held, the commit is on its way for so long that the conductor ends the request first."""
    slow = scene.proxy.add(LATE, moves_to("claimed"))
    author, row = _on_two_trees(scene, slow)
    recover(row.home, row.request_id, row.lease_until)
    slow.let_go()
    author.join(20)


def commit_while_expiring(scene: Scene) -> None:
    """As above, but the commit arrives just before the conductor's word that the request has ended."""
    slow = scene.proxy.add(LATE, moves_to("claimed"))
    author, row = _on_two_trees(scene, slow)
    slower = scene.proxy.add(LATE, moves_to("failed"))
    conductor = threading.Thread(target=lambda: recover(row.home, row.request_id, row.lease_until))
    conductor.start()
    assert slower.struck.wait(10)
    slow.let_go()
    author.join(20)
    slower.let_go()
    conductor.join(20)


def moves_to(state: str) -> Wanted:
    value = len(state).to_bytes(4) + state.encode()
    return lambda m: "UPDATE" in m.cql and ".requests SET" in m.cql and value in m.body


def _on_two_trees(scene: Scene, slow: Rule) -> tuple[threading.Thread, RequestRow]:
    """A request at the point where `slow` strikes, its author's lease being over, and the author's thread."""
    scene.settings.SCHEDULE_DEADLINE, scene.settings.REQUEST_LEASE = 5.0, -5.0
    scene.host()
    scene.host(resource_class="block_storage", amounts={"capacity_gb": 100, "iops": 10})
    author = threading.Thread(target=lambda: scene.schedule(COMPUTE, STORAGE))
    author.start()
    assert slow.struck.wait(10)
    request = next(r.request_id for own in scene.hosts for r in tree_at(scene.cell.home, own.row["root_id"]).records)
    row = find_request(request)
    assert row is not None
    return author, row


NOTICED_BY = {
    bugs.settle_by_read: late_take,
    bugs.driver_retries: cut_take,
    bugs.removed_without_version: take_later_than_its_closed_id,
    bugs.expiry_of_committed: expiry_while_confirming,
    bugs.expiry_before_the_row: commit_while_expiring,
    bugs.take_over_closed: late_duplicate_of_a_released_claim,
    bugs.take_any_version: take_later_than_its_closed_id,
    bugs.close_over_claim: lost_take,
    bugs.consume_any: lost_consume,
    bugs.release_any: lost_release,
    bugs.move_any_version: expiry_while_committing,
}

PLAYS = (*dict.fromkeys(NOTICED_BY.values()), lost_release_then_no_connection)


@pytest.fixture
def scene(proxy: Proxy, cell: Cell, host: Callable[..., OwnRow], settings: Any) -> Scene:
    return Scene(proxy, cell, host, settings)


@pytest.mark.parametrize("play", PLAYS, ids=lambda f: f.__name__)
def test_nothing_is_oversold_lost_or_a_ghost(scene: Scene, play: Callable[[Scene], None]) -> None:
    play(scene)
    assert scene.end() == []


@pytest.mark.parametrize("bug", NOTICED_BY, ids=lambda f: f.__name__)
def test_a_planted_bug_is_noticed(scene: Scene, bug: Callable[[Any], None], monkeypatch: pytest.MonkeyPatch) -> None:
    bug(monkeypatch.setattr)
    disconnect()  # one of them is in the session
    try:
        NOTICED_BY[bug](scene)
        assert scene.end() != []
    finally:
        disconnect()

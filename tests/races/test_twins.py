"""Two at once: the same request twice, one claim asked for and given back, a host that changes while it is claimed."""

import json
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from processes import start
from serial_reader import read_serially, wrong_with

from claims import mark
from claims.consume import consume
from claims.find import find, on_provider
from claims.release import destroy, release
from claims.take import take
from claims.types import Already, Done, Lost, Member, Not, Order, Taken, claim_id
from conductor.place import schedule
from conductor.progress import ClaimGone, building, built
from conductor.release import delete_request
from conductor.rows import get
from conductor.types import Placed, ScheduleRequest
from providers.change import Changes, change, report
from providers.records import OwnRow, Record, read_provider
from providers.refusals import Conflict, NotFound
from providers.remove import remove
from scheduler.types import Resource

ROUNDS = 25


def at_once(*calls: Callable[[], Any]) -> list[Any]:
    """Runs the calls in threads that start together; what each answered, or the exception it raised."""
    together = threading.Barrier(len(calls))
    answers: list[Any] = [None] * len(calls)

    def run(index: int, call: Callable[[], Any]) -> None:
        together.wait()
        try:
            answers[index] = call()
        except Exception as error:
            answers[index] = error

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def order_on(own: OwnRow, vcpus: int, home: Any, *, root: OwnRow | None = None) -> Order:
    request = uuid.uuid4()
    root = root or own
    member = Member(claim_id(request, 0, 0, 0), 0, own.id, "host", "compute", {"vcpus": vcpus}, own.state_version)
    return Order(home, root.id, root.state_version, request, 0, "twin", "races", (member,))


def claimed_on(own: OwnRow, vcpus: int, home: Any) -> Record:
    order = order_on(own, vcpus, home)
    assert take(order) == Taken()
    return find(order.members[0].claim_id)


def adds_up(own: OwnRow, datacenter: str) -> None:
    assert wrong_with(read_serially(own.row["root_id"], datacenter)) == []


def sixteen_times(requests: Sequence[Sequence[dict[str, object]]], directory: Path) -> list[dict[str, Any]]:
    """Each list of requests from a process of its own, all at once; what all were told."""
    paths = [directory / f"answers-{number}" for number in range(len(requests))]
    processes = [start("schedulers.py", requests=r, answers=str(p)) for r, p in zip(requests, paths, strict=True)]
    time.sleep(3)  # they connect; the one that is late only makes the race looser
    for process in processes:
        process.stdin.close()
    assert [process.wait(90) for process in processes] == [0] * len(processes)
    return [answer for path in paths for answer in json.loads(path.read_text())]


def test_one_request_sent_sixteen_times_claims_once(cell, host, tmp_path):
    hosts = [host(heartbeat="none") for _ in range(4)]
    request = {"request_id": str(uuid.uuid4()), "cell": cell.name, "vcpus": 2, "count": 3}
    answers = sixteen_times([[request] * 8] * 2, tmp_path)
    assert {a["kind"] for a in answers} == {"Placed"}
    assert len({tuple(a["claims"]) for a in answers}) == 1
    assert [a["replayed"] for a in answers].count(False) == 1
    records = [record for own in hosts for record in on_provider(own.id)]
    assert sorted(str(r.id) for r in records if r.kind == "claim") == answers[0]["claims"]
    assert len(answers[0]["claims"]) == 3


def test_one_id_with_different_bodies_has_one_winner(cell, host, tmp_path):
    own = host(heartbeat="none")
    request_id = str(uuid.uuid4())
    bodies = [{"request_id": request_id, "cell": cell.name, "vcpus": 1 + number % 2} for number in range(16)]
    answers = sixteen_times([bodies[:8], bodies[8:]], tmp_path)
    kinds = [a["kind"] for a in answers]
    assert (kinds.count("Placed"), kinds.count("Mismatch")) == (8, 8)
    assert [a["replayed"] for a in answers if a["kind"] == "Placed"].count(False) == 1
    assert len([r for r in on_provider(own.id) if r.kind == "claim"]) == 1


def test_release_building_and_consume_of_one_claim_have_one_winner(cell, host):
    own = host(heartbeat="none")
    winners = set()
    for _ in range(ROUNDS):
        record = claimed_on(own, 3, cell.home)
        released, marked, consumed = at_once(
            lambda r=record: release(r), lambda r=record: mark.building(r), lambda r=record: consume(r)
        )
        assert [released, consumed].count(Done()) == 1
        winners.add("released" if released == Done() else "consumed")
        left = {r.id: r for r in on_provider(own.id)}
        if released == Done():
            assert left == {}
            assert isinstance(consumed, Not)
            assert marked == Done() or isinstance(marked, Not)
        else:
            assert left[record.id].kind == "instance"
            assert isinstance(released, Not)
            assert destroy(left[record.id]) == Done()
        adds_up(own, cell.datacenter)
        _, now = read_provider(own.id)
        assert now.available == now.amounts == own.amounts
    assert winners  # which of them wins is luck; that one does is not


def test_each_of_them_twice_at_once_changes_something_once(cell, host):
    own = host(heartbeat="none")
    for _ in range(ROUNDS // 3):
        record = claimed_on(own, 3, cell.home)
        assert sorted(type(a).__name__ for a in at_once(*[lambda r=record: consume(r)] * 4)) == ["Already"] * 3 + [
            "Done"
        ]
        instance = find(record.id)
        ended = at_once(*[lambda r=instance: destroy(r)] * 4)
        assert (ended.count(Done()), ended.count(Already())) == (1, 3)
        record = claimed_on(own, 3, cell.home)
        ended = at_once(*[lambda r=record: release(r)] * 4)
        assert (ended.count(Done()), ended.count(Already())) == (1, 3)
        _, now = read_provider(own.id)
        assert now.available == now.amounts == own.amounts
    adds_up(own, cell.datacenter)


def test_a_request_deleted_while_its_host_builds_ends_one_way(cell, host):
    own = host(heartbeat="agent")
    for _ in range(ROUNDS // 3):
        request = ScheduleRequest("twin", "races", (Resource("compute", {"vcpus": 2}),), {}, "somebody", cell=cell.name)
        placed = schedule(request)
        assert isinstance(placed, Placed)
        claim = UUID(placed.claims[0]["id"])
        deleted, *_, done = at_once(
            lambda p=placed: delete_request(p.request_id, "somebody"),
            lambda c=claim: building(c, own.id),
            lambda c=claim: built(c, own.id),
        )
        assert isinstance(deleted, bool), deleted
        row, records = get(placed.request_id), on_provider(own.id)
        if deleted:
            assert row.state == "released"
            assert records == []
            assert isinstance(done, (ClaimGone, NotFound)), done
        else:
            assert row.state == "releasing"
            assert [r.id for r in records] == [claim]  # its host has the word: to destroy, or to stop building
            assert records[0].state == "destroying" or records[0].release_requested
            assert delete_request(placed.request_id, "admin", force=True)
        assert on_provider(own.id) == []
        _, now = read_provider(own.id)
        assert now.available == now.amounts == own.amounts


def test_totals_change_while_claims_are_taken_and_given_back(cell, host):
    own = host(heartbeat="none", amounts={"vcpus": 32, "memory_mb": 0, "disk_gb": 0})
    stop = threading.Event()

    def reports() -> int:
        for number in range(12):
            report(own.id, {"vcpus": 32 if number % 2 else 20}, {}, None)
        stop.set()
        return 12

    def claims() -> int:
        made = 0
        while not stop.is_set():
            _, fresh = read_provider(own.id)
            order = order_on(fresh, 2, cell.home)
            if take(order) == Taken():
                made += 1
                assert release(find(order.members[0].claim_id)) == Done()
        return made

    answers = at_once(reports, claims, claims, claims)
    assert all(isinstance(a, int) for a in answers), answers
    assert sum(answers[1:]) > 0
    adds_up(own, cell.datacenter)
    _, now = read_provider(own.id)
    assert now.available == now.amounts == {"vcpus": 32, "memory_mb": 0, "disk_gb": 0}


def test_a_provider_is_deleted_or_claimed_but_not_both(cell, host):
    ends = set()
    for _ in range(ROUNDS):
        own = host(heartbeat="none")
        order = order_on(own, 1, cell.home)
        taken, removed = at_once(lambda o=order: take(o), lambda o=own: remove(o.id))
        if taken == Taken():
            assert isinstance(removed, Conflict), removed
            assert [r.id for r in on_provider(own.id)] == [order.members[0].claim_id]
        else:
            assert isinstance(taken, Lost)
            assert removed is None
            with pytest.raises(NotFound):
                read_provider(own.id)
            assert isinstance(take(order), Lost)
        ends.add(type(taken))
    assert ends


@pytest.mark.parametrize("of", ["host", "root"])
def test_no_claim_is_made_on_a_state_that_is_over(cell, host, of):
    root = host(heartbeat="none")
    own = root if of == "host" else host(heartbeat="none", parent=root.id)
    over = threading.Event()
    begun_after: list[bool] = []

    def disable() -> None:
        time.sleep(0.3)
        change(root.id, root.state_version, Changes({"state": "disabled"}, {}, {}))
        over.set()

    def claims() -> list[Any]:
        answers = []
        while len(answers) < 5 or not isinstance(answers[-1], Lost):
            late = over.is_set()
            order = order_on(own, 1, cell.home, root=root)
            answers.append(take(order))
            if answers[-1] == Taken():
                begun_after.append(late)
                release(find(order.members[0].claim_id))
        return answers

    at_once(disable, claims, claims, claims)
    assert begun_after, "nothing was claimed before the change"
    assert not any(begun_after)
    assert all(isinstance(take(order_on(own, 1, cell.home, root=root)), Lost) for _ in range(3))
    adds_up(own, cell.datacenter)

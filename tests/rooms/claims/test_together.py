"""Claims of several requests on one host at once go into one transaction; what it refuses is split, never dropped."""

import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from claims import take as taking
from claims import together
from claims.find import find
from claims.take import take
from claims.together import Together
from claims.types import Lost, Member, Order, Taken, Unsettled, claim_id
from providers.change import Changes, change
from providers.records import CLAIM, read_provider
from store.failures import StoreUnavailable
from store.lwt import Unknown


def order(tree, own, vcpus, request_id=None):
    request_id = request_id or uuid.uuid4()
    claim = claim_id(request_id, 0, 0, 0)
    member = Member(claim, 0, own.id, own.row["name"], "compute", {"vcpus": vcpus}, own.state_version)
    return Order(tree.home, tree.root_id, own.state_version, request_id, 0, "someone", "project", (member,))


def until(what):
    end = time.monotonic() + 60
    while not what():
        assert time.monotonic() < end
        time.sleep(0.005)


class Gate:
    """Stands in for a function: its first call waits for `count` jobs to queue up behind it."""

    def __init__(self, function, waiting, count):
        self.calls, self._function, self._waiting, self._count = [], function, waiting, count

    def __call__(self, *arguments):
        self.calls.append(arguments)
        if len(self.calls) == 1:
            until(lambda: sum(map(len, self._waiting().values())) == self._count)
        return self._function(*arguments)


@pytest.fixture
def patient(monkeypatch):
    monkeypatch.setattr(together, "PATIENCE", 60.0)


def at_once(jobs, do):
    """The first is under way before the others come."""
    with ThreadPoolExecutor(len(jobs)) as pool:
        futures = [pool.submit(do, jobs[0])]
        time.sleep(0.05)
        futures += [pool.submit(do, job) for job in jobs[1:]]
        return [future.result(90) for future in futures]


def test_who_comes_meanwhile_goes_together(patient):
    gate = Gate(lambda jobs: [10 * job for job in jobs], lambda: queue._waiting, 11)
    queue = Together(gate, lambda jobs, job: True, lambda: 8)
    assert at_once(range(12), lambda job: queue.do("here", job)) == [10 * job for job in range(12)]
    assert [len(jobs) for (jobs,) in gate.calls] == [1, 8, 3]
    assert queue._waiting == {}


def test_with_one_at_a_time_nobody_waits():
    both = threading.Barrier(2, timeout=60)
    queue = Together(lambda jobs: [both.wait() >= 0 for _ in jobs], lambda jobs, job: True, lambda: 1)
    assert at_once(range(2), lambda job: queue.do("here", job)) == [True, True]


def test_who_may_not_join_goes_later(patient):
    gate = Gate(lambda jobs: list(jobs), lambda: queue._waiting, 6)
    queue = Together(gate, lambda jobs, job: jobs[0] % 2 == job % 2, lambda: 8)
    assert at_once(range(7), lambda job: queue.do("here", job)) == list(range(7))
    assert sorted(sorted(jobs) for (jobs,) in gate.calls) == [[0], [1, 3, 5], [2, 4, 6]]


def test_an_error_is_everybodys_and_the_next_goes_on(patient):
    def fail(jobs):
        raise ValueError(str(len(jobs)))

    gate = Gate(fail, lambda: queue._waiting, 3)
    queue = Together(gate, lambda jobs, job: True, lambda: 8)

    def do(job):
        try:
            return queue.do("here", job)
        except ValueError as error:
            return str(error)

    assert at_once(range(4), do) == ["1", "3", "3", "3"]
    assert do(5) == "1"


def test_nobody_waits_long_for_one_without_an_answer():
    held = threading.Event()

    def run(jobs):
        if jobs == ["slow"]:
            held.wait(90)
        return list(jobs)

    queue = Together(run, lambda jobs, job: True, lambda: 8)
    with ThreadPoolExecutor(2) as pool:
        slow = pool.submit(queue.do, "here", "slow")
        until(lambda: queue._waiting)
        began = time.monotonic()
        assert pool.submit(queue.do, "here", "quick").result(60) == "quick"
        assert not slow.done()
        assert time.monotonic() - began < 10
        held.set()
        assert slow.result(60) == "slow"
    assert queue._waiting == {}


@pytest.fixture
def gated(monkeypatch, patient):
    """`take` in as many threads as there are orders, all behind the first; and the transactions that were run."""

    def take_all(orders, run=taking.run, take=take):
        gate = Gate(run, lambda: taking._at_once._waiting, len(orders) - 1)
        monkeypatch.setattr(taking, "run", gate)
        return at_once(orders, take), len(gate.calls)

    return take_all


def left(own):
    return read_provider(own.id)[1].available["vcpus"]


def claims_on(own):
    return {r.id for r in read_provider(own.id)[0].records if r.kind == CLAIM}


def test_one_transaction_takes_several(host, gated):
    own = host(heartbeat="none")
    tree, own = read_provider(own.id)
    orders = [order(tree, own, 1) for _ in range(6)]
    results, transactions = gated(orders)
    assert results == [Taken()] * 6
    assert transactions == 2
    assert left(own) == 2
    assert {find(o.members[0].claim_id).request_id for o in orders} == {o.request_id for o in orders}


def test_a_refused_batch_is_split(host, gated):
    """Eight vCPUs: the large one never fits, of the others as many as have room."""
    own = host(heartbeat="none")
    tree, own = read_provider(own.id)
    orders = [order(tree, own, vcpus) for vcpus in (1, 3, 100, 3, 3, 1)]
    results, transactions = gated(orders)
    taken = [o for o, result in zip(orders, results, strict=True) if result == Taken()]
    assert isinstance(results[2], Lost)
    assert left(own) == 8 - sum(o.members[0].amounts["vcpus"] for o in taken) == 0
    assert {o.members[0].claim_id for o in taken} == claims_on(own)
    assert transactions <= 6


def test_one_that_saw_another_state_is_refused_alone(host, gated):
    own = host(heartbeat="none")
    tree, before = read_provider(own.id)
    change(own.id, before.state_version, Changes({"state": "disabled"}, {}, {}))
    _, disabled = read_provider(own.id)
    change(own.id, disabled.state_version, Changes({"state": "enabled"}, {}, {}))
    tree, now = read_provider(own.id)
    assert now.state_version != before.state_version
    orders = [order(tree, now, 1), order(tree, before, 1), order(tree, now, 1), order(tree, before, 1)]
    results, _ = gated(orders)
    assert [isinstance(result, Taken) for result in results] == [True, False, True, False]
    assert left(own) == 6


def test_the_same_claim_twice_at_once_is_claimed_once(host, gated):
    own = host(heartbeat="none")
    tree, own = read_provider(own.id)
    twin = order(tree, own, 2)
    results, _ = gated([order(tree, own, 1), twin, replace(twin), order(tree, own, 1)])
    assert results == [Taken()] * 4
    assert left(own) == 4


def test_an_answer_that_is_lost_leaves_all_of_them_to_settle(host, gated):
    own = host(heartbeat="none")
    tree, own = read_provider(own.id)
    real = taking.run

    def lost(statements, *rest):
        outcome = real(statements, *rest)
        return Unknown("lost") if len(statements) > 3 else outcome

    results, _ = gated([order(tree, own, 1) for _ in range(4)], lost)
    assert results == [Taken(), *[Unsettled("lost")] * 3]
    assert left(own) == 4


def test_a_store_that_goes_away_between_two_batches_leaves_only_the_rest_to_settle(host, gated):
    """Who was told is told; only of a first batch it is certain that nothing of it was run."""
    own = host(heartbeat="none")
    tree, own = read_provider(own.id)
    orders = [order(tree, own, vcpus) for vcpus in (1, 3, 4, 4)]
    real, batches = taking.run, []

    def away_in_the_end(statements, *rest):
        batches.append(len(statements))
        if len(batches) == 4:
            raise StoreUnavailable("gone")
        return real(statements, *rest)

    results, _ = gated(orders, away_in_the_end)
    kinds = [type(result).__name__ for result in results]
    assert sorted(kinds) == ["Taken", "Taken", "Taken", "Unsettled"]
    assert left(own) == 8 - sum(vcpus for vcpus, kind in zip((1, 3, 4, 4), kinds, strict=True) if kind == "Taken")


def test_a_store_that_is_away_is_told_to_all(host, gated):
    own = host(heartbeat="none")
    tree, own = read_provider(own.id)
    real, batches = taking.run, []

    def away(statements, *rest):
        batches.append(len(statements))
        if len(batches) > 1:
            raise StoreUnavailable("gone")
        return real(statements, *rest)

    def said(one):
        try:
            return take(one)
        except StoreUnavailable as error:
            return str(error)

    results, _ = gated([order(tree, own, 1) for _ in range(4)], away, said)
    assert results == [Taken(), *["gone"] * 3]
    assert left(own) == 7

"""A request with many claims: what its hosts say at once, and how it is taken back a tree at a time."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest

from claims import find, mark
from conductor import progress, release
from conductor.place import schedule
from conductor.progress import ClaimGone, building, built, destroyed
from conductor.release import delete_request, push, release_claim
from conductor.rows import get
from conductor.types import Placed, ScheduleRequest
from providers.records import read_provider
from scheduler.types import Resource
from store import failpoints

HOSTS, EACH = 3, 4


@pytest.fixture
def hosts(host):
    return [host(amounts={"vcpus": EACH}) for _ in range(HOSTS)]


@pytest.fixture
def placed(cell, hosts):
    request = ScheduleRequest(
        "me", "p", (Resource("compute", {"vcpus": 1}),), {}, "me", cell=cell.name, count=HOSTS * EACH
    )
    outcome = schedule(request)
    assert isinstance(outcome, Placed)
    return outcome


@pytest.fixture
def transactions(monkeypatch):
    """How many of each name are run from here on."""
    counted: Counter[str] = Counter()

    def reach(name, phase):
        counted[name] += phase == failpoints.BEFORE
        return False

    monkeypatch.setattr(failpoints, "reach", reach)
    return counted


def ids(placed):
    return [UUID(claim["id"]) for claim in placed.claims]


def test_hosts_that_report_at_once_share_a_transaction(placed, transactions, monkeypatch):
    claims = ids(placed)
    for one in claims:
        building(one, None)
    gate, real = threading.Event(), progress.get
    waiting: list[object] = []

    def slow(request_id):
        waiting.append(request_id)
        if len(waiting) == 1:
            assert gate.wait(20)
        return real(request_id)

    monkeypatch.setattr(progress, "get", slow)
    transactions.clear()
    with ThreadPoolExecutor(len(claims)) as pool:
        rows = [pool.submit(built, one, None) for one in claims]
        for _ in range(200):
            if sum(len(queue) for queue in progress._at_once._waiting.values()) == len(claims) - 1:
                break
            threading.Event().wait(0.02)
        gate.set()
        states = [row.result(60).state for row in rows]
    assert sum(count for name, count in transactions.items() if name.startswith("requests.")) == 2
    assert states.count("active") == len(claims) - 1  # all but the first
    row = get(placed.request_id)
    assert row.state == "active"
    assert {part.state for part in row.parts} == {"built"}


def test_one_report_that_comes_too_late_spoils_no_other(placed):
    claims = ids(placed)
    for one in claims[:2]:
        building(one, None)
    late, good = (find.find(one) for one in claims[:2])
    assert release_claim(claims[0], "me") is False
    said = progress._say_built_together([late, good])
    assert isinstance(said[0], ClaimGone)
    assert said[0].claim_state == "released"
    assert said[1].row.state == "claimed"


def test_it_goes_back_a_tree_at_a_time(placed, hosts, transactions):
    transactions.clear()
    assert delete_request(placed.request_id, "me")
    assert transactions["claims.release"] == HOSTS
    assert [read_provider(own.id)[1].available["vcpus"] for own in hosts] == [EACH] * HOSTS


def test_who_moved_meanwhile_goes_alone(placed, hosts, transactions, monkeypatch):
    """One claim is being built when the transaction that takes all of its host's back comes."""
    claims = ids(placed)
    real = release.records_of

    def moved_since(parts):
        records = real(parts)
        mine = next((r for r in records if r is not None and r.id == claims[0]), None)
        if len(parts) > 1 and mine and not transactions["claims.building"]:
            mark.building(mine)
        return records

    monkeypatch.setattr(release, "records_of", moved_since)
    assert not delete_request(placed.request_id, "me")
    assert get(placed.request_id).state == "releasing"
    assert [sum(read_provider(own.id)[1].available["vcpus"] for own in hosts)] == [HOSTS * EACH - 1]
    assert find.find(claims[0]).release_requested
    with pytest.raises(ClaimGone):
        built(claims[0], None)


def test_nobody_is_asked_twice(placed, hosts, transactions):
    claims = ids(placed)
    for one in claims:
        building(one, None)
        built(one, None)
    transactions.clear()
    assert not delete_request(placed.request_id, "me")
    assert transactions["claims.to_be_destroyed"] == HOSTS
    push(get(placed.request_id))
    assert transactions["claims.to_be_destroyed"] == HOSTS
    for own in hosts:
        row = destroyed(placed.request_id, own.id)
    assert row.state == "released"
    assert [read_provider(own.id)[1].available["vcpus"] for own in hosts] == [EACH] * HOSTS

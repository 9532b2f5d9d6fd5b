"""Requests of one group: apart from one another or together, however many ask at once and whoever dies."""

import datetime as dt
import threading
import uuid
from collections import Counter
from uuid import UUID

import pytest

from claims import groups
from claims.find import on_provider
from claims.groups import Group
from conductor import place
from conductor.accept import plan_of
from conductor.membership import join
from conductor.place import schedule
from conductor.progress import building, built, destroyed
from conductor.recover import recover
from conductor.release import delete_request, release_claim
from conductor.rows import find
from conductor.types import NoValidHost, Placed, ScheduleRequest
from providers.records import read_provider
from scheduler.types import Resource

AT_ONCE = 32
DISK = Resource("block_storage", {"capacity_gb": 10})


@pytest.fixture
def ask(cell):
    name = f"web-{uuid.uuid4().hex[:6]}"

    def make(policy="anti-affinity", scope="host", others=(), **changes):
        group = Group("project", name, policy, scope)
        body = {"group": {"id": name, "policy": policy, "scope": scope}, "vcpus": 2}
        values = {"body": body, "username": "me", "cell": cell.name, "group": group} | changes
        return ScheduleRequest("me", "project", (Resource("compute", {"vcpus": 2}), *others), **values)

    return make


def members(request):
    return sorted(one.place for one in groups.members(request.group))


def hosts_of(answer):
    assert isinstance(answer, Placed), answer
    return [c["provider"] for c in answer.claims if c["resource_class"] == "compute"]


def test_each_on_another_host_until_there_is_none(host, ask):
    owns = [host(heartbeat="none") for _ in range(3)]
    placed = [schedule(ask()) for _ in owns]
    assert sorted(p for one in placed for p in hosts_of(one)) == sorted(str(own.id) for own in owns)
    no = schedule(ask())
    assert isinstance(no, NoValidHost)
    assert [(s["stage"], s["removed"]) for s in no.explanation["funnel"] if s["removed"]] == [("group", 3)]
    assert release_claim(UUID(placed[1].claims[0]["id"]), "me")
    assert hosts_of(schedule(ask())) == hosts_of(placed[1])
    assert len(members(ask())) == 3


def test_all_on_one_host(host, ask):
    for _ in range(3):
        host(heartbeat="none")
    first = schedule(ask("affinity", count=2))
    assert len(set(hosts_of(first))) == 1
    assert set(hosts_of(schedule(ask("affinity")))) == set(hosts_of(first))
    assert isinstance(schedule(ask("affinity", count=2)), NoValidHost)  # 8 vCPU there, 6 taken
    assert len(members(ask("affinity"))) == 3


def test_racks_and_a_host_without_one(host, ask):
    one, two = host(heartbeat="none", rack="r1"), host(heartbeat="none", rack="r1")
    host(heartbeat="none")
    answer = schedule(ask(scope="rack"))
    assert set(hosts_of(answer)) <= {str(one.id), str(two.id)}
    assert members(ask(scope="rack")) == ["r1"]
    assert isinstance(schedule(ask(scope="rack")), NoValidHost)


def test_copies_keep_the_rule_among_themselves(host, ask):
    owns = [host(heartbeat="none") for _ in range(4)]
    assert isinstance(schedule(ask(count=5)), NoValidHost)
    assert members(ask()) == []
    answer = schedule(ask(count=4))
    assert sorted(hosts_of(answer)) == sorted(str(own.id) for own in owns)
    assert {c["state"] for c in answer.claims} == {"claimed"}
    assert delete_request(answer.request_id, "me")
    assert members(ask()) == []
    assert all(read_provider(own.id)[1].available == own.available for own in owns)


def test_a_soft_rule_prefers_and_bars_nobody(host, ask):
    one, two = host(heartbeat="none"), host(heartbeat="none")
    apart = [hosts_of(schedule(ask("soft-anti-affinity", filters=None)))[0] for _ in range(3)]
    assert len(set(apart[:2])) == 2
    assert {str(one.id), str(two.id)} == set(apart)
    together = [hosts_of(schedule(ask("soft-affinity", scope="host")))[0] for _ in range(2)]
    assert len(set(together)) == 1


def test_beside_other_trees(host, ask):
    own = host(heartbeat="none")
    disk = host(resource_class="block_storage", amounts={"capacity_gb": 15, "iops": 1}, heartbeat="none")
    answer = schedule(ask(others=(DISK,)))
    assert len(answer.claims) == 2
    assert isinstance(schedule(ask(others=(DISK,))), NoValidHost)
    assert members(ask()) == [str(own.id)]
    assert delete_request(answer.request_id, "me")
    assert (on_provider(own.id), on_provider(disk.id), members(ask())) == ([], [], [])


def test_a_place_is_kept_until_the_instance_is_gone(host, ask):
    own = host()
    answer = schedule(ask())
    claim = UUID(answer.claims[0]["id"])
    building(claim, own.id)
    built(claim, own.id)
    assert not delete_request(answer.request_id, "me")
    assert members(ask()) == [str(own.id)]
    destroyed(answer.request_id, own.id)
    assert members(ask()) == []


@pytest.mark.parametrize("policy", ["anti-affinity", "affinity", "spread"])
def test_thirty_two_at_once(host, ask, policy):
    hosts = 8
    for _ in range(hosts):
        host(heartbeat="none", amounts={"vcpus": 64, "memory_mb": 0, "disk_gb": 0})
    start = threading.Barrier(AT_ONCE)
    answers = []

    def run():
        start.wait()
        answers.append(schedule(ask(policy)))

    threads = [threading.Thread(target=run) for _ in range(AT_ONCE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    placed = [hosts_of(one)[0] for one in answers if isinstance(one, Placed)]
    if policy == "anti-affinity":
        assert (len(placed), len(set(placed))) == (hosts, hosts)
        assert sum(isinstance(one, NoValidHost) for one in answers) == AT_ONCE - hosts
    else:
        assert len(placed) == AT_ONCE
        assert Counter(Counter(placed).values()) == ({AT_ONCE // hosts: hosts} if policy == "spread" else {AT_ONCE: 1})
    assert members(ask(policy)) == sorted(placed)


def test_the_winner_of_a_place_dies_before_it_commits(host, ask, settings, monkeypatch):
    own = host(heartbeat="none")
    settings.REQUEST_LEASE = settings.SCHEDULE_DEADLINE = -1.0
    dead = ask(request_id=uuid.uuid4())
    with monkeypatch.context() as patch:
        patch.setattr(place, "attempt_plan", _die)
        with pytest.raises(KeyboardInterrupt):
            schedule(dead)
    settings.SCHEDULE_DEADLINE = 20.0
    assert members(ask()) == [str(own.id)]
    assert isinstance(schedule(ask()), NoValidHost)  # nobody knows yet whether the first will commit
    recover(find(dead.request_id).home, dead.request_id, dt.datetime.now(dt.UTC))
    assert members(ask()) == []
    assert hosts_of(schedule(ask())) == [str(own.id)]


def test_a_member_that_came_too_late_to_be_let_go_is_taken_out_by_whom_it_bars(host, ask, settings, monkeypatch):
    own = host(heartbeat="none")
    dead = ask(request_id=uuid.uuid4())
    seen = []
    monkeypatch.setattr(place, "join", lambda row, plan: seen.append((row, plan)) or join(row, plan))
    assert hosts_of(schedule(dead)) == [str(own.id)]
    assert delete_request(dead.request_id, "me")
    assert join(*seen[0])  # its process was paused
    assert members(ask()) == [str(own.id)]
    assert hosts_of(schedule(ask())) == [str(own.id)]
    assert len(members(ask())) == 1


def test_a_plan_binds_only_compute(host, ask):
    host(heartbeat="none")
    assert plan_of(place.decide(ask(), place.rng).assignment).holds


def _die(*_):
    raise KeyboardInterrupt

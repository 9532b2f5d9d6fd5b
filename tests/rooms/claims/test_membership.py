"""Membership in a group: under anti-affinity one to a place, under affinity all in one, and nobody halfway."""

import threading
import uuid

import pytest

from claims import groups
from claims.groups import AFFINITY, ANTI_AFFINITY, Barred, Group, Joined, Membership
from store import failpoints
from store.session import keyspace, read


@pytest.fixture
def group(cell):
    return lambda policy: Group("project", f"web-{uuid.uuid4().hex[:6]}", policy, "rack")


def at(place):
    return Membership(uuid.uuid4(), uuid.uuid4(), place)


def places(group):
    return sorted(one.place for one in groups.members(group))


def rows(group):
    return read(f"SELECT * FROM {keyspace('dc1')}.groups WHERE project = ? AND group_id = ?", group.key)


def test_each_on_another_place(group):
    web = group(ANTI_AFFINITY)
    one, same, other = at("r1"), at("r1"), at("r2")
    assert groups.join(web, [one]) == Joined()
    assert groups.join(web, [one]) == Joined()
    assert groups.join(web, [same]) == Barred()
    assert groups.join(web, [other, same]) == Barred()
    assert places(web) == ["r1"]
    assert groups.leave(web, [one.claim_id, same.claim_id]) == 1
    assert groups.join(web, [other, same]) == Joined()
    assert places(web) == ["r1", "r2"]


def test_nobody_takes_out_another(group):
    web = group(ANTI_AFFINITY)
    one = at("r1")
    groups.join(web, [one])
    assert groups.leave(web, [uuid.uuid4()]) == 0
    groups._leave(web, at("r1"))
    assert places(web) == ["r1"]


def test_all_on_one_place(group):
    web = group(AFFINITY)
    first, second = [at("r1"), at("r1")], [at("r1")]
    assert groups.join(web, [at("r1"), at("r2")]) == Barred()
    assert groups.join(web, first) == Joined()
    assert groups.join(web, first) == Joined()
    assert groups.join(web, [at("r2")]) == Barred()
    assert groups.join(web, second) == Joined()
    assert places(web) == ["r1"] * 3
    groups.leave(web, [one.claim_id for one in first])
    groups.leave(web, [one.claim_id for one in first])
    assert groups.join(web, [at("r2")]) == Barred()
    groups.leave(web, [second[0].claim_id])
    assert rows(web) == []
    assert groups.join(web, [at("r2")]) == Joined()


def test_soft_rules_bar_nobody(group):
    web = group("soft-anti-affinity")
    assert groups.join(web, [at("r1"), at("r1")]) == Joined()
    assert places(web) == ["r1", "r1"]


@pytest.mark.parametrize("phase", ["before", "after"])
@pytest.mark.parametrize("policy", [AFFINITY, ANTI_AFFINITY])
def test_an_answer_that_is_lost(group, policy, phase):
    web, one = group(policy), at("r1")
    failpoints.arm(f"claims.join:{phase}=lost")
    assert groups.join(web, [one]) == Joined()
    assert groups.join(web, [at("r1" if policy == ANTI_AFFINITY else "r2")]) == Barred()
    failpoints.arm(f"claims.leave:{phase}=lost")
    assert groups.leave(web, [one.claim_id]) == 1
    failpoints.arm("")
    assert rows(web) == []


@pytest.mark.parametrize("policy", [AFFINITY, ANTI_AFFINITY])
def test_sixteen_at_once(group, policy):
    web = group(policy)
    joining = [at(f"r{number % 4}") for number in range(16)]
    start = threading.Barrier(16)
    answers = {}

    def run(one):
        start.wait()
        answers[one.claim_id] = groups.join(web, [one])

    threads = [threading.Thread(target=run, args=[one]) for one in joining]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    won = [one for one in joining if answers[one.claim_id] == Joined()]
    assert {one.claim_id for one in groups.members(web)} == {one.claim_id for one in won}
    if policy == ANTI_AFFINITY:
        assert places(web) == ["r0", "r1", "r2", "r3"]
    else:
        assert (len(won), len(set(places(web)))) == (4, 1)
    groups.leave(web, [one.claim_id for one in joining])
    assert rows(web) == []

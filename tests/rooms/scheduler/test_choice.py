"""The choice among those that fit: weights, order, alternates, and several claims of one request at once."""

import random
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_up import candidate, clouds, policies, policy, resource, resources

from scheduler.apart import assign_in_group
from scheduler.assign import assign
from scheduler.select import enabled_filters, pick, rank, run_filters
from scheduler.types import GroupRule, Policy
from scheduler.weighers import BY_NAME, find


def test_the_emptiest_comes_first_and_a_negative_multiplier_packs():
    full, half, empty = (candidate(n, available={"vcpus": 4 * n - 2}) for n in (1, 2, 3))
    spread = rank([half, full, empty], resource(), policy())
    assert [r.candidate.name for r in spread] == ["host-3", "host-2", "host-1"]
    packed = rank([half, full, empty], resource(), policy(weighers={"free_amount": -1.0}))
    assert [r.candidate.name for r in packed] == ["host-1", "host-2", "host-3"]


@pytest.mark.parametrize(
    ("name", "better", "worse"),
    [
        (
            "free_amount.vcpus",
            {"available": {"vcpus": 8, "memory_mb": 0}},
            {"available": {"vcpus": 6, "memory_mb": 8192}},
        ),
        ("balance", {"available": {"vcpus": 4, "memory_mb": 2048}}, {"available": {"vcpus": 4, "memory_mb": 8192}}),
        ("failed_builds", {}, {"failed_builds": 1}),
        ("conflicts", {"conflicts": 1}, {"conflicts": 2}),
        ("builds", {"heartbeat": "agent", "claims": 1}, {"heartbeat": "agent", "claims": 2}),
        ("cell", {"cell": "here"}, {"cell": "there"}),
    ],
)
def test_what_each_weigher_prefers(name, better, worse):
    hosts = [candidate(1, **worse), candidate(2, **better)]
    ranked = rank(hosts, resource(vcpus=2), policy(weighers={name: 1.0}, home_cell="here"))
    assert [r.candidate.name for r in ranked] == ["host-2", "host-1"]


def test_an_aggregates_multiplier_replaces_the_policys_on_its_members():
    one, other = candidate(1), candidate(2, multipliers={"free_amount": 5.0})
    assert [r.weight for r in rank([one, other], resource(vcpus=4), policy())] == [2.5, 0.5]


def test_a_weigher_that_is_not_there_is_not_found():
    assert [find(name) for name in ("nonsense", "balance.vcpus", "free_amount.")] == [None, None, None]


def test_equal_hosts_are_ranked_the_same_everywhere():
    hosts = [candidate(n) for n in (3, 1, 2)]
    assert [r.candidate.name for r in rank(hosts, resource(), policy())] == ["host-1", "host-2", "host-3"]


NAMES = (*BY_NAME, "free_amount.vcpus", "free_amount.memory_mb")


@given(clouds(), resources, st.sampled_from(NAMES))
def test_a_weight_is_between_zero_and_one(cloud, wanted, name):
    assert all(0.0 <= r.weight <= 1.0 for r in rank(cloud, wanted, policy(weighers={name: 1.0}, home_cell="cell1")))


@given(clouds(), resources, st.sampled_from(NAMES), st.sampled_from([0.5, 1.0, 4.0]))
def test_a_negative_multiplier_reverses_the_order(cloud, wanted, name, multiplier):
    spread = rank(cloud, wanted, policy(weighers={name: multiplier}))
    packed = rank(cloud, wanted, policy(weighers={name: -multiplier}))
    assert [-r.weight for r in reversed(packed)] == [r.weight for r in spread]
    assert sorted(r.candidate.name for r in packed) == sorted(r.candidate.name for r in spread)


@given(clouds(), resources, policies, st.randoms())
def test_the_order_of_hosts_does_not_change_their_ranking(cloud, wanted, chosen, rng):
    shuffled = list(cloud)
    rng.shuffle(shuffled)
    assert rank(shuffled, wanted, chosen) == rank(cloud, wanted, chosen)


@given(clouds(), resources, policies, st.integers(0, 9))
def test_the_pick_is_one_of_the_best_and_its_alternates_are_the_next(cloud, wanted, chosen, seed):
    ranked = rank(cloud, wanted, chosen)
    picked = pick(ranked, chosen, random.Random(seed))
    assert len(picked) == min(len(ranked), chosen.alternates + 1)
    assert len({r.candidate.provider_id for r in picked}) == len(picked)
    if picked:
        assert picked[0] in ranked[: chosen.subset]
    needed = max(chosen.subset, chosen.alternates + 1)
    assert all(r in ranked[:needed] for r in picked)


def test_the_pick_is_spread_over_the_best():
    ranked = rank([candidate(n) for n in range(1, 10)], resource(), policy(subset=3))
    firsts = {pick(ranked, policy(subset=3), random.Random(n))[0].candidate.name for n in range(60)}
    assert firsts == {"host-1", "host-2", "host-3"}


@given(clouds(), st.lists(resources, min_size=1, max_size=3), st.integers(1, 5), policies, st.integers(0, 9))
def test_no_host_is_planned_more_than_it_has(cloud, wanted, count, chosen, seed):
    filters = enabled_filters(chosen)
    fitting = [run_filters(cloud, one, filters).passed for one in wanted]
    found = assign(wanted, fitting, count, chosen, random.Random(seed))
    assert len(found.units) + sum(found.missing.values()) == count * len(wanted)
    assert len({u.member for u in found.units}) == len(found.units)
    planned: dict[str, Counter[str]] = {}
    for unit in found.units:
        assert unit.tries[0].provider_id in {c.provider_id for c in fitting[unit.member % len(wanted)]}
        planned.setdefault(unit.tries[0].name, Counter()).update(unit.resource.amounts)
    for one in cloud:
        for name, amount in planned.get(one.name, {}).items():
            assert amount == 0 or amount <= one.available.get(name, 0)


@given(clouds(), resources, st.integers(1, 6), st.integers(0, 9))
def test_what_is_missing_is_missing_only_when_nothing_fits_any_more(cloud, wanted, count, seed):
    """With one resource no plan is better than another: each claim is of the same size."""
    chosen = Policy(tuple(f.name for f in enabled_filters(policy())), {"free_amount": 1.0})
    fitting = run_filters(cloud, wanted, enabled_filters(chosen)).passed
    found = assign([wanted], [fitting], count, chosen, random.Random(seed))
    room = sum(min([count, *(one.available.get(n, 0) // v for n, v in wanted.amounts.items() if v)]) for one in fitting)
    assert len(found.units) == min(count, room)


@pytest.mark.parametrize("limit", ["max_instances", "max_builds"])
def test_copies_of_a_request_count_for_the_limits_of_a_host(limit):
    hosts = [candidate(n, heartbeat="agent", available={"vcpus": 100}, claims=n) for n in range(3)]
    under = policy(filters=("crowd", "builds"), **{limit: 3})
    found = assign([resource(vcpus=1)], [hosts], 10, under, random.Random(1))
    assert Counter(unit.tries[0].name for unit in found.units) == {"host-0": 3, "host-1": 2, "host-2": 1}
    assert found.missing == {0: 4}


def test_copies_that_spread_count_for_the_limits_too():
    hosts = [candidate(n, heartbeat="agent", available={"vcpus": 100}) for n in range(2)]
    rule = GroupRule("spread", "host", domains=frozenset(str(one.root_id) for one in hosts), max_skew=5)
    wanted = replace(resource(vcpus=1), group=rule)
    under = policy(filters=("crowd",), max_instances=1)
    found = assign_in_group([wanted], [hosts], 4, under, random.Random(1))
    assert Counter(unit.tries[0].name for unit in found.units) == {"host-0": 1, "host-1": 1}

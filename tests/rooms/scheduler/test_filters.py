"""What each filter refuses and why; and that filters, `fits` and the funnel say the same of any cloud."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_up import candidate, candidates, clouds, policies, policy, resource, resources

from scheduler import reasons
from scheduler.filters import ALWAYS, BY_NAME, FILTERS
from scheduler.filters.capacity import short_by
from scheduler.fits import fits
from scheduler.select import enabled_filters, run_filters
from scheduler.types import Admission, Condition, GroupRule, Resource


@pytest.mark.parametrize(
    ("changes", "wanted", "reason"),
    [
        ({}, resource(vcpus=8), None),
        ({"alive": False}, resource(), reasons.NOT_ALIVE),
        ({"state": "disabled"}, resource(), reasons.STATE),
        ({"state": "draining"}, resource(), reasons.STATE),
        ({"root_state": "disabled"}, resource(), reasons.STATE),
        ({}, resource(vcpus=9), reasons.CAPACITY),
        ({}, resource(nodes=1), reasons.CAPACITY),
        ({"available": {"vcpus": -2}}, resource(vcpus=1), reasons.CAPACITY),
        ({"available": {"vcpus": 8, "memory_mb": -1}}, resource(vcpus=1, memory_mb=0), None),
        ({}, Resource("compute", {}, {"cpu_arch": "x86_64"}), reasons.PROPERTIES),
        ({"properties": {"cpu_arch": "aarch64"}}, Resource("compute", {}, {"cpu_arch": "x86_64"}), reasons.PROPERTIES),
        ({"properties": {"cpu_arch": "x86_64"}}, Resource("compute", {}, {"cpu_arch": "x86_64"}), None),
        ({}, Resource("compute", {}, required=frozenset({"SSD"})), reasons.TRAITS),
        ({"traits": frozenset({"HDD"})}, Resource("compute", {}, forbidden=frozenset({"HDD"})), reasons.TRAITS),
        ({"traits": frozenset({"SSD"})}, Resource("compute", {}, required=frozenset({"SSD"})), None),
        ({}, Resource("compute", {}, aggregates=frozenset({"red"})), reasons.AGGREGATES),
        ({"aggregates": frozenset({"red", "x"})}, Resource("compute", {}, aggregates=frozenset({"red", "blue"})), None),
    ],
)
def test_each_filter(changes, wanted, reason):
    refusal = fits(candidate(**changes), wanted)
    assert (refusal.reason if refusal else None) == reason
    assert reason is None or refusal.reason in reasons.SENTENCES


@pytest.mark.parametrize(
    ("has", "operator", "value", "passes"),
    [
        (8, ">=", 8, True),
        (7, ">=", 8, False),
        (8, "<=", 8, True),
        (9, "<=", 8, False),
        (8, "!=", 9, True),
        (8, "!=", 8, False),
        (8, "in", (4, 8), True),
        (8, "in", (4, 9), False),
        (8, "==", 8, True),
        (None, "!=", 8, True),
        (None, ">=", 0, False),
        (None, "<=", 8, False),
        (None, "in", (8,), False),
    ],
)
def test_conditions_on_a_property(has, operator, value, passes):
    one = candidate(properties={} if has is None else {"cpus": has})
    refusal = fits(one, Resource("compute", {}, conditions=(Condition("cpus", operator, value),)))
    assert (refusal is None) is passes
    assert passes or "cpus is" in refusal.detail


@pytest.mark.parametrize(
    ("changes", "wanted", "reason"),
    [
        ({"traits": frozenset({"A"})}, {"any_of": (frozenset({"A", "B"}), frozenset({"A"}))}, None),
        ({"traits": frozenset({"A"})}, {"any_of": (frozenset({"A", "B"}), frozenset({"C"}))}, reasons.TRAITS),
        ({}, {"only_on": frozenset({candidate().root_id})}, None),
        ({}, {"only_on": frozenset()}, reasons.HOSTS),
        ({}, {"not_on": frozenset({candidate().root_id})}, reasons.HOSTS),
        ({}, {"cells": frozenset({"cell1"})}, None),
        ({}, {"cells": frozenset({"cell2"})}, reasons.CELL),
        ({}, {"kept_for": frozenset({"licensed"})}, reasons.AGGREGATES),
        ({"aggregates": frozenset({"licensed"})}, {"kept_for": frozenset({"licensed"})}, None),
        ({"admits": Admission(tenants=frozenset({"a"}))}, {"project": "a"}, None),
        ({"admits": Admission(tenants=frozenset({"a"}))}, {"project": "b"}, reasons.ISOLATION),
        ({"admits": Admission(images=frozenset({"win"}))}, {"image": "win"}, None),
        ({"admits": Admission(images=frozenset({"win"}))}, {}, reasons.ISOLATION),
    ],
)
def test_what_1_1_may_ask_for(changes, wanted, reason):
    refusal = fits(candidate(**changes), Resource("compute", {}, **wanted))
    assert (refusal.reason if refusal else None) == reason


@pytest.mark.parametrize(
    ("there", "skew", "passes"),
    [({"a": 1, "b": 1}, 1, True), ({"a": 1}, 1, False), ({"a": 1}, 2, True), ({"b": 3}, 1, True), ({}, 1, True)],
)
def test_spread_keeps_places_within_the_skew(there, skew, passes):
    rule = GroupRule("spread", "zone", frozenset(there), there, skew, frozenset({"a", "b"}))
    assert (fits(candidate(zone="a"), Resource("compute", {}, group=rule)) is None) is passes
    assert fits(candidate(), Resource("compute", {}, group=rule)).reason == reasons.GROUP  # no label, no place


@pytest.mark.parametrize(
    ("changes", "limits", "reason"),
    [
        ({"claims": 1, "instances": 2}, {"max_instances": 4}, None),
        ({"claims": 1, "instances": 3}, {"max_instances": 4}, reasons.CROWD),
        ({"claims": 1, "instances": 3}, {}, None),
        ({"claims": 2, "heartbeat": "agent"}, {"max_builds": 2}, reasons.BUILDS),
        ({"claims": 2, "heartbeat": "none"}, {"max_builds": 2}, None),
        ({"claims": 1, "heartbeat": "agent"}, {"max_builds": 2}, None),
    ],
)
def test_limits_of_the_policy(changes, limits, reason):
    refusal = fits(candidate(**changes), resource(), enabled_filters(policy(**limits)))
    assert (refusal.reason if refusal else None) == reason


def test_every_reason_has_a_sentence():
    assert {f.reason for f in FILTERS} | {reasons.SAME_TREE} == set(reasons.SENTENCES)


def test_another_class_is_a_mistake_of_the_caller():
    with pytest.raises(ValueError, match="compared with a network request"):
        fits(candidate(), Resource("network", {}))


def test_state_and_capacity_can_not_be_switched_off():
    assert {f.name for f in enabled_filters(policy(filters=()))} == set(ALWAYS)


@given(clouds(), resources, policies)
def test_a_filter_admits_exactly_what_fits_admits(cloud, wanted, chosen):
    filters = enabled_filters(chosen)
    passed = run_filters(cloud, wanted, filters).passed
    assert list(passed) == [c for c in cloud if fits(c, wanted, filters) is None]


@given(clouds(), resources, policies, st.randoms())
def test_the_order_of_hosts_does_not_change_who_passes(cloud, wanted, chosen, rng):
    shuffled = list(cloud)
    rng.shuffle(shuffled)
    filters = enabled_filters(chosen)
    one, other = run_filters(cloud, wanted, filters), run_filters(shuffled, wanted, filters)
    assert {c.provider_id for c in one.passed} == {c.provider_id for c in other.passed}
    assert one.funnel == other.funnel


@given(clouds(), resources, policies)
def test_the_funnels_numbers_add_up(cloud, wanted, chosen):
    filters = enabled_filters(chosen)
    filtered = run_filters(cloud, wanted, filters)
    assert [s.stage for s in filtered.funnel] == [f.name for f in filters]
    left = len(cloud)
    for stage in filtered.funnel:
        assert stage.left + stage.removed == left
        left = stage.left
    assert left == len(filtered.passed)
    assert len(filtered.short) == next(s.removed for s in filtered.funnel if s.stage == "capacity")


@given(candidates(), resources)
def test_what_is_short_is_what_capacity_refuses(one, wanted):
    missing = short_by(one, wanted)
    assert bool(missing) == (BY_NAME["capacity"].check(one, wanted) is not None)
    for name, amount in missing.items():
        assert amount == wanted.amounts[name] - one.available.get(name, 0) > 0


@given(clouds(), resources)
def test_more_room_never_makes_a_host_unfit(cloud, wanted):
    more = Resource("compute", {n: v + 1 for n, v in wanted.amounts.items()}, *_rest(wanted))
    for one in random.Random(0).sample(cloud, len(cloud)):
        if fits(one, more) is None:
            assert fits(one, wanted) is None


def _rest(wanted):
    return wanted.properties, wanted.required, wanted.forbidden, wanted.aggregates

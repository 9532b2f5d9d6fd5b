"""Headroom is what a scheduler that claims one after another would place, however the hosts are told."""

from dataclasses import replace
from functools import reduce
from operator import add

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up import candidate, clouds, policies, policy, resource, resources

from scheduler import reasons
from scheduler.fits import fits
from scheduler.headroom import Room, rooms
from scheduler.select import enabled_filters

FEWER = settings(max_examples=20)  # they share their ways with the first


def without_builds(chosen):
    return [one for one in enabled_filters(chosen) if one.name != "builds"]


WANTED = resources.filter(lambda one: any(one.amounts.values()))


def room(cloud, wanted, chosen=None, indivisible=False):
    return rooms(cloud, wanted, [wanted.amounts], chosen or policy(), indivisible)[0]


def placed_one_after_another(cloud, wanted, chosen):
    """Claims on any host that fits until none does; what is claimed is built before the next comes."""
    filters = without_builds(chosen)
    claimed = 0
    left = list(cloud)
    while found := next((c for c in left if fits(c, wanted, filters) is None), None):
        less = {name: has - wanted.amounts.get(name, 0) for name, has in found.available.items()}
        left = [replace(c, available=less, claims=c.claims + 1) if c is found else c for c in left]
        claimed += 1
    return claimed


@given(clouds(), WANTED, policies)
def test_as_many_fit_as_could_be_claimed_one_after_another(cloud, wanted, chosen):
    found = room(cloud, wanted, chosen)
    assert found.fits == placed_one_after_another(cloud, wanted, chosen)
    assert found.hosts == sum(fits(c, wanted, without_builds(chosen)) is None for c in cloud)


@FEWER
@given(clouds(), WANTED, policies, st.integers(0, 12))
def test_shard_by_shard_is_the_same_as_all_at_once(cloud, wanted, chosen, cut):
    parts = [room(some, wanted, chosen) for some in (cloud[:cut], cloud[cut:])]
    assert reduce(add, parts, Room()) == room(cloud, wanted, chosen)


@FEWER
@given(clouds(), WANTED)
def test_everybody_is_counted_once(cloud, wanted):
    found = room(cloud, wanted)
    assert found.seen == len(cloud) == sum(found.refused.values()) + sum(found.binds.values())
    assert reasons.CAPACITY not in found.refused


@FEWER
@given(clouds(), WANTED)
def test_what_is_used_and_what_is_stranded_is_what_is_free(cloud, wanted):
    found = room(cloud, wanted)
    for name, used in found.usable(wanted.amounts).items():
        assert 0 <= used <= found.free[name]


@FEWER
@given(clouds(), WANTED, WANTED)
def test_shapes_that_are_asked_for_together_have_the_room_they_have_alone(cloud, wanted, other):
    both = rooms(cloud, wanted, [wanted.amounts, other.amounts], policy())
    assert both == [room(cloud, replace(wanted, amounts=one.amounts)) for one in (wanted, other)]


def test_the_scarcest_column_binds_and_the_rest_of_the_others_is_stranded():
    cloud = [candidate(1), candidate(2, available={"vcpus": 1, "memory_mb": 8192}), candidate(3, state="draining")]
    found = room(cloud, resource(vcpus=2, memory_mb=4096))
    assert (found.fits, found.hosts, found.seen) == (2, 1, 3)
    assert found.binds == {"memory_mb": 1, "vcpus": 1}
    assert found.free == {"vcpus": 9, "memory_mb": 16384}
    assert found.usable({"vcpus": 2, "memory_mb": 4096}) == {"vcpus": 4, "memory_mb": 8192}
    assert found.refused == {reasons.STATE: 1}


@pytest.mark.parametrize(("indivisible", "fit"), [(False, 8), (True, 1)])
def test_an_indivisible_host_takes_one(indivisible, fit):
    assert room([candidate()], resource(vcpus=1), policy(), indivisible).fits == fit


@pytest.mark.parametrize(("most", "fit", "binds"), [(0, 8, "vcpus"), (3, 2, "crowd"), (9, 8, "vcpus")])
def test_no_more_than_the_policy_s_limit_of_one_host(most, fit, binds):
    chosen = policy(max_instances=most)
    host = candidate(instances=1)
    found = room([host], resource(vcpus=1), chosen)
    assert (found.fits, found.binds) == (fit, {binds: 1})
    assert fit == placed_one_after_another([host], resource(vcpus=1), chosen)


def test_builds_in_flight_take_no_room():
    host = candidate(heartbeat="agent", claims=5)
    assert room([host], resource(vcpus=1), policy(max_builds=5)).fits == 8


def test_a_host_that_owes_has_nothing_and_takes_nothing_from_the_others():
    cloud = [candidate(1), candidate(2, available={"vcpus": -4})]
    found = room(cloud, resource(vcpus=2))
    assert (found.fits, found.free) == (4, {"vcpus": 8})

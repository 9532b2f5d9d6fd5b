"""What belongs on one provider tree is put on one tree; what does not stays free."""

import itertools
import random
import uuid
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_up import candidate, policy

from scheduler.assign import assign
from scheduler.trees import OnTree, on_one_tree, trees_of
from scheduler.types import Candidate, Resource

AMOUNT = {"compute": "vcpus", "gpu": "gpus", "numa": "cores", "network": "ports", "block_storage": "capacity_gb"}
_ids = itertools.count(1000)


def provider(resource_class: str, amount: int, root: Candidate | None = None, name: str = "") -> Candidate:
    number = next(_ids)
    has = {AMOUNT[resource_class]: amount}
    return candidate(
        number,
        name=name or f"{resource_class}-{number}",
        resource_class=resource_class,
        amounts=has,
        available=has,
        totals=has,
        root_id=root.root_id if root else uuid.UUID(int=number),
        parent_id=root.provider_id if root else None,
    )


def tree(name: str, vcpus: int, root: str = "compute", **children: int) -> list[Candidate]:
    """A host with a child of each class named, with that amount."""
    host = provider(root, vcpus, name=name)
    return [host, *(provider(of_class, amount, host, f"{name}-{of_class}") for of_class, amount in children.items())]


def ask(**amounts: int) -> list[Resource]:
    return [Resource(name, {AMOUNT[name]: amount}) for name, amount in amounts.items()]


def fits_alone(one: Candidate, wanted: Resource) -> bool:
    return one.resource_class == wanted.resource_class and all(
        one.available.get(name, 0) >= amount for name, amount in wanted.amounts.items()
    )


def place(cloud: list[Candidate], wanted: list[Resource], count: int = 1, seed: int = 1):
    fitting = [[one for one in cloud if fits_alone(one, resource)] for resource in wanted]
    return assign(wanted, fitting, count, policy(), random.Random(seed), trees_of([cloud]))


def names(found) -> list[str]:
    return [unit.tries[0].name for unit in found.units]


@pytest.mark.parametrize("seed", range(5))
def test_a_gpu_is_that_of_the_host(seed):
    cloud = [*tree("plain", 64), *tree("full", 0, gpu=8), *tree("small", 4, gpu=1), provider("gpu", 0)]
    assert names(place(cloud, ask(compute=2, gpu=1), seed=seed)) == ["small", "small-gpu"]


def test_a_host_without_room_does_not_lend_its_gpu():
    found = place([*tree("plain", 64), *tree("full", 1, gpu=8)], ask(compute=2, gpu=1))
    assert (found.units, found.missing) == ((), {0: 1, 1: 1})


def test_a_gpu_that_is_no_host_s_is_anybody_s():
    assert names(place([*tree("plain", 64), provider("gpu", 1, name="pool")], ask(compute=2, gpu=1))) == [
        "plain",
        "pool",
    ]


def test_a_volume_of_the_host_comes_first_and_a_shared_one_does_as_well():
    pool = provider("block_storage", 1000, name="pool")
    cloud = [*tree("host", 8, block_storage=10), pool]
    assert names(place(cloud, ask(compute=2, block_storage=5))) == ["host", "host-block_storage"]
    assert names(place(cloud, ask(compute=2, block_storage=50))) == ["host", "pool"]


def test_a_gpu_host_whose_own_volume_is_full_uses_the_shared_one_and_no_other_host_s():
    host, other = tree("host", 8, gpu=1, block_storage=1), tree("other", 8, block_storage=100)
    wanted = ask(compute=2, gpu=1, block_storage=50)
    assert place([*host, *other], wanted).units == ()
    assert names(place([*host, *other, provider("block_storage", 90, name="pool")], wanted)) == [
        "host",
        "host-gpu",
        "pool",
    ]


def test_two_children_without_their_root_are_of_one_host():
    cloud = [*tree("a", 8, numa=16), *tree("b", 8, numa=4, gpu=1)]
    assert names(place(cloud, ask(numa=2, gpu=1))) == ["b-numa", "b-gpu"]
    assert place(cloud, ask(numa=8, gpu=1)).units == ()


def test_the_same_class_twice_is_twice_on_one_host():
    cloud = [*tree("one", 8, gpu=1), *tree("two", 8, gpu=1), *tree("both", 8, gpu=2)]
    assert names(place(cloud, [*ask(compute=1), *ask(gpu=1), *ask(gpu=1)])) == ["both", "both-gpu", "both-gpu"]


def test_who_has_all_of_it_is_found_among_those_who_have_some():
    cloud = [c for n in range(6) for c in (*tree(f"g{n}", 8, gpu=1), *tree(f"n{n}", 8, network=1))]
    wanted = ask(compute=1, gpu=1, network=1)
    assert place(cloud, wanted).units == ()
    assert names(place([*cloud, *tree("all", 8, gpu=1, network=1)], wanted)) == ["all", "all-gpu", "all-network"]


def test_a_shared_network_may_have_children_of_its_own():
    """The network is a root's, so the host that has one of its own does not mind, and its child comes with it."""
    cloud = [*tree("host", 8, gpu=1, network=0), *tree("shared", 8, "network", numa=1)]
    found = place(cloud, ask(compute=1, gpu=1, numa=1, network=1))
    assert names(found) == ["host", "host-gpu", "shared-numa", "shared"]


def test_copies_take_what_is_left_on_each_tree():
    cloud = [*tree("a", 4, gpu=8), *tree("b", 8, gpu=1), *tree("plain", 64)]
    found = place(cloud, ask(compute=2, gpu=1), count=4)
    assert Counter(names(found)) == {"a": 2, "a-gpu": 2, "b": 1, "b-gpu": 1}
    assert found.missing == {0: 1, 1: 1}  # a copy comes whole or not at all


def test_children_of_a_tree_that_nobody_looked_at_bind_nothing():
    cloud = [*tree("a", 4, gpu=8)]
    found = assign(ask(gpu=1), [[cloud[1]]], 1, policy(), random.Random(1))
    assert names(found) == ["a-gpu"]


def test_those_left_are_those_that_can_be_placed():
    full, free, plain = tree("full", 1, gpu=8), tree("free", 4, gpu=1), tree("plain", 9)
    wanted = ask(compute=2, gpu=1)
    cloud = [*full, *free, *plain]
    fitting = [[one for one in cloud if fits_alone(one, resource)] for resource in wanted]
    assert on_one_tree(wanted, fitting, trees_of([cloud])) == [[free[0]], [free[1]]]
    assert trees_of([cloud])[free[0].root_id] == OnTree(frozenset({"compute", "gpu"}), "compute")


# --- Any cloud, against every combination there is


@st.composite
def forests(draw: st.DrawFn) -> list[Candidate]:
    cloud: list[Candidate] = []
    for number in range(draw(st.integers(1, 4))):
        root = draw(st.sampled_from(["compute", "compute", "network", "gpu"]))
        children = draw(st.dictionaries(st.sampled_from(["gpu", "numa", "network"]), st.integers(0, 3), max_size=3))
        cloud += tree(f"t{number}", draw(st.integers(0, 3)), root, **children)
    return cloud


wishes = st.dictionaries(st.sampled_from(["compute", "gpu", "numa", "network"]), st.integers(1, 2), min_size=1)


def may_be_together(one: Candidate, other: Candidate, cloud: list[Candidate]) -> bool:
    """The rule in the words of docs/adr/0011, about two places of one copy."""
    if one.root_id == other.root_id:
        return True
    on = trees_of([cloud])
    for child, elsewhere in ((one, other), (other, one)):
        if child.parent_id is None:
            continue
        there = on[child.root_id]
        if elsewhere.resource_class == there.root_class:
            return False
        if elsewhere.parent_id is not None and elsewhere.resource_class in there.classes:
            return False
    return True


def is_whole(places: tuple[Candidate, ...], cloud: list[Candidate]) -> bool:
    return all(may_be_together(one, other, cloud) for one, other in itertools.combinations(places, 2))


@given(forests(), wishes, st.integers(0, 9))
def test_a_place_is_found_exactly_when_there_is_one(cloud, wish, seed):
    wanted = ask(**wish)
    fitting = [[one for one in cloud if fits_alone(one, resource)] for resource in wanted]
    possible = [places for places in itertools.product(*fitting) if is_whole(places, cloud)]
    found = place(cloud, wanted, seed=seed)
    assert bool(found.units) == bool(possible)
    if possible:
        assert tuple(unit.tries[0] for unit in found.units) in possible
    left = on_one_tree(wanted, fitting, trees_of([cloud]))
    assert [{c.name for c in one} for one in left] == [
        {places[i].name for places in possible} for i in range(len(wanted))
    ]


@given(forests(), wishes, st.integers(1, 4), st.integers(0, 9))
def test_every_copy_is_whole_and_none_takes_what_another_has(cloud, wish, count, seed):
    wanted = ask(**wish)
    found = place(cloud, wanted, count, seed)
    copies: dict[int, list[Candidate]] = {}
    taken: dict[uuid.UUID, Counter[str]] = {}
    for unit in found.units:
        copies.setdefault(unit.member // len(wanted), []).append(unit.tries[0])
        taken.setdefault(unit.tries[0].provider_id, Counter()).update(unit.resource.amounts)
    assert all(len(places) == len(wanted) and is_whole(tuple(places), cloud) for places in copies.values())
    assert all(v <= one.available[n] for one in cloud for n, v in taken.get(one.provider_id, {}).items())


@given(forests(), wishes, st.integers(0, 9))
def test_an_alternate_may_stand_where_the_first_does(cloud, wish, seed):
    """A plan's members go down their alternates one by one, so any of them must do beside the others' first."""
    found = place(cloud, ask(**wish), seed=seed)
    firsts = [unit.tries[0] for unit in found.units]
    for position, unit in enumerate(found.units):
        for alternate in unit.tries[1:]:
            assert is_whole((*firsts[:position], alternate, *firsts[position + 1 :]), cloud)

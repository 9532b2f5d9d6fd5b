"""Aggregates: made, changed and deleted by transaction, their members by the label on each provider."""

import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from providers.aggregate_members import (
    ADDED,
    AT_ONCE,
    NOT_FOUND,
    REMOVED,
    UNCHANGED,
    change_members,
    in_use,
)
from providers.aggregates import Aggregate, Changes, all_aggregates, change, create, delete, find, read_all
from providers.change import Changes as ProviderChanges
from providers.change import change as change_provider
from providers.find import ProviderFilter, list_providers
from providers.records import read_provider
from providers.refusals import Conflict, Invalid, NotFound
from store import failpoints


@pytest.fixture
def name(cassandra):
    return f"agg-{uuid.uuid4().hex[:8]}"


def labels(own):
    return set(read_provider(own.id)[1].row["aggregates"] or ())


def test_one_is_made_and_known_at_once(name):
    made = create(name, Changes("for the bank", {"bank"}, {"golden"}, {"free_amount": -2}))
    assert made == Aggregate(
        name, "for the bank", frozenset({"bank"}), frozenset({"golden"}), {"free_amount": -2.0}, 1, made.created_at
    )
    assert made.created_at is not None
    assert all_aggregates()[name] == read_all()[name] == find(name) == made
    with pytest.raises(Conflict) as taken:
        create(name, Changes())
    assert taken.value.current["tenants"] == ["bank"]


def test_a_change_is_based_on_a_version(name):
    create(name, Changes("d", {"a", "b"}, {"i"}, {"balance": 1}))
    now = change(name, 1, Changes(tenants=[]))
    assert (now.tenants, now.images, now.description, now.version) == (frozenset(), frozenset({"i"}), "d", 2)
    assert change(name, 2, Changes(weighers={})).weighers == {}
    assert all_aggregates()[name].version == 3
    with pytest.raises(Conflict) as stale:
        change(name, 2, Changes(description="late"))
    assert (stale.value.current["version"], stale.value.current["description"]) == (3, "d")
    with pytest.raises(NotFound):
        change(f"{name}-not", 1, Changes(description="x"))


def test_of_several_writers_at_once_one_wins(name):
    create(name, Changes())

    def write(tenant):
        try:
            return change(name, 1, Changes(tenants={tenant}))
        except Conflict as conflict:
            return conflict

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(write, "abcdefgh"))
    (won,) = [one for one in outcomes if isinstance(one, Aggregate)]
    assert find(name) == won
    assert all(one.current["version"] == 2 for one in outcomes if isinstance(one, Conflict))


@pytest.mark.parametrize("phase", ["before", "after"])
def test_no_answer_does_it_once(name, phase):
    def lost(act):
        failpoints.arm(f"aggregates.write:{phase}=lost")
        result = act()
        assert failpoints._armed.left <= 0
        failpoints.arm("")
        return result

    assert lost(lambda: create(name, Changes("d"))).version == 1
    assert lost(lambda: change(name, 1, Changes("e"))).version == 2
    lost(lambda: delete(name))
    assert name not in read_all()


@pytest.mark.parametrize("weighers", [{"magic": 1.0}, {"balance": 1e7}, {"balance": float("nan")}])
def test_weighers_are_known_ones_with_numbers(name, weighers):
    for act in (lambda: create(name, Changes(weighers=weighers)), lambda: change(name, 1, Changes(weighers=weighers))):
        with pytest.raises(Invalid) as refused:
            act()
        assert refused.value.field == f"weighers.{next(iter(weighers))}"
    with pytest.raises(NotFound):
        find(name)


def test_no_name_hides_behind_a_route_of_the_api(name):
    with pytest.raises(Invalid):
        create(f"{name}/members", Changes())


def test_members_go_in_and_out_each_for_itself(name, cell, host):
    create(name, Changes())
    one, two, three = host(aggregates=frozenset({"other"})), host(), host(aggregates=frozenset({name}))
    nobody = uuid.uuid4()
    answers = change_members(name, [one.id, three.id, nobody], [two.id])
    assert [(a.provider_id, a.outcome) for a in answers] == [
        (one.id, ADDED),
        (three.id, UNCHANGED),
        (nobody, NOT_FOUND),
        (two.id, UNCHANGED),
    ]
    assert labels(one) == {"other", name}
    assert {i["name"] for i in list_providers(ProviderFilter(cell=cell.name, aggregate=name), 10).results} == {
        one.row["name"],
        three.row["name"],
    }
    count, some = in_use(name)
    assert (count, {member.provider_id for member in some}) == (2, {one.id, three.id})
    with pytest.raises(Conflict) as used:
        delete(name)
    assert "2 providers" in str(used.value)
    assert one.row["name"] in str(used.value)
    assert {a.outcome for a in change_members(name, [], [one.id, three.id])} == {REMOVED}
    assert labels(one) == {"other"}
    delete(name)
    assert name not in all_aggregates()
    with pytest.raises(NotFound):
        delete(name)


def test_a_member_that_is_changed_meanwhile_keeps_both_changes(name, host):
    create(name, Changes())
    own = host()

    def drain(number):
        for _ in range(20):
            version = read_provider(own.id)[1].state_version
            try:
                return change_provider(own.id, version, ProviderChanges({"rack": f"r{number}"}, {}, {}))
            except Conflict:
                continue
        raise AssertionError("never")

    with ThreadPoolExecutor(4) as pool:
        racks = [pool.submit(drain, n) for n in range(2)]
        (answer,) = pool.submit(change_members, name, [own.id], []).result()
        for one in racks:
            one.result()
    assert answer.outcome == ADDED
    row = read_provider(own.id)[1].row
    assert name in row["aggregates"]
    assert row["rack"] in ("r0", "r1")


def test_how_many_at_once(name, host):
    own = host()
    for add, remove in (([], []), ([uuid.uuid4() for _ in range(AT_ONCE + 1)], []), ([own.id], [own.id])):
        with pytest.raises(Invalid):
            change_members(name, add, remove)

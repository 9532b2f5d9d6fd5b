"""A class with many shards is not read whole before a "no": what is said is what reading all of it would say."""

from uuid import UUID

import pytest

from claims.find import find
from claims.release import release
from claims.types import Done
from conductor import exact
from conductor.decide import decide
from conductor.place import rng, schedule
from conductor.types import ScheduleRequest
from conductor.wish import homes_of, policy_of
from providers import sweeps
from providers.heartbeat import silence
from providers.records import locate, read_tree
from providers.sweeps import all_of, could_hold, sweep
from scheduler.select import enabled_filters
from scheduler.types import Resource
from store.failures import StoreUnavailable
from store.session import keyspace, write

SSD = frozenset({"SSD"})


@pytest.fixture
def large(monkeypatch):
    monkeypatch.setattr(exact, "MANY", 0)


@pytest.fixture
def ask(cell):
    def make(resource, **changes):
        values = {"body": {}, "username": "me", "cell": cell.name, "search": "all"} | changes
        return ScheduleRequest("me", "p", (resource,), **values)

    return make


def compute(vcpus, **more):
    return Resource("compute", {"vcpus": vcpus}, **more)


def where(request):
    found = decide(request, rng)
    return {u.tries[0].provider_id for u in found.assignment.units} if found.assignment else found.explanation


def test_both_ways_find_the_same(cell, host, ask, monkeypatch):
    silent, disabled = host(traits=SSD), host(state="disabled", traits=SSD)
    silence(locate(silent.id))
    small, ssd = host(amounts={"vcpus": 4}), host(amounts={"vcpus": 16}, traits=SSD)
    asked = [
        (compute(2), {"count": 3}),
        (compute(2, required=SSD), {}),
        (compute(2, forbidden=SSD), {}),
        (compute(9), {}),
        (compute(17), {}),
        (compute(2, required=frozenset({"GOLD"})), {}),
        (compute(8), {"count": 3}),
        (compute(8), {"count": 3, "all_or_nothing": False}),
        (compute(2), {"filters": ("state",), "count": 12}),
    ]
    for resource, changes in asked:
        request = ask(resource, **changes)
        monkeypatch.setattr(exact, "MANY", 0)
        one = where(request)
        monkeypatch.setattr(exact, "MANY", 40)
        other = where(request)
        if isinstance(one, set):
            assert isinstance(other, set), (resource, changes)
            assert disabled.id not in one
        else:
            told, whole = one.as_json(), other.as_json()
            for image in (told, whole):
                image["seen"].pop("seconds")
            assert told == whole, (resource, changes)
    assert where(ask(compute(9))) == {ssd.id}
    assert where(ask(compute(2, forbidden=SSD))) == {small.id}


def test_room_that_the_projection_does_not_show_is_found(cell, host, ask, large):
    """A claim ended, and whoever should have told died."""
    own = host()
    row = next(c for c in sweep([cell.home], "compute") if c.provider_id == own.id)
    cql = (
        f"UPDATE {keyspace(cell.home.datacenter)}.capacity SET available_vcpus = 1 "
        "WHERE cell = ? AND resource_class = 'compute' AND shard = ? AND root_id = ? AND provider_id = ?"
    )
    write(cql, [cell.name, row.shard, own.id, own.id])
    assert where(ask(compute(8))) == {own.id}
    assert where(ask(compute(9))).considered == 1


def test_room_that_came_back_in_a_full_class_is_found(cell, host, ask, large, monkeypatch):
    """Too many hosts to read again: only those where a claim ended lately are. Who released it died before it told."""
    monkeypatch.setattr(exact, "SHOWN", 0)
    hosts = [host().id for _ in range(3)]
    placed = [schedule(ask(compute(8), search="sample")) for _ in hosts]
    assert where(ask(compute(1))).seen == 0  # full, and nobody's claim ended: no row was read
    claim = find(UUID(placed[1].claims[0]["id"]))
    with monkeypatch.context() as dead:
        dead.setattr("claims.release.project_now", lambda home, root_id, *news: read_tree(home, root_id))
        assert release(claim) == Done()
    shown = {c.provider_id: c.available["vcpus"] for c in sweep([cell.home], "compute")}
    assert shown[claim.provider_id] == 0
    assert where(ask(compute(8))) == {claim.provider_id}
    assert where(ask(compute(9))).seen == 0


def test_only_what_could_hold_it_is_read(cell, host, ask, monkeypatch):
    monkeypatch.setattr(sweeps, "ASKED_AT_ONCE", 1)
    own = host(traits=SSD)
    request = ask(compute(8))
    filters = enabled_filters(policy_of(request))
    asked = [(compute(8), True), (compute(9), False), (compute(8, required=SSD), True)]
    asked.append((compute(8, required=frozenset({"GOLD"})), False))
    for resource, could in asked:
        possible = could_hold(all_of(homes_of(request), "compute"), resource, filters, float("inf"))
        shard = own.row["shard"]
        assert possible == ([(cell.home, shard)] if could else []), resource


def test_a_time_that_is_up_is_no_no(cell, host, ask, large, monkeypatch):
    host()
    monkeypatch.setattr(sweeps, "ASKED_AT_ONCE", 1)
    twenty = [(cell.home, number) for number in range(20)]
    request = ask(compute(10_000))
    with pytest.raises(StoreUnavailable, match="of 20 shards of compute"):
        sweeps.could_hold(twenty, request.resources[0], enabled_filters(policy_of(request)), 0.0)


def test_with_a_request_that_is_named(cell, host, ask, large):
    hosts = {host().id for _ in range(4)}
    placed = schedule(ask(compute(1), search="sample"))
    at = UUID(placed.claims[0]["provider"])
    assert where(ask(compute(1), same_host_as=frozenset({placed.request_id}))) == {at}
    apart = ask(compute(1), different_host_from=frozenset({placed.request_id}), count=3, weighers={"free_amount": 1.0})
    assert at not in where(apart) <= hosts
    refused = where(ask(compute(8), same_host_as=frozenset({placed.request_id})))
    assert {stage.stage: stage.left for stage in refused.funnel}["hosts"] == 1

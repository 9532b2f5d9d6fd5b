"""A process that dies in the middle of a request: another finishes it, and nothing stays behind."""

import datetime as dt
import random
import uuid

import pytest

from claims.find import ClaimFilter, list_claims
from conductor import place
from conductor.accept import accept, plan_of
from conductor.attempt import attempt_plan
from conductor.commit import commit
from conductor.decide import decide
from conductor.find import read_request
from conductor.place import schedule
from conductor.recover import recover, recover_cell, sweep_shard
from conductor.rows import find, open_write
from conductor.types import Placed, ScheduleRequest
from providers.find import ProviderFilter, list_providers
from providers.inventory import Inventory
from providers.records import read_provider
from providers.refusals import Conflict
from providers.register import NewProvider, register
from scheduler.types import Resource
from store.session import keyspace, read, write_many

VCPUS = Resource("compute", {"vcpus": 2})
DISK = Resource("block_storage", {"capacity_gb": 10})


def request(cell, *resources, count=1):
    body = {"all_or_nothing": True}
    return ScheduleRequest("me", "project", resources or (VCPUS,), body, "somebody", cell=cell.name, count=count)


def accepted(cell, *resources, count=1):
    """A request as it stands right after its row was written."""
    wanted = request(cell, *resources, count=count)
    plan = plan_of(decide(wanted, random.Random(1)).assignment)
    row, made = accept(wanted, place.new_request_id(wanted), plan, None)
    assert made
    return wanted, row, plan


def available(own):
    return read_provider(own.id)[1].available


def long_ago():
    return dt.datetime.now(dt.UTC) - dt.timedelta(hours=1)


@pytest.fixture
def at_once(settings):
    settings.REQUEST_LEASE = -30.0  # leases end before they begin
    settings.SCHEDULE_DEADLINE = 5.0


def test_killed_before_its_first_claim(cell, host, at_once):
    own = host(heartbeat="none")
    _, row, plan = accepted(cell)
    recover(row.home, row.request_id, long_ago())
    assert read_request(row.request_id).state == "failed"
    # The dead process wakes up after all, and can claim no more.
    late = attempt_plan(row, plan, until=1e12)
    assert late.taken_over
    assert not late.parts
    assert available(own)["vcpus"] == 8


def test_killed_after_its_claim(cell, host, at_once):
    own = host(heartbeat="none")
    _, row, plan = accepted(cell)
    assert attempt_plan(row, plan, until=1e12).parts
    recover(row.home, row.request_id, long_ago())
    assert read_request(row.request_id).state == "claimed"
    assert available(own)["vcpus"] == 6
    assert not find(row.request_id).parts  # the claim says it; no transaction was spent


def test_killed_with_some_trees_held(cell, host, at_once):
    own = host(heartbeat="none")
    pool = host(heartbeat="none", resource_class="block_storage", amounts={"capacity_gb": 100, "iops": 100})
    _, row, plan = accepted(cell, VCPUS, DISK)
    assert plan.holds
    assert len(attempt_plan(row, plan, until=1e12).parts) == 2
    assert (available(own)["vcpus"], available(pool)["capacity_gb"]) == (6, 90)
    recover(row.home, row.request_id, long_ago())
    assert read_request(row.request_id).state == "failed"
    assert (available(own)["vcpus"], available(pool)["capacity_gb"]) == (8, 100)
    assert list_claims(ClaimFilter(cell=cell.name), 10).results == []


def test_killed_after_the_commit_before_the_confirmation(cell, host, at_once, monkeypatch):
    host(heartbeat="none")
    host(heartbeat="none", resource_class="block_storage", amounts={"capacity_gb": 100, "iops": 100})
    _, row, plan = accepted(cell, VCPUS, DISK)
    tried = attempt_plan(row, plan, until=1e12)
    monkeypatch.setattr("conductor.commit.confirm", lambda parts: None)
    assert commit(row, plan, tried) is not None
    assert {c.state for c in list_claims(ClaimFilter(cell=cell.name), 10).results} == {"held"}
    monkeypatch.undo()
    recover(row.home, row.request_id, long_ago())
    assert {c.state for c in list_claims(ClaimFilter(cell=cell.name), 10).results} == {"claimed"}
    assert read_request(row.request_id).state == "claimed"


def test_a_host_that_never_answers_is_given_up(cell, host, settings, at_once):
    own = host()
    settings.CLAIM_DEADLINE = -1.0
    placed = schedule(request(cell))
    assert isinstance(placed, Placed)
    assert available(own)["vcpus"] == 6
    assert recover_cell(cell.home) == 1
    view = read_request(placed.request_id)
    assert view.state == "failed"
    assert "no word from" in view.reason
    assert available(own)["vcpus"] == 8
    assert recover_cell(cell.home) == 0


def test_a_projection_that_is_behind_is_repaired(cell, host, monkeypatch):
    own = host(heartbeat="none")
    monkeypatch.setattr("claims.take.project_soon", lambda *args: None)  # dies between transaction and projection
    assert isinstance(schedule(request(cell)), Placed)
    shown = list_providers(ProviderFilter(cell=cell.name), 1).results[0]
    assert (shown["available"]["vcpus"], available(own)["vcpus"]) == (8, 6)
    assert sweep_shard(cell.home, "compute", 0) == 1
    shown = list_providers(ProviderFilter(cell=cell.name), 1).results[0]
    assert shown["available"]["vcpus"] == 6
    assert sweep_shard(cell.home, "compute", 0) == 0


def test_a_registration_that_died_before_its_projection_is_finished_by_its_repetition(cell, monkeypatch):
    new = NewProvider("h", cell.name, "compute", {"vcpus": Inventory(4)}, id=uuid.uuid4(), heartbeat="none")

    def die(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr("providers.register.project_now", die)
    with pytest.raises(KeyboardInterrupt):
        register(new)
    monkeypatch.undo()
    assert list_providers(ProviderFilter(cell=cell.name), 10).results == []
    with pytest.raises(Conflict):
        register(new)
    assert [p["id"] for p in list_providers(ProviderFilter(cell=cell.name), 10).results] == [str(new.id)]


def test_a_request_whose_row_never_came_is_forgotten(cell, cassandra):
    lost = uuid.uuid4()
    write_many([open_write(cell.home, lost, long_ago())])
    recover_cell(cell.home)
    cql = f"SELECT request_id FROM {keyspace('dc1')}.open_requests WHERE cell = ? AND slot = ?"
    assert read(cql, [cell.name, lost.int % 16]) == []

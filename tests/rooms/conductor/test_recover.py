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
from conductor.open_work import due, put_on
from conductor.place import schedule
from conductor.progress import ClaimGone, building, built, not_built
from conductor.recover import recover, recover_cell
from conductor.release import delete_request, release_claim
from conductor.rows import find
from conductor.sweep import sweep_shard
from conductor.types import Pending, Placed, ScheduleRequest
from providers import cells, own_row
from providers.find import ProviderFilter, list_providers
from providers.inventory import Inventory
from providers.records import read_provider
from providers.refusals import Conflict, NotFound
from providers.register import NewProvider, register
from providers.remove import remove
from providers.unprojected import finish
from scheduler.types import Resource
from store.failures import StoreUnavailable
from store.lwt import Unknown
from store.session import write

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
    monkeypatch.setattr("conductor.commit.confirm_own", lambda row, parts: {})
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
    assert "not built within" in view.reason
    assert available(own)["vcpus"] == 8
    assert recover_cell(cell.home) == 0


def away(*args, **more):
    raise StoreUnavailable("away")


def test_a_projection_that_is_behind_is_repaired(cell, host, monkeypatch):
    own = host(heartbeat="none")
    monkeypatch.setattr("conductor.commit.project_now", away)  # dies between transaction and projection
    monkeypatch.setattr("conductor.commit.project_soon", lambda *args: None)
    assert isinstance(schedule(request(cell)), Placed)
    before = list_providers(ProviderFilter(cell=cell.name), 1).results[0]
    assert (before["available"]["vcpus"], available(own)["vcpus"]) == (8, 6)
    assert sweep_shard(cell.home, "compute", 0) == 1
    after = list_providers(ProviderFilter(cell=cell.name), 1).results[0]
    assert after["available"]["vcpus"] == 6
    assert sweep_shard(cell.home, "compute", 0) == 0


def died_before_projection(monkeypatch, new):
    def die(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr("providers.register.project_location", die)
    with pytest.raises(KeyboardInterrupt):
        register(new)
    monkeypatch.undo()


def shown(cell):
    return [p["id"] for p in list_providers(ProviderFilter(cell=cell.name), 10).results]


def test_a_registration_that_died_before_its_projection_is_finished_by_its_repetition(cell, monkeypatch):
    new = NewProvider("h", cell.name, "compute", {"vcpus": Inventory(4)}, id=uuid.uuid4(), heartbeat="none")
    died_before_projection(monkeypatch, new)
    assert shown(cell) == []
    with pytest.raises(Conflict):
        register(new)
    assert shown(cell) == [str(new.id)]


def test_a_registration_that_died_before_its_projection_is_finished_by_the_conductor(cell, monkeypatch):
    new = NewProvider("h", cell.name, "compute", {"vcpus": Inventory(4)}, id=uuid.uuid4(), heartbeat="none")
    died_before_projection(monkeypatch, new)
    monkeypatch.setattr("providers.unprojected.GRACE", dt.timedelta(0))
    assert finish(cell.home) == 1
    assert shown(cell) == [str(new.id)]
    assert finish(cell.home) == 0


def test_a_removal_that_died_before_its_projection_leaves_no_phantom(cell, host, monkeypatch):
    own = host(heartbeat="none")

    def die(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr("providers.remove._clear_up", die)
    with pytest.raises(KeyboardInterrupt):
        remove(own.id)
    monkeypatch.undo()
    assert shown(cell) == [str(own.id)]
    assert sweep_shard(cell.home, "compute", 0) == 1
    assert shown(cell) == []
    with pytest.raises(NotFound):
        remove(own.id)
    with pytest.raises(Conflict):
        register(NewProvider("again", cell.name, "compute", id=own.id))


def test_a_removal_whose_answer_is_lost_succeeds(cell, host, monkeypatch):
    own = host(heartbeat="none")
    real = own_row.run
    answers = iter([Unknown("lost")])

    def lose_the_first(statements, datacenter):
        outcome = real(statements, datacenter)
        return next(answers, outcome)

    monkeypatch.setattr(own_row, "run", lose_the_first)
    remove(own.id)
    assert shown(cell) == []


def test_a_child_that_was_removed_is_never_registered_again(cell, host):
    root = host(heartbeat="none")
    child = NewProvider("numa0", cell.name, "compute", {"vcpus": Inventory(2)}, uuid.uuid4(), root.id, heartbeat="none")
    register(child)
    assert sweep_shard(cell.home, "compute", 0) == 0
    remove(child.id)
    with pytest.raises(Conflict, match="never reused"):
        register(child)


def test_deleting_a_request_that_holds_gives_its_holds_back(cell, host, at_once):
    own = host(heartbeat="none")
    pool = host(heartbeat="none", resource_class="block_storage", amounts={"capacity_gb": 100, "iops": 100})
    _, row, plan = accepted(cell, VCPUS, DISK)
    assert len(attempt_plan(row, plan, until=1e12).parts) == 2
    assert delete_request(row.request_id, "me")
    assert read_request(row.request_id).state == "released"
    assert (available(own)["vcpus"], available(pool)["capacity_gb"]) == (8, 100)


def two_hosts(cell, host, **changes):
    """A request for two hosts, whole; and its two claims."""
    host(amounts={"vcpus": 2, "memory_mb": 10, "disk_gb": 10}, **changes)
    host(amounts={"vcpus": 2, "memory_mb": 10, "disk_gb": 10}, **changes)
    placed = schedule(request(cell, count=2))
    assert isinstance(placed, Placed)
    return placed.request_id, [uuid.UUID(claim["id"]) for claim in placed.claims]


def test_a_claim_that_is_asked_back_can_not_be_consumed(cell, host):
    request_id, (one, other) = two_hosts(cell, host)
    building(one, None)
    assert not release_claim(one, "me")
    with pytest.raises(ClaimGone) as gone:
        built(one, None)
    assert gone.value.claim_state == "released"
    not_built(one, None, "released")
    built(other, None)
    assert read_request(request_id).state == "active"


def test_a_request_is_active_when_its_last_unbuilt_part_is_released(cell, host):
    request_id, (one, other) = two_hosts(cell, host)
    built(one, None)
    assert read_request(request_id).state == "building"
    assert release_claim(other, "me")
    assert read_request(request_id).state == "active"


def test_when_cassandra_goes_away_after_the_claim_nobody_is_told_that_nothing_was_made(cell, host, monkeypatch):
    own = host(heartbeat="none")
    monkeypatch.setattr("conductor.commit.project_now", away)
    monkeypatch.setattr("conductor.outcome.records_of", away)
    answer = schedule(request(cell))
    assert isinstance(answer, Pending)
    monkeypatch.undo()
    assert read_request(answer.request_id).state == "claimed"
    assert available(own)["vcpus"] == 6


def test_work_of_a_removed_cell_is_still_looked_for(cell, host):
    own = host(heartbeat="none")
    remove(own.id)
    cells.delete(cell.name)
    assert cell.home in cells.all_homes()


def test_a_request_whose_row_never_came_is_forgotten(cell, cassandra):
    lost = uuid.uuid4()
    write(*put_on(cell.home, lost, long_ago()))
    assert [entry.request_id for entry in due(cell.home)] == [lost]
    recover_cell(cell.home)
    assert list(due(cell.home)) == []

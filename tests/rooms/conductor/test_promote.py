"""A plan of one's own between its comparison and its claim: hosts change, processes die."""

import datetime as dt
import uuid

import pytest

from claims.find import ClaimFilter, list_claims
from conductor import promote
from conductor.find import read_request
from conductor.recover import recover
from conductor.rows import find
from conductor.types import Contended, Placed, PlanChanged, ScheduleRequest
from providers.change import Changes, change
from providers.records import read_provider
from scheduler.types import Resource

VCPUS = Resource("compute", {"vcpus": 2})
DISK = Resource("block_storage", {"capacity_gb": 10})


class Killed(BaseException):
    """Nothing catches it, as nothing catches SIGKILL."""


@pytest.fixture
def planned(cell, host):
    """A request with an id of its own, over two trees unless said otherwise; its plan; its host."""

    def make(*resources):
        own = host(heartbeat="none")
        host(heartbeat="none", resource_class="block_storage", amounts={"capacity_gb": 100, "iops": 1})
        request = ScheduleRequest(
            "me", "project", resources or (VCPUS, DISK), {}, "somebody", request_id=uuid.uuid4(), cell=cell.name
        )
        return request, promote.plan_for(request), own

    return make


def available(own):
    return read_provider(own.id)[1].available["vcpus"]


def in_between(monkeypatch, act):
    """Acts once, after the plan was compared and written and before anything is claimed."""
    real = promote.join

    def join(row, plan):
        monkeypatch.undo()
        act()
        return real(row, plan)

    monkeypatch.setattr(promote, "join", join)


@pytest.mark.parametrize("resources", [(VCPUS,), (VCPUS, DISK), (DISK, VCPUS)])
def test_a_host_that_changes_between_comparison_and_claim_is_not_claimed(planned, monkeypatch, resources, cell):
    request, steps, own = planned(*resources)
    in_between(monkeypatch, lambda: change(own.id, own.state_version, Changes({"traits": {"SSD"}}, {}, {})))
    outcome = promote.promote(request, steps)
    assert isinstance(outcome, PlanChanged)
    assert [one["reason"] for one in outcome.changed if not one["holds"]] == ["state_version"]
    assert list_claims(ClaimFilter(cell=cell.name), 10).results == []
    assert available(own) == 8
    assert promote.promote(request, steps) == outcome  # whoever repeats it hears the same


def test_what_was_in_the_way_and_has_gone_is_asked_for_again_under_the_same_id(planned, monkeypatch):
    request, steps, own = planned(VCPUS)
    monkeypatch.setattr(promote, "attempt_plan", lambda row, plan, until, exactly: promote.barred(plan))
    assert isinstance(promote.promote(request, steps), Contended)
    monkeypatch.undo()
    placed = promote.promote(request, steps)
    assert isinstance(placed, Placed)
    assert not placed.replayed
    assert available(own) == 6


def test_killed_before_the_commit_it_is_given_back_and_may_begin_again(planned, monkeypatch, settings, cell):
    settings.REQUEST_LEASE, settings.SCHEDULE_DEADLINE = -30.0, 5.0  # leases end before they begin
    request, steps, own = planned()

    def killed(*args):
        raise Killed

    monkeypatch.setattr(promote, "commit", killed)
    with pytest.raises(Killed):
        promote.promote(request, steps)
    monkeypatch.undo()
    assert {claim.state for claim in list_claims(ClaimFilter(cell=cell.name), 10).results} == {"held"}
    recover(find(request.request_id).home, request.request_id, dt.datetime.now(dt.UTC) - dt.timedelta(hours=1))
    assert read_request(request.request_id).reason == "interrupted"
    assert available(own) == 8
    again = promote.promote(request, steps)
    assert isinstance(again, Placed)
    assert not again.replayed
    assert available(own) == 6


def test_killed_after_the_claim_on_one_tree_it_is_claimed(planned, monkeypatch):
    request, steps, own = planned(VCPUS)

    def killed(*args):
        raise Killed

    monkeypatch.setattr(promote, "commit", killed)
    with pytest.raises(Killed):
        promote.promote(request, steps)
    monkeypatch.undo()
    placed = promote.promote(request, steps)
    assert isinstance(placed, Placed)
    assert placed.replayed
    assert available(own) == 6

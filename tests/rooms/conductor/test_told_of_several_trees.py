"""What is told of claims on several trees: every hold before what became of it, and nothing is lost when one fails."""

import pytest

from claims import mark
from conductor.accept import accept, new_request_id, plan_of
from conductor.attempt import attempt_plan
from conductor.commit import abort, commit
from conductor.decide import decide
from conductor.place import rng, schedule
from conductor.types import Placed, ScheduleRequest
from events.look_back import Wanted, look
from events.types import CLAIM_HELD, CLAIM_RELEASED, CLAIM_TAKEN, PROVIDER_REPAIRED
from providers.projection import projector
from providers.refusals import Undecided
from providers.sweeps import sweep
from scheduler.types import Resource


@pytest.fixture
def request_for(cell, host):
    def make(count):
        for _ in range(count):
            host(heartbeat="none", amounts={"vcpus": 2})
        return ScheduleRequest("me", "p", (Resource("compute", {"vcpus": 2}),), {}, "me", cell=cell.name, count=count)

    return make


@pytest.fixture
def held(request_for):
    """A request over two hosts whose claims are held: its row, its plan, and what was tried."""
    request = request_for(2)
    plan = plan_of(decide(request, rng).assignment)
    row, _ = accept(request, new_request_id(request, plan), plan, None)
    tried = attempt_plan(row, plan, until=1e12)
    assert len(tried.parts) == 2
    return row, plan, tried


@pytest.fixture
def told(cell):
    def of(**wanted):
        assert projector().drain()
        return [event.type for event in look([cell.home], Wanted(oldest_first=True, **wanted), 100, None)[0]]

    return of


def test_a_hold_before_its_confirmation(cell, request_for, told):
    placed = schedule(request_for(3))
    assert isinstance(placed, Placed)
    assert len({claim["provider"] for claim in placed.claims}) == 3
    assert {claim["state"] for claim in placed.claims} == {"claimed"}
    assert all(claim["generation"] for claim in placed.claims)
    for one in [c for c in sweep([cell.home], "compute") if c.claims]:  # shown already, nobody waited for the projector
        assert one.available["vcpus"] == 0
        assert [t for t in told(provider_id=one.provider_id) if t.startswith("claim")] == [CLAIM_HELD, CLAIM_TAKEN]


def test_a_hold_before_its_end(held, told):
    row, _, tried = held
    abort(row, tried.parts)
    for part in tried.parts:
        assert told(claim_id=part.claim_id) == [CLAIM_HELD, CLAIM_RELEASED]


def test_when_one_is_not_confirmed_the_others_are_told(held, told, monkeypatch):
    row, plan, tried = held
    first, second = tried.parts
    confirm = mark.confirm_held

    def fails(home, root_id, claims):
        if root_id == first.root_id:
            raise Undecided("no answer")
        return confirm(home, root_id, claims)

    monkeypatch.setattr(mark, "confirm_held", fails)
    with pytest.raises(Undecided):
        commit(row, plan, tried)
    assert told(claim_id=second.claim_id) == [CLAIM_HELD, CLAIM_TAKEN]
    assert told(claim_id=first.claim_id) == [CLAIM_HELD]


def test_a_confirmation_whose_answer_was_lost_is_told(held, told, monkeypatch):
    row, plan, tried = held
    confirm = mark.confirm_held
    monkeypatch.setattr(mark, "confirm_held", lambda *those: confirm(*those) and confirm(*those))
    committed = commit(row, plan, tried)
    assert set(committed.trees) == {part.root_id for part in tried.parts}
    for part in tried.parts:
        assert told(provider_id=part.provider_id)[-1] == PROVIDER_REPAIRED


def test_what_cannot_be_projected_is_told_later(held, told, monkeypatch):
    row, plan, tried = held
    with monkeypatch.context() as away:
        away.setattr("providers.projection._project", lambda behind: 1 / 0)
        assert commit(row, plan, tried).trees == {}
    for part in tried.parts:
        assert told(claim_id=part.claim_id) == [CLAIM_HELD, CLAIM_TAKEN]

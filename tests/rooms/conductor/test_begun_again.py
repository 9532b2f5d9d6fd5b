"""A request that was ended while it still held something begins again: what was held goes back first."""

import random
import time
import uuid

from conductor import place
from conductor.accept import accept, plan_of
from conductor.attempt import attempt_plan
from conductor.commit import refuse
from conductor.decide import decide
from conductor.place import schedule
from conductor.rows import find
from conductor.types import Pending, Placed, ScheduleRequest
from providers.inventory import Inventory
from providers.records import CLAIM, read_provider
from providers.register import NewProvider, register
from scheduler.types import Resource


def test_the_holds_of_the_plan_before_go_back(cell, host):
    own = host(heartbeat="none", amounts={"vcpus": 2})
    disks = {"capacity_gb": Inventory(100)}
    _, disk = register(NewProvider("disk", cell.name, "block_storage", disks, heartbeat="none"))
    resources = (Resource("compute", {"vcpus": 2}), Resource("block_storage", {"capacity_gb": 60}))
    asked = ScheduleRequest("me", "p", resources, {}, "me", request_id=uuid.uuid4(), cell=cell.name)
    plan = plan_of(decide(asked, random.Random(1)).assignment)
    row, _ = accept(asked, asked.request_id, plan, None)
    assert len(attempt_plan(row, plan, until=1e12).parts) == 2
    assert refuse(row, "interrupted", {"attempts": 2})  # and dies before anything is given back
    assert read_provider(own.id)[1].available["vcpus"] == 0

    placed = schedule(asked)
    assert isinstance(placed, Placed)
    for provider, left in ((own, {"vcpus": 0}), (disk, {"capacity_gb": 40})):
        tree, now = read_provider(provider.id)
        assert {name: now.available[name] for name in left} == left
        assert [str(r.id) for r in tree.records if r.kind == CLAIM] == [
            claim["id"] for claim in placed.claims if claim["provider"] == str(provider.id)
        ]


def test_of_two_that_repeat_it_at_once_one_begins_again(cell, host, monkeypatch):
    """The second one read the row before the first took it up again: it changes nothing of what the first holds."""
    own = host(heartbeat="none", amounts={"vcpus": 4})
    register(NewProvider("disk", cell.name, "block_storage", {"capacity_gb": Inventory(100)}, heartbeat="none"))
    resources = (Resource("compute", {"vcpus": 2}), Resource("block_storage", {"capacity_gb": 60}))
    asked = ScheduleRequest("me", "p", resources, {}, "me", request_id=uuid.uuid4(), cell=cell.name)
    row, _ = accept(asked, asked.request_id, plan_of(decide(asked, random.Random(1)).assignment), None)
    assert refuse(row, "interrupted", {"attempts": 0})
    real, second = place.attempt_plan, []

    def while_it_holds(*arguments, **more):
        tried = real(*arguments, **more)
        if not second:
            second.append(None)
            second[0] = place._repeat(asked, before, time.monotonic() + 1)
        return tried

    before = find(asked.request_id)
    monkeypatch.setattr(place, "attempt_plan", while_it_holds)
    first = schedule(asked)
    assert isinstance(first, Placed)
    assert isinstance(second[0], Pending)
    assert read_provider(own.id)[1].available["vcpus"] == 2
    assert {str(r.id) for r in read_provider(own.id)[0].records if r.kind == CLAIM} <= {c["id"] for c in first.claims}
    assert len([r for r in read_provider(own.id)[0].records if r.kind == CLAIM]) == 1

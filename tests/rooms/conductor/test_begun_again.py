"""A request that was ended while it still held something begins again: what was held goes back first."""

import random
import uuid

from conductor.accept import accept, plan_of
from conductor.attempt import attempt_plan
from conductor.commit import refuse
from conductor.decide import decide
from conductor.place import schedule
from conductor.types import Placed, ScheduleRequest
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

"""What has no agent is waited for by nobody: it is not late, and when it is lost it is placed anew all the same."""

import datetime as dt

import pytest

from api.fields import Fields
from api.parse.schedule import schedule_request
from conductor import progress
from conductor.outcome import parts_of
from conductor.place import schedule
from conductor.recover import recover
from conductor.rows import get
from conductor.states import ACTIVE, CLAIMED, RESCHEDULING

VCPUS = {"resource_class": "compute", "amounts": {"vcpus": 2}}
DISK = {"resource_class": "block_storage", "amounts": {"capacity_gb": 10}}
STORAGE = {"capacity_gb": 100, "iops": 0}


@pytest.fixture
def made(cell, host):
    """A request on a host with an agent and on a pool without one; and there is another pool."""
    host("a")
    for name in ("pool1", "pool2"):
        host(name, resource_class="block_storage", amounts=STORAGE, heartbeat="none")
    body = {"consumer": "me", "project": "p", "cell": cell.name, "resources": [VCPUS, DISK]}
    wanted, _ = schedule_request(body, Fields(body), None, "me")
    return get(schedule(wanted).request_id)


def part_of(row, resource_class):
    (part,) = [p for p in parts_of(row) if p.resource_class == resource_class and p.state in ("made", "built")]
    return part


def test_a_volume_is_not_late_while_the_host_is_at_work(made, settings):
    progress.building(part_of(made, "compute").claim_id, None)
    settings.ANSWER_DEADLINE = -1.0
    next_look, moved = recover(made.home, made.request_id, dt.datetime.now(dt.UTC))
    assert not moved
    assert next_look > dt.datetime.now(dt.UTC) + dt.timedelta(seconds=60), "nothing is due before the host's deadline"
    assert get(made.request_id).version == made.version


def test_a_volume_that_is_lost_while_its_host_builds_is_placed_before_the_request_is_active(made, monkeypatch):
    volume = part_of(made, "block_storage")
    monkeypatch.setattr(progress, "reschedule", lambda row: row)  # the portal dies after the row was moved
    assert progress.not_built(volume.claim_id, None, "the pool is broken").state == RESCHEDULING
    monkeypatch.undo()
    computes = part_of(made, "compute")
    progress.building(computes.claim_id, None)
    assert progress.built(computes.claim_id, None).state == RESCHEDULING
    recover(made.home, made.request_id, dt.datetime.now(dt.UTC))
    row = get(made.request_id)
    assert row.state in (ACTIVE, CLAIMED)
    assert part_of(row, "block_storage").provider_name != volume.provider_name
    assert row.state == ACTIVE

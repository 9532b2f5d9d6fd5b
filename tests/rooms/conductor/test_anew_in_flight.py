"""What was being placed anew when the row got a new epoch: it is given back, and counts for nothing."""

import pytest

from api.fields import Fields
from api.parse.schedule import schedule_request
from conductor import progress
from conductor import reschedule as placing_anew
from conductor.outcome import parts_of
from conductor.place import schedule
from conductor.recover import recover
from conductor.release import release_claim
from conductor.rows import get
from conductor.states import ACTIVE, CLAIMED, RESCHEDULING
from conductor.types import OVER
from providers.records import CLAIM, locate, read_tree
from store.failures import StoreUnavailable

VCPUS = {"resource_class": "compute", "amounts": {"vcpus": 2}}
DISK = {"resource_class": "block_storage", "amounts": {"capacity_gb": 10}}


@pytest.fixture
def ask(cell):
    def make(*resources, **more):
        body = {"consumer": "me", "project": "p", "cell": cell.name, "resources": list(resources), **more}
        wanted, _ = schedule_request(body, Fields(body), None, "me")
        return get(schedule(wanted).request_id)

    return make


@pytest.fixture
def dies_held(monkeypatch):
    """Whoever places anew dies with its trees held."""

    def lose(claim_id):
        def dies(row, tried):
            raise StoreUnavailable("killed before the commit")

        with monkeypatch.context() as patch:
            patch.setattr(placing_anew, "_commit", dies)
            row = progress.not_built(claim_id, None, "no image")
        assert row.state == RESCHEDULING
        return get(row.request_id)

    return lose


def claims(owns, row):
    trees = [read_tree(locate(own.id).home, own.id) for own in owns]
    return {r.id: r for tree in trees for r in tree.records if r.kind == CLAIM and r.request_id == row.request_id}


def place(row):
    """A conductor goes on; nobody has it on any more."""
    assert row.lease_until is None
    recover(row.home, row.request_id, row.created_at)
    return get(row.request_id)


def test_a_volume_released_meanwhile_leaves_no_second_claim(ask, host, dies_held):
    owns = [host(name) for name in ("a", "b", "c")]
    owns.append(host("pool", resource_class="block_storage", amounts={"capacity_gb": 100, "iops": 0}, heartbeat="none"))
    row = ask(VCPUS, DISK)
    compute = next(p for p in parts_of(row) if p.resource_class == "compute")
    volume = next(p for p in parts_of(row) if p.resource_class == "block_storage")
    row = dies_held(compute.claim_id)
    assert [r.state for r in claims(owns, row).values()].count("held") == 1
    release_claim(volume.claim_id, "me")
    row = place(get(row.request_id))
    assert row.state == CLAIMED
    (stays,) = [p.claim_id for p in parts_of(row) if p.state not in OVER]
    assert set(claims(owns, row)) == {stays}
    assert progress.built(stays, None).state == ACTIVE


def test_another_host_that_fails_meanwhile_leaves_no_hold(ask, host, dies_held):
    owns = [host(f"h{number}", amounts={"vcpus": 2}) for number in range(5)]
    row = ask(VCPUS, count=2)
    first, second = parts_of(row)
    row = dies_held(first.claim_id)
    held = {r.id for r in claims(owns, row).values() if r.state == "held"}
    assert len(held) == 1
    row = progress.not_built(second.claim_id, None, "no image")  # which places both of them at once
    assert row.state == CLAIMED
    stay = {p.claim_id for p in parts_of(row) if p.state not in OVER}
    assert len(stay) == 2
    assert set(claims(owns, row)) == stay
    assert not held & stay

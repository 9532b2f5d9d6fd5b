"""What the audit finds, that it changes nothing by looking, and that its repairs repair."""

import io
import json
import uuid

import pytest
from django.core.management import CommandError, call_command

from claims.find import ClaimFilter, list_claims
from claims.release import ANY, destroy, release
from claims.types import HELD
from conductor import progress
from conductor.accept import accept, new_request_id, plan_of
from conductor.attempt import attempt_plan
from conductor.audit import look, repair, stretches
from conductor.decide import decide
from conductor.find import read_request
from conductor.outcome import parts_of, records_of
from conductor.place import rng, schedule
from conductor.rows import close_write, find, get, move
from conductor.states import FAILED, RELEASING
from conductor.types import ScheduleRequest
from providers.records import CLOSED, read_tree
from scheduler.types import Resource
from store.session import keyspace, session, write

VCPUS = Resource("compute", {"vcpus": 2})
DISK = Resource("block_storage", {"capacity_gb": 10})


@pytest.fixture
def old(monkeypatch):
    """Nothing is too young to be looked at."""
    import datetime as dt

    for module in ("audit_trees", "audit_requests"):
        for name in ("YOUNG", "OVERDUE", "LONG"):
            monkeypatch.setattr(f"conductor.{module}.{name}", dt.timedelta(seconds=-3600), raising=False)


def ask(cell, *resources):
    body = {"consumer": "me", "n": str(uuid.uuid4())}
    return ScheduleRequest("me", "p", resources or (VCPUS,), body, "me", cell=cell.name)


def findings(cell):
    return [one for part in stretches(cell.home) for one in look(part)]


def kinds(cell):
    return sorted({one.kind for one in findings(cell)})


def test_a_cell_in_order_has_no_findings(cell, host):
    host(), host(heartbeat="none", resource_class="block_storage", amounts={"capacity_gb": 100, "iops": 1})
    row = get(schedule(ask(cell)).request_id)
    progress.building(parts_of(row)[0].claim_id, None)
    progress.built(parts_of(row)[0].claim_id, None)
    schedule(ask(cell, VCPUS, DISK))
    assert findings(cell) == []


def test_a_claim_whose_request_ended_goes_back(cell, host, old):
    own = host()
    row = get(schedule(ask(cell)).request_id)
    # The row ends without its claim, as a bug or a hand in the database would have it.
    assert move(move(row, RELEASING, ends_as=FAILED, reason="x"), FAILED) is not None
    (found,) = [one for one in findings(cell) if one.kind == "orphaned claim"]
    assert "its request is failed" in found.what
    assert read_tree(cell.home, own.id).providers[own.id].available["vcpus"] == 6
    repair(found, "me")
    assert read_tree(cell.home, own.id).providers[own.id].available["vcpus"] == 8
    assert "orphaned claim" not in kinds(cell)
    assert any("audit, orphaned claim" in line["why"] for line in read_request(row.request_id).history)
    repair(found, "me")  # twice changes nothing
    assert read_tree(cell.home, own.id).providers[own.id].available["vcpus"] == 8


def test_a_hold_that_nobody_commits(cell, host, old, settings):
    settings.CLAIM_DEADLINE = settings.REQUEST_LEASE = settings.SCHEDULE_DEADLINE = -1.0
    hosts = [host(), host(resource_class="block_storage", amounts={"capacity_gb": 100, "iops": 1})]
    request = ask(cell, VCPUS, DISK)
    plan = plan_of(decide(request, rng).assignment)
    row, _ = accept(request, new_request_id(request, plan), plan, None)
    settings.SCHEDULE_DEADLINE = 20.0
    attempt_plan(row, plan, until=1e12)
    held = [one for one in findings(cell) if one.kind == "expired hold"]
    assert {c.state for c in list_claims(ClaimFilter(cell=cell.name), 10).results} == {HELD}
    assert len(held) == 2
    for one in held:
        repair(one, "me")
    assert find(row.request_id).state == FAILED
    assert [r.kind for own in hosts for r in read_tree(cell.home, own.id).records if r.kind != CLOSED] == []


def test_a_projection_that_is_behind(cell, host, monkeypatch):
    own = host(heartbeat="none")
    row = get(schedule(ask(cell)).request_id)
    space = keyspace("dc1")
    session().execute(
        f"DELETE FROM {space}.capacity USING TIMESTAMP 10000 WHERE cell = %s AND resource_class = 'compute' "
        "AND shard = 0 AND root_id = %s",
        [cell.name, own.id],
    )
    assert row is not None
    # Without any row nobody knows of the tree here; the list of claims and the next change show it again.
    assert [one.kind for one in findings(cell)] == []
    monkeypatch.setattr("claims.release.project_now", lambda home, root, *news: read_tree(home, root))
    other = host(heartbeat="none")
    late = get(schedule(ask(cell)).request_id)
    release(records_of(parts_of(late))[0], ANY)
    monkeypatch.undo()
    (found,) = [one for one in findings(cell) if one.kind == "stale projection"]
    assert found.provider_id == other.id
    repair(found, "me")
    assert [one for one in findings(cell) if one.kind == "stale projection"] == []


def test_an_instance_that_is_not_there_any_more(cell, host, old):
    host()
    row = get(schedule(ask(cell)).request_id)
    claim = parts_of(row)[0].claim_id
    progress.building(claim, None)
    progress.built(claim, None)
    destroy(records_of(parts_of(get(row.request_id)))[0])
    (found,) = [one for one in findings(cell) if one.kind == "missing claim"]
    assert found.repair == "end the request"
    repair(found, "me")
    assert get(row.request_id).state == FAILED
    assert "missing claim" not in kinds(cell)


def test_an_instance_of_a_request_that_ended_is_to_be_destroyed(cell, host, old):
    host()
    row = get(schedule(ask(cell)).request_id)
    claim = parts_of(row)[0].claim_id
    progress.building(claim, None)
    row = progress.built(claim, None)
    assert move(move(row, RELEASING, ends_as=FAILED, reason="x"), FAILED) is not None
    (found,) = [one for one in findings(cell) if one.kind == "orphaned instance"]
    repair(found, "me")
    (record,) = records_of(parts_of(get(row.request_id)))
    assert record.state == "destroying"
    assert "orphaned instance" not in kinds(cell)


def test_sums_that_do_not_add_up_are_a_persons_to_decide(cell, host):
    own = host()
    session().execute(
        f"UPDATE {keyspace('dc1')}.provider_records SET available_vcpus = 99 WHERE root_id = %s AND provider_id = %s "
        "AND record_id = 00000000-0000-0000-0000-000000000000 IF available_vcpus = 8",
        [own.id, own.id],
    )
    (found,) = [one for one in findings(cell) if one.kind == "sum"]
    assert "vcpus available is 99, adds up to 8" in found.what
    assert found.do is None


def test_a_request_that_nobody_looks_after(cell, host, old):
    host()
    row = get(schedule(ask(cell)).request_id)
    write(*close_write(row))
    (found,) = [one for one in findings(cell) if one.kind == "stuck request"]
    assert found.request_id == row.request_id
    repair(found, "me")
    assert "stuck request" not in kinds(cell)


class TestTheCommand:
    def test_says_what_it_would_do_and_does_nothing(self, cell, host, old):
        own = host()
        row = get(schedule(ask(cell)).request_id)
        move(move(row, RELEASING, ends_as=FAILED, reason="x"), FAILED)
        out, err = io.StringIO(), io.StringIO()
        with pytest.raises(SystemExit) as ended:
            call_command("audit", cell=cell.name, stdout=out, stderr=err)
        assert ended.value.code == 1
        assert "orphaned claim" in out.getvalue()
        assert "--repair" in err.getvalue()
        assert read_tree(cell.home, own.id).providers[own.id].available["vcpus"] == 6

    def test_repairs_when_it_is_told_to(self, cell, host, old):
        own = host()
        row = get(schedule(ask(cell)).request_id)
        move(move(row, RELEASING, ends_as=FAILED, reason="x"), FAILED)
        out = io.StringIO()
        call_command("audit", cell=cell.name, repair=True, json=True, kind=["orphaned claim"], stdout=out)
        (line,) = [json.loads(one) for one in out.getvalue().splitlines()]
        assert (line["kind"], line["repaired"]) == ("orphaned claim", True)
        assert read_tree(cell.home, own.id).providers[own.id].available["vcpus"] == 8
        call_command("audit", cell=cell.name, kind=["orphaned claim"], stdout=out)

    def test_of_a_cell_that_is_not_there(self, cell):
        with pytest.raises(CommandError, match="no cell"):
            call_command("audit", cell="nowhere")

"""A request that is placed anew, and what others do to it in the middle."""

import datetime as dt
import time
import uuid
from dataclasses import replace

import pytest

from claims import groups
from claims.groups import Group, Membership, members
from conductor import lose as losing
from conductor import progress
from conductor import reschedule as placing_anew
from conductor.lose import lose
from conductor.outcome import parts_of, records_of
from conductor.recover import recover
from conductor.release import release_claim
from conductor.rows import get
from conductor.states import ACTIVE, CLAIMED, FAILED, RESCHEDULING
from events.look_back import Wanted, look
from events.types import REQUEST_STATE
from providers.records import CLAIM, INSTANCE
from store.failures import StoreUnavailable
from store.lwt import Statement
from store.lwt import run as run_transaction
from store.session import keyspace
from tests.rooms.conductor.cast_anew import DISK, VCPUS, claim_of


def conducted(row, times=3):
    for _ in range(times):
        recover(row.home, row.request_id, dt.datetime.now(dt.UTC))
    return get(row.request_id)


def standing(row):
    """Member and host of every claim and instance that there is of the request."""
    there = zip(row.parts, records_of(row.parts), strict=True)
    return sorted((p.number, p.provider_name) for p, r in there if r is not None and r.kind in (CLAIM, INSTANCE))


class TestAnotherPartIsReleasedMeanwhile:
    @pytest.fixture
    def three(self, ask, host):
        for number in range(6):
            host(f"h{number}", amounts={"vcpus": 2})
        row = ask(count=3)
        return row, *parts_of(row)

    def test_before_the_commit(self, three, monkeypatch):
        row, _, fails, other = three
        commit, calls = placing_anew._commit, []

        def meanwhile(row, tried):
            if not calls:
                calls.append(release_claim(other.claim_id, "me"))
            return commit(row, tried)

        monkeypatch.setattr(placing_anew, "_commit", meanwhile)
        progress.not_built(fails.claim_id, None, "no image")
        after = conducted(row)
        assert after.state == CLAIMED
        assert [number for number, _ in standing(after)] == [0, 1]

    def test_and_it_is_seen_to_be_taken_over(self, three, monkeypatch):
        row, _, fails, other = three
        attempt, calls = placing_anew.attempt_plan, []

        def meanwhile(row, plan, until):
            tried = attempt(row, plan, until)
            if not calls:
                calls.append(release_claim(other.claim_id, "me"))
                return replace(tried, taken_over=True)
            return tried

        monkeypatch.setattr(placing_anew, "attempt_plan", meanwhile)
        progress.not_built(fails.claim_id, None, "no image")
        after = conducted(row)
        assert after.state == CLAIMED
        assert [number for number, _ in standing(after)] == [0, 1]

    def test_the_lost_one_itself_is_not_placed(self, three, monkeypatch):
        row, _, fails, _ = three
        commit, calls = placing_anew._commit, []

        def meanwhile(row, tried):
            if not calls:
                calls.append(1)
                losing.begin_release(get(row.request_id), "released", "x", [fails.claim_id])
            return commit(row, tried)

        monkeypatch.setattr(placing_anew, "_commit", meanwhile)
        progress.not_built(fails.claim_id, None, "no image")
        after = conducted(row)
        assert after.state == CLAIMED
        assert [number for number, _ in standing(after)] == [0, 2]


def test_failed_after_the_row_says_that_it_is_built_ends_the_request(ask, host, monkeypatch):
    for number in range(3):
        host(f"h{number}", amounts={"vcpus": 2})
    row = ask(count=2)
    one, two = parts_of(row)
    progress.building(one.claim_id, None)

    def dies(record):
        raise StoreUnavailable("no answer")

    monkeypatch.setattr(progress, "consume", dies)
    with pytest.raises(StoreUnavailable):
        progress.built(one.claim_id, None)
    monkeypatch.undo()
    progress.not_built(one.claim_id, None, "it died")
    with pytest.raises(progress.ClaimGone):
        progress.built(two.claim_id, None)
    after = conducted(row)
    assert after.state == FAILED
    assert standing(after) == []


def test_what_was_built_and_not_consumed_is_consumed_by_a_conductor(ask, host, monkeypatch):
    for number in range(3):
        host(f"h{number}", amounts={"vcpus": 2})
    row = ask(count=2)
    one = parts_of(row)[0]
    progress.building(one.claim_id, None)

    def dies(record):
        raise StoreUnavailable("no answer")

    monkeypatch.setattr(progress, "consume", dies)
    with pytest.raises(StoreUnavailable):
        progress.built(one.claim_id, None)
    monkeypatch.undo()
    recover(row.home, row.request_id, dt.datetime.now(dt.UTC))
    kinds = {p.claim_id: r.kind for p, r in zip(parts_of(row), records_of(parts_of(row)), strict=True)}
    assert kinds[one.claim_id] == INSTANCE


def test_one_that_names_what_is_not_there_any_more_fails(ask, host, monkeypatch):
    for name in ("a", "b", "c"):
        host(name)
    other = ask()
    row = ask(different_host_from=[str(other.request_id)])
    cql = f"DELETE FROM {keyspace(other.home.datacenter)}.requests WHERE request_id = ? IF EXISTS"
    run_transaction([Statement(cql, [other.request_id])], other.home.datacenter)
    monkeypatch.setattr(losing, "FRESH", dt.timedelta(seconds=-1))  # no alternates: it must ask again
    after = progress.not_built(claim_of(row).claim_id, None, "no image")
    assert after.state == FAILED
    assert "different_host_from" in after.reason


def test_one_that_finds_no_place_in_time_fails(ask, host, settings, monkeypatch):
    host("a"), host("b")
    row = ask()
    monkeypatch.setattr(progress, "reschedule", lambda row: row)
    progress.not_built(claim_of(row).claim_id, None, "no image")
    settings.RESCHEDULE_SECONDS = -1.0
    after = conducted(row, 1)
    assert after.state == FAILED
    assert "no place was found within" in after.reason


def test_a_lost_volume_is_not_forgotten_when_the_rest_is_built(ask, host, monkeypatch):
    host("a")
    for name in ("pool", "other pool"):
        amounts = {"capacity_gb": 100, "iops": 0}
        host(name, resource_class="block_storage", amounts=amounts, heartbeat="none")
    row = ask(VCPUS, DISK)
    volume = next(p for p in parts_of(row) if p.resource_class == "block_storage")
    compute = next(p for p in parts_of(row) if p.resource_class == "compute")
    progress.building(compute.claim_id, None)
    monkeypatch.setattr(progress, "reschedule", lambda row: row)
    assert progress.not_built(volume.claim_id, None, "the pool says no").state == RESCHEDULING
    monkeypatch.undo()
    assert progress.built(compute.claim_id, None).state == RESCHEDULING
    after = conducted(row, 2)
    assert after.state == ACTIVE
    assert len(standing(after)) == 2


class TestAntiAffinity:
    def test_one_place_twice_is_barred(self, cell):
        group = Group("p", uuid.uuid4().hex, "anti-affinity", "host", 1)
        request = uuid.uuid4()
        twice = [Membership(uuid.uuid4(), request, "X"), Membership(uuid.uuid4(), request, "X")]
        assert isinstance(groups.join(group, twice), groups.Barred)
        assert members(group) == []

    def test_copies_that_lost_different_resources_go_to_different_hosts(self, ask, host):
        host("h0", amounts={"vcpus": 2}), host("h1", amounts={"vcpus": 2})
        for name in ("s0", "s1"):
            host(name, resource_class="block_storage", amounts={"capacity_gb": 10, "iops": 0})
        group = {"id": uuid.uuid4().hex, "policy": "anti-affinity", "scope": "host"}
        row = ask(VCPUS, DISK, count=2, group=group)
        lost = {part.claim_id: "x" for part in row.parts if part.number in (0, 2, 3)}
        host("big"), host("big too")
        host("s9", resource_class="block_storage", amounts={"capacity_gb": 10, "iops": 0})
        after = placing_anew.reschedule(lose(row, lost, "me")[0])
        assert after.state == CLAIMED
        computes = [p.root_id for p in after.parts if p.state == "made" and p.resource_class == "compute"]
        assert len(computes) == len(set(computes)) == 2

    def test_a_host_that_builds_on_does_not_keep_the_request_from_its_end(self, ask, host, settings):
        host("a")
        settings.CLAIM_DEADLINE = -1.0
        row = ask(group={"id": uuid.uuid4().hex, "policy": "anti-affinity", "scope": "host"})
        settings.CLAIM_DEADLINE = 600.0
        claim = claim_of(row)
        progress.building(claim.claim_id, None)
        assert conducted(row, 2).state == "releasing"  # its host is asked, and its word waited for
        progress.not_built(claim.claim_id, None, "stopped")
        assert get(row.request_id).state == FAILED


def test_a_copy_whose_host_is_given_up_takes_its_volume_along(ask, host, cell):
    for name in ("a", "b"):
        host(name, amounts={"vcpus": 2})
    host("pool", resource_class="block_storage", amounts={"capacity_gb": 100, "iops": 0}, heartbeat="none")
    row = ask(VCPUS, DISK, count=2, all_or_nothing=False)
    fails = next(p for p in parts_of(row) if p.resource_class == "compute")
    after = progress.not_built(fails.claim_id, None, "no image")
    assert after.state == CLAIMED
    after = conducted(row, 1)
    assert {number // 2 for number, _ in standing(after)} == {1 - fails.number // 2}
    time.sleep(0.1)
    told = look([cell.home], Wanted(type=REQUEST_STATE, request_id=row.request_id, oldest_first=True), 100, None)[0]
    assert [event.data["state"] for event in told][-2:] == ["rescheduling", "claimed"]

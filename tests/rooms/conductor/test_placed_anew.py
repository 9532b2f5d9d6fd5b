"""What a host could not build, or never answered, is placed on another: alternates, a new query, a limit, reasons."""

import datetime as dt
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import SimpleNamespace

import pytest

from api.fields import Fields
from api.parse.schedule import schedule_request
from claims.groups import Group, members
from conductor import progress
from conductor import reschedule as placing_anew
from conductor.find import read_request
from conductor.lose import lose
from conductor.outcome import parts_of
from conductor.place import schedule
from conductor.recover import recover, recover_cell
from conductor.release import delete_request
from conductor.rows import find, get
from conductor.states import ACTIVE, CLAIMED, FAILED, RELEASED, RESCHEDULING
from conductor.stored import stored_request
from conductor.types import Placed
from providers.heartbeat import silence
from providers.records import locate
from providers.silent import Silent, declare
from store.failures import StoreUnavailable
from tests.rooms.conductor.cast_anew import DISK, VCPUS, claim_of, free, live_claims, live_claims_everywhere, there


class TestAHostThatCannotBuild:
    def test_is_followed_by_an_alternate(self, ask, host):
        hosts = [host(name) for name in ("a", "b", "c")]
        row = ask()
        first = claim_of(row)
        progress.building(first.claim_id, None)
        after = progress.not_built(first.claim_id, None, "no image")
        assert after.state == CLAIMED
        second = claim_of(after)
        assert second.root_id != first.root_id
        assert [(f.provider_name, f.member, f.reason) for f in after.failures] == [(first.provider_name, 0, "no image")]
        assert sum(free(one) for one in hosts) == 24 - 2
        # Its place was an alternate of the first plan, not of a new decision.
        assert second.provider_id in [t.provider_id for t in row.plan.members[0].tries[1:]]
        progress.building(second.claim_id, None)
        assert progress.built(second.claim_id, None).state == ACTIVE
        states = [line["state"] for line in read_request(row.request_id).history]
        assert states[:2] == [RESCHEDULING, CLAIMED]
        assert states[-1] == ACTIVE

    def test_is_followed_by_a_new_query_when_the_plan_has_no_alternates_left(self, ask, host, settings):
        host("a")
        row = ask()
        host("b")  # came after the plan
        after = progress.not_built(claim_of(row).claim_id, None, "no image")
        assert (after.state, there(after)) == (CLAIMED, ["b"])

    def test_the_request_fails_with_the_reasons_of_every_attempt(self, ask, host):
        hosts = [host("a"), host("b")]
        row = ask()
        first = claim_of(row)
        row = progress.not_built(first.claim_id, None, "no image")
        second = claim_of(row)
        row = progress.not_built(second.claim_id, None, "disk broken")
        assert row.state == FAILED
        reasons = f"{first.provider_name}: no image; {second.provider_name}: disk broken; and no other provider does"
        assert row.reason == reasons
        assert [free(one) for one in hosts] == [8, 8]
        assert read_request(row.request_id).explanation["funnel"]

    def test_ends_at_the_limit(self, ask, host, settings):
        settings.RESCHEDULE_LIMIT = 2
        for number in range(5):
            host(f"h{number}")
        row = ask()
        for number in range(3):
            assert row.state in ("scheduling", CLAIMED), number
            row = progress.not_built(claim_of(row).claim_id, None, f"attempt {number}")
        assert row.state == FAILED
        assert len(row.failures) == 3
        assert row.reason.count("attempt") == 3

    def test_no_limit_is_no_second_attempt(self, ask, host, settings):
        settings.RESCHEDULE_LIMIT = 0
        host("a"), host("b")
        row = ask()
        name = claim_of(row).provider_name
        row = progress.not_built(claim_of(row).claim_id, None, "no image")
        assert (row.state, row.reason) == (FAILED, f"{name}: no image")

    def test_said_twice_it_moves_once(self, ask, host):
        for name in ("a", "b", "c"):
            host(name)
        row = ask()
        claim = claim_of(row)
        after = progress.not_built(claim.claim_id, None, "no image")
        with pytest.raises(progress.ClaimGone):
            progress.not_built(claim.claim_id, None, "no image")
        assert len(get(row.request_id).failures) == len(after.failures) == 1

    def test_one_of_many_copies_moves_alone_and_the_built_ones_stay(self, ask, host):
        hosts = [host(f"h{number}", amounts={"vcpus": 2}) for number in range(4)]
        row = ask(count=3)
        assert len(there(row)) == 3
        keeps, fails = parts_of(row)[0], parts_of(row)[1]
        progress.building(keeps.claim_id, None)
        progress.built(keeps.claim_id, None)
        after = progress.not_built(fails.claim_id, None, "no image")
        assert after.state == CLAIMED
        unused = {one.row["name"] for one in hosts} - set(there(row))
        assert set(there(after)) == {*(set(there(row)) - {fails.provider_name}), *unused}
        for part in [p for p in parts_of(after) if p.state == "made"]:
            progress.building(part.claim_id, None)
            last = progress.built(part.claim_id, None)
        assert last.state == ACTIVE
        assert sorted(free(one) for one in hosts) == [0, 0, 0, 2]

    def test_with_parts_that_may_be_missing_what_fits_nowhere_is_given_up(self, ask, host):
        host("a", amounts={"vcpus": 2}), host("b", amounts={"vcpus": 2})
        row = ask(count=2, all_or_nothing=False)
        stays, fails = parts_of(row)
        row = progress.not_built(fails.claim_id, None, "no image")
        assert (row.state, there(row)) == (CLAIMED, [stays.provider_name])
        progress.building(stays.claim_id, None)
        assert progress.built(stays.claim_id, None).state == ACTIVE

    def test_a_volume_of_the_same_request_stays_where_it_is(self, ask, host):
        host("a"), host("b")
        pool = host("pool", resource_class="block_storage", amounts={"capacity_gb": 100, "iops": 0}, heartbeat="none")
        row = ask(VCPUS, DISK)
        volume = next(p for p in parts_of(row) if p.provider_id == pool.id)
        fails = next(p for p in parts_of(row) if p.provider_id != pool.id)
        row = progress.not_built(fails.claim_id, None, "no image")
        assert row.state == CLAIMED
        assert volume.claim_id in [p.claim_id for p in parts_of(row) if p.state == "made"]
        moved = next(p for p in parts_of(row) if p.state == "made" and p.claim_id != volume.claim_id)
        progress.building(moved.claim_id, None)
        assert progress.built(moved.claim_id, None).state == ACTIVE

    def test_members_of_a_group_keep_its_rule(self, ask, host):
        for name in ("a", "b", "c"):
            host(name)
        group = {"id": uuid.uuid4().hex, "policy": "anti-affinity", "scope": "host"}
        one, two = ask(group=group), ask(group=group)
        row = progress.not_built(claim_of(one).claim_id, None, "no image")
        assert row.state == CLAIMED
        assert not set(there(row)) & set(there(two))
        assert claim_of(row).provider_name != claim_of(one).provider_name
        left = members(Group("p", group["id"], group["policy"], "host", 1))
        assert {m.claim_id for m in left} == {claim_of(row).claim_id, claim_of(two).claim_id}

    def test_a_plan_of_its_own_is_not_replaced(self, ask, host, monkeypatch):
        host("a"), host("b")
        row = ask()
        body = dict(row.body) | {"plan": []}
        after, first = lose(replace(row, body=body), {claim_of(row).claim_id: "no image"}, "me")
        assert first
        assert after.ends_as == FAILED


class TestAHostThatDoesNotAnswer:
    def test_is_given_up_after_a_deadline(self, ask, host, settings, cell):
        host("a"), host("b")
        row = ask()
        settings.ANSWER_DEADLINE = -1.0
        recover(row.home, row.request_id, dt.datetime.now(dt.UTC))
        settings.ANSWER_DEADLINE = 60.0
        after = get(row.request_id)
        assert after.state == CLAIMED
        assert there(after) != there(row)
        assert "did not begin" in after.failures[0].reason

    def test_one_that_builds_for_too_long_is_asked_to_stop_and_another_builds(self, ask, host, settings):
        host("a"), host("b")
        settings.CLAIM_DEADLINE = -1.0
        row = ask()
        settings.CLAIM_DEADLINE = 600.0
        slow = claim_of(row)
        progress.building(slow.claim_id, None)
        recover(row.home, row.request_id, dt.datetime.now(dt.UTC))
        after = get(row.request_id)
        assert after.state == CLAIMED
        assert len(live_claims(after)) == 2  # it may be at work still: its amounts come back with its word
        with pytest.raises(progress.ClaimGone, match="no longer part"):
            progress.built(slow.claim_id, None)
        progress.not_built(slow.claim_id, None, "stopped")
        assert [r.id for r in live_claims(get(row.request_id))] == [claim_of(after).claim_id]
        assert len(get(row.request_id).failures) == 1

    def test_one_that_was_declared_silent_loses_its_claim_in_any_state(self, ask, host, cell):
        hosts = {own.id: own for own in (host("a"), host("b"))}
        row = ask()
        claim = claim_of(row)
        progress.building(claim.claim_id, None)
        now = dt.datetime.now(dt.UTC)
        silence(locate(claim.root_id))
        assert declare(cell.home, Silent(claim.root_id, "a", "compute", 0, now, now, False))
        recover(row.home, row.request_id, now)
        after = get(row.request_id)
        assert (after.state, after.failures[0].reason) == (CLAIMED, "its host was not heard from any more")
        assert free(hosts[claim.root_id]) == 8
        with pytest.raises(progress.ClaimGone):  # it comes back and thinks that it built
            progress.built(claim.claim_id, None)

    def test_a_volume_that_nobody_builds_is_not_late(self, ask, host, settings):
        host("a"), host("b")
        pool = host("pool", resource_class="block_storage", amounts={"capacity_gb": 100, "iops": 0}, heartbeat="none")
        row = ask(VCPUS, DISK)
        volume = next(p for p in parts_of(row) if p.provider_id == pool.id)
        slow = next(p for p in parts_of(row) if p.provider_id != pool.id)
        settings.ANSWER_DEADLINE = -1.0
        recover(row.home, row.request_id, dt.datetime.now(dt.UTC))
        after = get(row.request_id)
        assert [f.provider_name for f in after.failures] == [slow.provider_name]
        assert volume.claim_id in [p.claim_id for p in parts_of(after) if p.state == "made"]

    def test_asked_for_again_it_tells_where_it_is_now(self, ask, host, cell):
        host("a"), host("b")
        used = str(uuid.uuid4())
        row = ask(request_id=used)
        first = claim_of(row)
        row = progress.not_built(first.claim_id, None, "no image")
        body = dict(row.body)
        wanted, _ = schedule_request(dict(body), Fields(dict(body)), None, "me")
        again = schedule(wanted)
        assert isinstance(again, Placed)
        assert [claim["provider_name"] for claim in again.claims] == there(row) != [first.provider_name]


class TestInterrupted:
    def test_who_dies_with_a_tree_held_is_followed(self, ask, host, settings, monkeypatch):
        settings.REQUEST_LEASE = settings.SCHEDULE_DEADLINE = 0.2
        hosts = [host(name) for name in ("a", "b", "c", "d")]
        settings.SCHEDULE_DEADLINE = 20.0
        row = ask()

        def dies(*args):
            raise StoreUnavailable("killed before the commit")

        settings.SCHEDULE_DEADLINE = 0.0
        monkeypatch.setattr(placing_anew, "_commit", dies)
        monkeypatch.setattr(placing_anew.time, "monotonic", lambda: -1e9)
        after = progress.not_built(claim_of(row).claim_id, None, "no image")
        monkeypatch.undo()
        assert after.state == RESCHEDULING
        assert [r.state for r in live_claims_everywhere(hosts, row)] == ["held"]
        settings.SCHEDULE_DEADLINE = 20.0
        time.sleep(0.3)
        recover(row.home, row.request_id, dt.datetime.now(dt.UTC))
        done = get(row.request_id)
        assert done.state == CLAIMED
        assert [r.id for r in live_claims_everywhere(hosts, row)] == [claim_of(done).claim_id]
        assert sum(free(one) for one in hosts) == 32 - 2

    def test_deleted_while_it_is_placed_anew(self, ask, host, monkeypatch):
        hosts = [host(name) for name in ("a", "b", "c")]
        row = ask()

        def dies(row, tried):
            raise StoreUnavailable("killed before the commit")

        monkeypatch.setattr(placing_anew, "_commit", dies)
        after = progress.not_built(claim_of(row).claim_id, None, "no image")
        assert after.state == RESCHEDULING
        assert delete_request(row.request_id, "me")
        assert get(row.request_id).state == RELEASED
        assert [free(one) for one in hosts] == [8, 8, 8]

    def test_the_row_goes_on_when_a_host_that_stays_reports_meanwhile(self, ask, host, monkeypatch):
        for number in range(4):
            host(f"h{number}", amounts={"vcpus": 2})
        row = ask(count=2)
        stays, fails = parts_of(row)
        commit = placing_anew._commit

        def reports_first(row, tried):
            progress.building(stays.claim_id, None)
            assert progress.built(stays.claim_id, None).state == RESCHEDULING
            return commit(row, tried)

        monkeypatch.setattr(placing_anew, "_commit", reports_first)
        row = progress.not_built(fails.claim_id, None, "no image")
        assert row.state == CLAIMED
        last = claim_of(row)
        progress.building(last.claim_id, None)
        assert progress.built(last.claim_id, None).state == ACTIVE

    def test_two_conductors_at_once_place_it_once(self, ask, host, monkeypatch, cell):
        hosts = [host(name) for name in ("a", "b", "c", "d")]
        row = ask()
        monkeypatch.setattr(progress, "reschedule", lambda row: row)  # the portal dies after the row was moved
        assert progress.not_built(claim_of(row).claim_id, None, "no image").state == RESCHEDULING
        monkeypatch.undo()
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda _: recover(row.home, row.request_id, dt.datetime.now(dt.UTC)), range(8)))
        assert find(row.request_id).state == CLAIMED
        assert len(live_claims_everywhere(hosts, row)) == 1
        assert sum(free(one) for one in hosts) == 32 - 2
        recover_cell(cell.home)


def test_what_is_stored_is_what_was_asked():
    body = {
        "consumer": "me",
        "project": "p",
        "cell": None,
        "count": 3,
        "all_or_nothing": False,
        "resources": [
            {
                "resource_class": "compute",
                "amounts": {"vcpus": 2, "memory_mb": 0},
                "properties": {"cpu_arch": {"in": ["x86_64", "aarch64"]}, "hypervisor": "kvm"},
                "required": ["SSD"],
                "forbidden": ["GPU"],
                "aggregates": ["x"],
                "any_of": [["A", "B"], ["C"]],
            },
            {"resource_class": "block_storage", "amounts": {"capacity_gb": 5}},
        ],
        "group": {"id": "g", "policy": "spread", "scope": "rack", "max_skew": 2},
        "instance": {"image": "x"},
        "same_host_as": [str(uuid.uuid4())],
        "different_host_from": [str(uuid.uuid4())],
        "filters": ["alive", "capacity"],
        "weighers": {"balance": 2, "free_amount.memory_mb": 1.5},
        "search": "all",
        "explain": True,
    }
    wanted, _ = schedule_request(dict(body), Fields(dict(body)), None, "me")
    row = SimpleNamespace(body=body, consumer="me", project="p", username="me")
    found = stored_request(row)
    for name in ScheduleFields:
        assert getattr(found, name) == getattr(wanted, name), name


ScheduleFields = (
    "consumer project resources username cell count all_or_nothing instance group same_host_as different_host_from "
    "filters weighers search"
).split()

"""What no list of open work names any more is found all the same: ghosts, closed ids, entries that lead nowhere."""

import datetime as dt
import uuid
from uuid import UUID

import pytest

from claims import closed
from claims.find import ClaimFilter, find_any, list_claims, on_provider
from claims.lookups import SLOTS, slot_of
from claims.release import release
from claims.take import take
from claims.types import HELD, Closed, Lost, Member, Order, Taken, claim_id
from conductor import open_work, sweep
from conductor.attempt import attempt_plan
from conductor.find import read_request
from conductor.place import schedule
from conductor.recover import recover
from conductor.release import delete_request
from conductor.rows import find
from conductor.types import Placed, ScheduleRequest
from providers.records import CLOSED, read_provider, read_tree
from scheduler.types import Resource
from store.session import keyspace, read, write


def order_on(own, cell, request_id=None, state="claimed", epoch=0):
    request_id = request_id or uuid.uuid4()
    version = read_provider(own.id)[1].state_version
    member = Member(claim_id(request_id, epoch, 0, 0), 0, own.id, "host", "compute", {"vcpus": 3}, version)
    return Order(cell.home, own.id, version, request_id, epoch, "me", "project", (member,), state)


def sweep_all(cell):
    found = sweep.Swept()
    for slot in range(SLOTS):
        swept, after = sweep.sweep_claims(cell.home, slot, None)
        assert after is None
        found.ghosts += swept.ghosts
        found.closed += swept.closed
    return found


@pytest.fixture
def no_grace(monkeypatch, settings):
    monkeypatch.setattr(sweep, "YOUNG", dt.timedelta(0))
    monkeypatch.setattr(sweep, "LEADS_NOWHERE", dt.timedelta(0))
    settings.CLOSED_KEPT = 0.0


def test_a_released_claims_id_stays_closed_then_goes_with_a_new_state_version(cell, host, no_grace):
    own = host(heartbeat="none")
    order = order_on(own, cell)
    assert take(order) == Taken()
    release(find_any(order.members[0].claim_id))
    assert take(order) == Closed()  # a late duplicate
    assert read_provider(own.id)[1].state_version == own.state_version
    assert sweep_all(cell).closed == 1
    now = read_provider(own.id)[1]
    assert (now.state_version, now.available) == (own.state_version + 1, own.available)
    assert find_any(order.members[0].claim_id) is None
    late = take(order)  # a duplicate later than that
    assert isinstance(late, Lost)
    assert on_provider(own.id) == []
    assert sweep_all(cell).closed == 0


def test_closed_ids_of_a_crowded_tree_go_at_once_but_for_the_youngest(cell, host, monkeypatch):
    monkeypatch.setattr(closed, "CROWDED", 6)
    monkeypatch.setattr(closed, "STAY", 2)
    own = host(heartbeat="none")
    orders = [order_on(own, cell) for _ in range(6)]
    for order in orders:
        assert take(order) == Taken()
        release(find_any(order.members[0].claim_id))
    there = {r.id for r in read_tree(cell.home, own.id).records if r.kind == CLOSED}
    assert there == {order.members[0].claim_id for order in orders[-2:]}
    now = read_provider(own.id)[1]
    assert (now.state_version, now.available) == (own.state_version + 1, own.available)
    assert isinstance(take(orders[0]), Lost)  # a late duplicate


def test_ids_that_were_closed_lately_stay(cell, host, monkeypatch):
    own = host(heartbeat="none")
    order = order_on(own, cell)
    take(order)
    release(find_any(order.members[0].claim_id))
    assert sweep_all(cell).closed == 0
    assert find_any(order.members[0].claim_id).kind == CLOSED


def test_many_closed_ids_of_a_tree_go_together(cell, host, no_grace, monkeypatch):
    monkeypatch.setattr(closed, "AT_ONCE", 4)
    own = host(heartbeat="none")
    records = []
    for _ in range(10):
        order = order_on(own, cell)
        take(order)
        release(find_any(order.members[0].claim_id))
        records.append(find_any(order.members[0].claim_id))
    assert closed.remove(records) == 10
    assert closed.remove(records) == 0
    assert read_tree(cell.home, own.id).records == ()
    assert read_provider(own.id)[1].state_version == own.state_version + 3


def test_a_claim_that_its_request_does_not_know_goes_back(cell, host, no_grace):
    own = host(heartbeat="none")
    placed = schedule(ScheduleRequest("me", "p", (Resource("compute", {"vcpus": 2}),), {}, "me", cell=cell.name))
    assert isinstance(placed, Placed)
    nobodys = order_on(own, cell)
    assert take(nobodys) == Taken()
    older = order_on(own, cell, placed.request_id, HELD, epoch=-1)
    assert take(older) == Taken()
    assert sweep_all(cell).ghosts == 2
    assert [str(r.id) for r in on_provider(own.id)] == [placed.claims[0]["id"]]
    assert delete_request(placed.request_id, "me")
    late = order_on(own, cell, placed.request_id, epoch=7)
    assert take(late) == Taken()
    assert sweep_all(cell).ghosts == 1
    assert on_provider(own.id) == []
    assert read_provider(own.id)[1].available == own.available


def test_a_young_claim_is_left_to_its_process(cell, host):
    own = host(heartbeat="none")
    assert take(order_on(own, cell)) == Taken()
    assert sweep_all(cell).ghosts == 0
    assert len(on_provider(own.id)) == 1


def test_a_hold_that_waits_too_long_has_its_request_decided(cell, host, no_grace, monkeypatch, settings):
    own, disk = host(), host(resource_class="block_storage", amounts={"capacity_gb": 9, "iops": 1})
    settings.CLAIM_DEADLINE = settings.REQUEST_LEASE = settings.SCHEDULE_DEADLINE = -1.0
    monkeypatch.setattr("conductor.place.attempt_plan", _attempt_and_die)
    resources = (Resource("compute", {"vcpus": 2}), Resource("block_storage", {"capacity_gb": 3}))
    request_id = uuid.uuid4()
    with pytest.raises(KeyboardInterrupt):
        schedule(ScheduleRequest("me", "p", resources, {}, "me", request_id=request_id, cell=cell.name))
    assert [r.state for o in (own, disk) for r in on_provider(o.id)] == [HELD, HELD]
    sweep_all(cell)
    assert read_request(request_id).state == "failed"
    assert [r for o in (own, disk) for r in on_provider(o.id)] == []
    assert read_provider(disk.id)[1].available == disk.available


def _attempt_and_die(row, plan, until):
    attempt_plan(row, plan, until + 60)
    raise KeyboardInterrupt


def test_entries_that_lead_nowhere_are_forgotten(cell, host, no_grace):
    own = host(heartbeat="none")
    never = uuid.uuid4()
    cql = (
        f"INSERT INTO {keyspace('dc1')}.claims_by_cell (cell, slot, claim_id, root_id, provider_id, request_id) "
        "VALUES (?, ?, ?, ?, ?, ?)"
    )
    write(cql, [cell.name, slot_of(never), never, own.id, own.id, uuid.uuid4()])
    sweep_all(cell)
    assert read(f"SELECT * FROM {keyspace('dc1')}.claims_by_cell WHERE cell = ? AND slot = ?",
                [cell.name, slot_of(never)]) == []  # fmt: skip
    assert list_claims(ClaimFilter(cell=cell.name), 10).results == []


class TestOpenWork:
    def entries(self, cell):
        return [entry.request_id for entry in open_work.due(cell.home)]

    def begin(self, cell, at):
        write(f"INSERT INTO {keyspace('dc1')}.open_from (cell, minute) VALUES (?, ?)", [cell.name, at])

    def test_what_is_due_is_found_however_long_ago(self, cell):
        now = dt.datetime.now(dt.UTC).replace(second=0, microsecond=0)
        old, soon = uuid.uuid4(), uuid.uuid4()
        self.begin(cell, now - dt.timedelta(hours=3))
        cql = (
            f"INSERT INTO {keyspace('dc1')}.open_requests (cell, minute, slot, request_id, due_at) "
            "VALUES (?, ?, ?, ?, ?)"
        )
        at = now - dt.timedelta(hours=2)
        write(cql, [cell.name, at, old.int % open_work.SLOTS, old, at])
        write(*open_work.put_on(cell.home, soon, dt.datetime.now(dt.UTC) + dt.timedelta(seconds=30)))
        assert self.entries(cell) == [old]
        first = read(f"SELECT minute FROM {keyspace('dc1')}.open_from WHERE cell = ?", [cell.name])[0]["minute"]
        assert first.replace(tzinfo=dt.UTC) == at  # the empty minutes before it are done with

    def test_minutes_that_are_done_are_not_read_again(self, cell, monkeypatch):
        now = dt.datetime.now(dt.UTC).replace(second=0, microsecond=0)
        self.begin(cell, now - dt.timedelta(hours=3))
        assert self.entries(cell) == []
        asked = []
        real = open_work._read
        monkeypatch.setattr(open_work, "_read", lambda home, minutes: asked.extend(minutes) or real(home, minutes))
        assert self.entries(cell) == []
        assert len(asked) <= 6

    def test_an_entry_is_moved_on_and_never_lost(self, cell):
        request_id = UUID(int=5)
        write(*open_work.put_on(cell.home, request_id, dt.datetime.now(dt.UTC)))
        (entry,) = open_work.due(cell.home)
        open_work.again(entry, dt.datetime.now(dt.UTC) - dt.timedelta(hours=1))  # a time in the past is now
        assert self.entries(cell) == [request_id]
        (entry,) = open_work.due(cell.home)
        open_work.again(entry, dt.datetime.now(dt.UTC) + dt.timedelta(hours=1))
        assert self.entries(cell) == []


def test_a_request_that_was_interrupted_begins_again_when_asked_again(cell, host, settings):
    own = host(heartbeat="none")
    settings.REQUEST_LEASE = settings.SCHEDULE_DEADLINE = -1.0
    request_id = uuid.uuid4()
    wanted = ScheduleRequest("me", "p", (Resource("compute", {"vcpus": 2}),), {}, "me", request_id, cell=cell.name)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("conductor.place.attempt_plan", _interrupt)
        with pytest.raises(KeyboardInterrupt):
            schedule(wanted)
    assert recover(cell.home, request_id, dt.datetime.now(dt.UTC)) == (None, True)
    assert (read_request(request_id).state, find(request_id).reason) == ("failed", "interrupted")
    settings.SCHEDULE_DEADLINE = 20.0
    again = schedule(wanted)
    assert isinstance(again, Placed)
    assert (again.request_id, find(request_id).epoch) == (request_id, 1)
    assert [str(r.id) for r in on_provider(own.id)] == [again.claims[0]["id"]]
    assert schedule(wanted).replayed


def _interrupt(*_):
    raise KeyboardInterrupt

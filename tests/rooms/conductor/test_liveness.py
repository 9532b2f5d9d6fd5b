"""Hosts that fall silent: declared once, told once, their open claims placed anew; many at once as one event."""

import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from conductor import lease, progress
from conductor.liveness import Watch, give_back, watch
from conductor.outcome import parts_of
from conductor.rows import get
from events.look_back import Wanted, look
from events.types import CELL_SILENT, PROVIDER_HEARD, PROVIDER_SILENT
from providers.heartbeat import beat, rhythm
from providers.records import locate, read_tree
from providers.remove import remove
from providers.silent import all_silent, silent_among


@pytest.fixture
def short(settings, host):
    """Heartbeats that count for a second."""
    settings.HEARTBEAT_TTL, settings.HEARTBEAT_INTERVAL, settings.LIVENESS_INTERVAL = 1, 0, 0.1

    def wait():
        """Everybody is silent after it, but one: when nobody is heard it is not the hosts that are broken."""
        time.sleep(2.1)
        settings.HEARTBEAT_TTL = 30
        host("witness")

    return wait


def events(cell, kind):
    return look([cell.home], Wanted(type=kind, oldest_first=True), 100, None)[0]


def test_one_that_falls_silent_is_declared_once_and_its_open_claims_move(cell, host, ask, short, settings):
    dies = host("dies")
    row = ask()
    lives = host("lives")
    claim = parts_of(row)[0]
    progress.building(claim.claim_id, None)
    short()
    beat(locate(lives.id))
    seen = Watch(cell.home)
    done = watch(seen)
    assert (done.declared, done.moved) == (1, 1)
    after = get(row.request_id)
    assert [p.provider_name for p in parts_of(after) if p.state == "made"] in (["lives"], ["witness"])
    tree = read_tree(cell.home, dies.id)
    assert tree.providers[dies.id].available["vcpus"] == 8
    assert [e.data["name"] for e in events(cell, PROVIDER_SILENT)] == ["dies"]
    assert silent_among(cell.home, [dies.id, lives.id]) == {dies.id}
    again = watch(seen)
    assert (again.declared, again.moved) == (0, 0)
    assert len(events(cell, PROVIDER_SILENT)) == 1
    assert [one.claims_moved for one in all_silent(cell.home)] == [True]


def test_one_that_is_heard_again_is_taken_off_the_list(cell, host, short, settings):
    own = host("comes back")
    short()
    seen = Watch(cell.home)
    assert watch(seen).declared == 1
    settings.HEARTBEAT_TTL = 30
    beat(locate(own.id))
    assert watch(seen).heard == 1
    assert [e.provider_id for e in events(cell, PROVIDER_HEARD)] == [own.id]
    assert list(all_silent(cell.home)) == []
    assert watch(seen).heard == 0


def test_one_that_was_removed_is_forgotten_and_not_told_as_heard(cell, host, short):
    own = host("goes")
    short()
    seen = Watch(cell.home)
    assert watch(seen).declared == 1
    remove(own.id)
    assert watch(seen).heard == 0
    assert list(all_silent(cell.home)) == []
    assert events(cell, PROVIDER_HEARD) == []


def test_one_without_an_agent_never_falls_silent(cell, host, short):
    host("pool", resource_class="block_storage", amounts={"capacity_gb": 10}, heartbeat="none")
    own = host("changes")
    beat(locate(own.id))
    short()
    assert watch(Watch(cell.home)).declared == 1


def test_many_at_once_are_one_event_then_waited_for_then_a_few_a_round(cell, host, short, settings):
    settings.SILENT_AT_ONCE, settings.SILENT_SHARE = 3, 0.1
    for number in range(8):
        host(f"h{number}")
    short()
    seen = Watch(cell.home)
    first = watch(seen)
    assert (first.declared, first.waited_for) == (0, 8)
    (told,) = events(cell, CELL_SILENT)
    assert (told.data["hosts"], told.data["of"]) == (8, 9)
    assert watch(Watch(cell.home)).declared == 0  # another conductor begins to wait anew, and tells nobody again
    settings.HEARTBEAT_TTL = 1
    time.sleep(1.1)
    rounds = [watch(seen) for _ in range(3)]
    assert [r.declared for r in rounds] == [3, 3, 2]
    assert len(events(cell, CELL_SILENT)) == 1
    assert len(events(cell, PROVIDER_SILENT)) == 8
    for number, one in enumerate(list(all_silent(cell.home))):
        settings.HEARTBEAT_TTL = 30
        beat(locate(one.provider_id))
        assert number < 8
    assert watch(seen).heard == 8
    assert seen.is_mass is False


def test_those_of_a_mass_that_come_back_in_time_keep_their_claims(cell, host, ask, short, settings):
    settings.SILENT_AT_ONCE = 2
    hosts = [host(f"h{number}") for number in range(5)]
    row = ask()
    short()
    seen = Watch(cell.home)
    assert watch(seen).waited_for == 5
    settings.HEARTBEAT_TTL = 30
    for own in hosts:
        beat(locate(own.id))
    time.sleep(0.2)
    assert watch(seen).waited_for == 0
    assert get(row.request_id).version == row.version
    assert events(cell, PROVIDER_SILENT) == []


def test_one_conductor_watches_a_cell_and_another_when_its_lease_is_over(cell, host, short):
    me, other = uuid.uuid4(), uuid.uuid4()
    name = f"try:{uuid.uuid4()}"
    assert lease.take(cell.home, name, 1, me)
    assert not lease.take(cell.home, name, 1, other)
    assert lease.take(cell.home, name, 1, me)
    time.sleep(2.1)
    assert lease.take(cell.home, name, 5, other)
    assert not lease.take(cell.home, name, 5, me)
    assert not lease.give_back(cell.home, name, me)
    assert lease.give_back(cell.home, name, other)
    assert lease.take(cell.home, name, 5, me)


def test_one_that_stops_leaves_the_cell_to_others_at_once(cell, host):
    host("alive")
    assert watch(Watch(cell.home)) is not None
    assert not lease.take(cell.home, f"liveness:{cell.name}", 30, uuid.uuid4())
    give_back(cell.home)
    assert lease.take(cell.home, f"liveness:{cell.name}", 30, uuid.uuid4())


def test_of_many_that_want_a_lease_one_gets_it(cell):
    name = f"try:{uuid.uuid4()}"
    with ThreadPoolExecutor(8) as pool:
        got = list(pool.map(lambda _: lease.take(cell.home, name, 30, uuid.uuid4()), range(16)))
    assert sum(got) == 1


def test_larger_cells_beat_less_often(cell, host, settings):
    host("one")
    assert (rhythm(cell.home).interval, rhythm(cell.home).ttl) == (10, 25)
    settings.HEARTBEATS_A_SECOND = 8  # 256 places in its one shard
    assert (rhythm(cell.home).interval, rhythm(cell.home).ttl) == (32, 80)


def test_when_nobody_is_heard_any_more_they_are_waited_for(cell, host, settings):
    settings.HEARTBEAT_TTL, settings.HEARTBEAT_INTERVAL = 1, 0
    for number in range(6):
        host(f"h{number}")
    time.sleep(2.1)
    settings.HEARTBEAT_TTL = 30
    assert (watch(Watch(cell.home)).declared, len(events(cell, CELL_SILENT))) == (0, 1)


def test_one_that_is_back_before_anybody_said_so_is_not_silent(cell, host, short):
    own = host("comes back")
    short()
    assert watch(Watch(cell.home)).declared == 1
    assert silent_among(cell.home, [own.id]) == {own.id}
    beat(locate(own.id))
    assert silent_among(cell.home, [own.id]) == set()

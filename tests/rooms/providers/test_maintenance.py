"""Maintenance windows: they take force and end by rounds of any number of conductors, and overwrite nobody's change."""

import datetime as dt
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from providers import maintenance
from providers.change import Changes, change
from providers.history import read_history
from providers.maintenance import begin_and_end_windows, cancel, in_maintenance
from providers.maintenance_windows import find_window, plan, set_columns, take_off, windows_of
from providers.records import read_provider
from providers.refusals import Conflict, Invalid, NotFound
from providers.remove import remove


def now():
    return dt.datetime.now(dt.UTC)


def planned(own, begin=-1, end=3600, reason="new rails", at=None):
    """Begins and ends so many seconds from now, or from an instant."""
    at = at or now()
    return plan(own.id, at + dt.timedelta(seconds=begin), at + dt.timedelta(seconds=end), reason, "tester")


@pytest.fixture
def clock(monkeypatch):
    """Moves this process's clock, as the rounds see it."""

    def move(seconds):
        class Shifted(dt.datetime):
            @classmethod
            def now(cls, tz=None):
                return dt.datetime.now(tz) + dt.timedelta(seconds=seconds)

        module = type("dt", (), {"datetime": Shifted, "UTC": dt.UTC, "timedelta": dt.timedelta})
        monkeypatch.setattr(maintenance, "dt", module)

    return move


def state(own):
    row = read_provider(own.id)[1].row
    return row["state"], row["state_reason"]


def set_state(own, **columns):
    change(own.id, read_provider(own.id)[1].state_version, Changes(columns, {}, {}), "somebody")


def test_a_window_begins_and_ends(host, cell, clock):
    own = host()
    window = planned(own, 60, 120)
    begin_and_end_windows(cell.home)
    assert state(own) == ("enabled", "")
    clock(70)
    begin_and_end_windows(cell.home)
    assert state(own) == ("draining", window.state_reason)
    assert begin_and_end_windows(cell.home) == 0  # nothing more is due
    clock(130)
    begin_and_end_windows(cell.home)
    assert state(own) == ("enabled", "")
    assert windows_of(cell.home) == []
    told = [(line.who, line.what, line.after.split(":")[0]) for line in read_history(own.id, 10).lines]
    assert told == [
        ("maintenance", "maintenance", "ended"),
        ("maintenance", "state", "enabled"),
        ("maintenance", "state", "draining"),
        ("tester", "maintenance", "planned"),
    ]


def test_of_many_conductors_one_begins_and_one_ends_it(host, cell, clock):
    hosts = [host() for _ in range(6)]
    for own in hosts:
        planned(own, end=100)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(begin_and_end_windows, [cell.home] * 8))
    begin_and_end_windows(cell.home)
    assert {state(own)[0] for own in hosts} == {"draining"}
    assert all(read_provider(own.id)[1].state_version == own.state_version + 1 for own in hosts)
    clock(110)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(begin_and_end_windows, [cell.home] * 8))
    begin_and_end_windows(cell.home)
    assert {state(own) for own in hosts} == {("enabled", "")}
    for own in hosts:
        assert read_provider(own.id)[1].state_version == own.state_version + 2
        assert [line.what for line in read_history(own.id, 10).lines].count("maintenance") == 2  # planned and ended


@pytest.mark.parametrize("before", ["disabled", "draining"])
def test_a_host_that_was_not_enabled_stays_as_it_is(host, cell, clock, before):
    own = host(state=before, state_reason="its own")
    planned(own, end=100)
    begin_and_end_windows(cell.home)
    assert state(own) == (before, "its own")
    clock(110)
    begin_and_end_windows(cell.home)
    assert state(own) == (before, "its own")
    assert windows_of(cell.home) == []


def test_what_somebody_did_to_it_meanwhile_stays(host, cell, clock):
    disabled, other_reason, enabled = host(), host(), host()
    for own in (disabled, other_reason, enabled):
        planned(own, end=100)
    begin_and_end_windows(cell.home)
    set_state(disabled, state="disabled", state_reason="broken")
    set_state(other_reason, state_reason="longer than planned")
    set_state(enabled, state="enabled", state_reason="")
    begin_and_end_windows(cell.home)
    assert state(enabled) == ("enabled", "")  # it is not drained again
    clock(110)
    begin_and_end_windows(cell.home)
    assert state(disabled) == ("disabled", "broken")
    assert state(other_reason) == ("draining", "longer than planned")
    assert windows_of(cell.home) == []


def test_other_changes_of_the_host_do_not_matter(host, cell, clock):
    own = host()
    planned(own, end=100)
    begin_and_end_windows(cell.home)
    set_state(own, traits=["NEW"])  # bumps state_version, as an agent's report does
    clock(110)
    begin_and_end_windows(cell.home)
    assert state(own) == ("enabled", "")


def test_a_conductor_that_dies_in_the_middle_is_followed_by_one_that_goes_on(host, cell, clock, monkeypatch):
    class Killed(BaseException):
        pass

    def killed(*args, **kwargs):
        raise Killed

    own = host()
    planned(own, end=100)
    with monkeypatch.context() as patch:
        patch.setattr(maintenance, "set_columns", killed)
        with pytest.raises(Killed):
            begin_and_end_windows(cell.home)
    assert state(own)[0] == "draining"
    begin_and_end_windows(cell.home)
    assert windows_of(cell.home)[0].begun_at is not None
    clock(110)
    with monkeypatch.context() as patch:
        patch.setattr(maintenance, "take_off", killed)
        with pytest.raises(Killed):
            begin_and_end_windows(cell.home)
    begin_and_end_windows(cell.home)
    assert state(own) == ("enabled", "")
    assert windows_of(cell.home) == []


def test_one_that_is_cancelled_while_it_begins_is_not_in_force(host, cell, monkeypatch):
    own = host()
    window = planned(own)
    real = change

    def later(*args):
        monkeypatch.setattr(maintenance, "change", real)
        cancel(own.id, window.id, "tester")  # after the list was read, before the host is drained
        return real(*args)

    monkeypatch.setattr(maintenance, "change", later)
    begin_and_end_windows(cell.home)
    assert state(own) == ("enabled", "")
    assert windows_of(cell.home) == []


def test_a_cancel_that_died_half_way_is_finished_by_a_round(host, cell):
    own = host()
    window = planned(own)
    begin_and_end_windows(cell.home)
    assert set_columns(window, cancelled_by="tester")
    begin_and_end_windows(cell.home)
    assert state(own) == ("enabled", "")
    assert windows_of(cell.home) == []
    assert read_history(own.id, 1).lines[0].who == "tester"


def test_one_window_right_after_the_other(host, cell, clock):
    own = host()
    at = now()
    first = plan(own.id, at, at + dt.timedelta(seconds=100), "first", "tester")
    second = plan(own.id, first.until_at, first.until_at + dt.timedelta(seconds=100), "second", "tester")
    begin_and_end_windows(cell.home)
    clock(150)
    with pytest.raises(Conflict):  # a quicker conductor waits for the first to end
        maintenance._begin(second, at + dt.timedelta(seconds=150))
    assert state(own) == ("draining", first.state_reason)
    begin_and_end_windows(cell.home)
    begin_and_end_windows(cell.home)
    assert state(own) == ("draining", second.state_reason)
    assert windows_of(cell.home) == [find_window(cell.home, own.id, second.id)]


def test_a_host_that_is_gone_takes_its_windows_along(host, cell):
    own = host(heartbeat="none")
    planned(own)
    remove(own.id)
    begin_and_end_windows(cell.home)
    assert windows_of(cell.home) == []


def test_who_is_in_maintenance(host, cell):
    inside, later, none, cancelled = (host() for _ in range(4))
    planned(inside, -1, 100)
    planned(later, 50, 100)
    gone = planned(cancelled, -1, 100)
    ids = [own.id for own in (inside, later, none, cancelled)]
    assert in_maintenance(cell.home, ids, now()) == {inside.id, cancelled.id}
    cancel(cancelled.id, gone.id, "tester")
    assert in_maintenance(cell.home, ids, now()) == {inside.id}
    assert in_maintenance(cell.home, ids, now() + dt.timedelta(seconds=60)) == {inside.id, later.id}
    assert in_maintenance(cell.home, ids, now() + dt.timedelta(seconds=200)) == set()
    assert in_maintenance(cell.home, [], now()) == set()
    many = [*ids, *(uuid.uuid4() for _ in range(200))]
    assert in_maintenance(cell.home, many, now()) == {inside.id}


def test_a_plan_is_of_a_root_and_overlaps_no_other(host, cell):
    own = host()
    child = host(parent=own.id)
    at = now()
    planned(own, 1000, 2000, at=at)
    for begin, end in ((1500, 1600), (500, 1001), (1999, 3000), (500, 3000)):
        with pytest.raises(Conflict, match="overlaps"):
            planned(own, begin, end, at=at)
    planned(own, 2000, 3000, at=at)
    planned(own, 500, 1000, at=at)
    with pytest.raises(Conflict, match="part of"):
        planned(child)
    with pytest.raises(Invalid):
        planned(own, reason=" ")
    assert [window.reason for window in windows_of(cell.home, [own.id])] == ["new rails"] * 3


def test_a_window_that_is_gone_is_not_written_again(host, cell):
    own = host()
    window = planned(own)
    assert take_off(window)
    assert not take_off(window)
    assert not set_columns(window, begun_at=now())
    assert not set_columns(window, cancelled_by="x")
    assert windows_of(cell.home) == []
    with pytest.raises(NotFound):
        find_window(cell.home, own.id, window.id)
    assert replace(window, cancelled_by="x").is_in_force(now()) is False

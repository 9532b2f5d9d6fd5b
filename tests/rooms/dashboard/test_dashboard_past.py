"""Looking back: a checkpoint and the events after it are the cell as it was, whatever happened since."""

import copy
import datetime as dt
import random
import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from conductor import lease
from conductor.place import schedule
from dashboard import checkpoints, figures_table, follow, recorder
from dashboard.figures_table import newest
from dashboard.past import cell_at, put
from dashboard.recorder import KeepFigures
from dashboard.snapshot import load
from dashboard.types import State, Vital
from events.append import append
from events.tail import head_cursor
from events.types import PROVIDER_HEARD, PROVIDER_SILENT, Event, News
from providers.cells import Cell
from providers.projection import projector
from providers.records import OwnRow
from providers.refusals import NotFound
from providers.remove import remove
from tests.rooms.dashboard.cast import claim, content, request, until
from tests.rooms.dashboard.test_dashboard_history import make_history

Host = Callable[..., OwnRow]


def now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def pause() -> None:
    """So that an instant lies between what was done and what is done next: ids of events are a little apart."""
    projector().drain()
    time.sleep(0.02)


def shown(state: State) -> Any:
    """Without what is noted beside heartbeats, of which there are no events: that stays as it was in the checkpoint."""
    hosts, claims = content(state)
    noted = ("failed_builds", "conflicts", "heard_at")
    return {key: {k: v for k, v in host.items() if k not in noted} for key, host in hosts.items()}, claims


def test_a_cell_is_found_as_it_was(cell: Cell, host: Host) -> None:
    hosts = [host(f"h{n}") for n in range(3)]
    projector().drain()
    checkpoints.put(cell.home, load(cell.home), head_cursor(), now())
    moments: list[tuple[dt.datetime, Any]] = []
    rng = random.Random(5)
    for _ in range(4):
        make_history(cell, hosts, rng)
        pause()
        moments.append((now(), shown(load(cell.home))))
        pause()
    late = host("late")
    pause()
    moments.append((now(), shown(load(cell.home))))
    pause()
    remove(late.id)
    projector().drain()
    for at, expected in moments:
        assert shown(cell_at(cell.home, at).state) == expected, at
    assert str(late.id) not in cell_at(cell.home, now()).state.hosts
    lines = cell_at(cell.home, moments[-1][0]).lines
    assert lines
    assert [line["at"] for line in lines] == sorted(line["at"] for line in lines)


def test_the_nearest_checkpoint_is_gone_on_from(cell: Cell, host: Host) -> None:
    host("h1")
    projector().drain()
    first = checkpoints.put(cell.home, load(cell.home), head_cursor(), now())
    claim(cell, 2)
    pause()
    second = checkpoints.put(cell.home, load(cell.home), head_cursor(), now())
    found = checkpoints.before(cell.home, now())
    assert found == second
    assert cell_at(cell.home, now()).since == second.at
    assert checkpoints.before(cell.home, first.at) == first
    assert checkpoints.oldest(cell.home) == first.at


def test_a_large_checkpoint_comes_back_whole(cell: Cell, monkeypatch: pytest.MonkeyPatch, host: Host) -> None:
    host("h1", traits={"SSD"})
    claim(cell, 2)
    projector().drain()
    state = load(cell.home)
    monkeypatch.setattr(checkpoints, "PART", 50)
    made = checkpoints.put(cell.home, state, head_cursor(), now())
    assert made.parts > 5
    back = checkpoints.get(cell.home, made)
    assert back is not None
    assert (back.hosts, back.claims, back.claims_on) == (state.hosts, state.claims, state.claims_on)
    assert {root: one.alive for root, one in back.vital.items()} == {
        h["root"]: h["alive"] for h in state.hosts.values()
    }


def test_before_the_first_checkpoint_it_says_what_is_kept(cell: Cell, host: Host) -> None:
    with pytest.raises(NotFound, match="none is kept yet"):
        cell_at(cell.home, now())
    checkpoints.put(cell.home, State(), head_cursor(), now())
    with pytest.raises(NotFound, match="the first that is kept is of"):
        cell_at(cell.home, now() - dt.timedelta(hours=1))


def test_who_fell_silent_was_silent_then(cell: Cell, host: Host) -> None:
    own = host("h1")
    projector().drain()
    checkpoints.put(cell.home, load(cell.home), head_cursor(), now())
    seen_at = now().isoformat()
    append(cell.home, [News(PROVIDER_SILENT, own.id, data={"name": "h1", "seen_at": seen_at})])
    pause()
    then = now()
    pause()
    append(cell.home, [News(PROVIDER_HEARD, own.id, data={"name": "h1"})])
    pause()
    silent, heard = (cell_at(cell.home, at).state.hosts[str(own.id)] for at in (then, now()))
    assert (silent["alive"], silent["heard_at"]) == (False, seen_at)
    assert heard["alive"] is True


def test_silence_is_of_the_whole_tree() -> None:
    root, state = uuid.uuid4(), State()
    host: Any = {
        "root": str(root),
        "heartbeat": "agent",
        "alive": True,
        "heard_at": "",
        "failed_builds": 0,
        "conflicts": 0,
    }
    state.hosts = {name: {**host, "id": name} for name in ("parent", "child")}
    state.vital = {str(root): Vital(True)}
    before = copy.deepcopy(state.hosts)
    none: Any = dict.fromkeys(("resource_class", "claim_id", "request_id", "generation", "image"))
    event = Event(
        uuid.uuid1(), cell="c", type=PROVIDER_SILENT, at=now(), provider_id=root, root_id=root, data={}, **none
    )
    put(state, event)
    assert [one["alive"] for one in state.hosts.values()] == [False, False]
    assert all(one["alive"] for one in before.values())


@pytest.fixture
def keeping(monkeypatch: pytest.MonkeyPatch, cell: Cell) -> Any:
    """A conductor's duty, for this test's cell alone: the session has hundreds."""
    monkeypatch.setattr(recorder.cells, "all_cells", lambda: [cell])
    monkeypatch.setattr(recorder, "STEP", 1)
    monkeypatch.setattr(figures_table, "STEP", 1)
    yield KeepFigures
    follow.end_all()


def test_a_conductor_keeps_what_happens(cell: Cell, host: Host, keeping: Any) -> None:
    host("h1")
    projector().drain()
    duty = keeping()

    def row() -> Any:
        duty()
        return newest(cell.home) or {"hosts": {"all": 0}, "happened": {}}

    until(lambda: bool(row()["hosts"]["all"] == 1), "the first figures")
    claim(cell, 3)
    schedule(request(cell, 5000))
    seen: dict[str, int] = {}

    def counted() -> bool:
        now_row = row()
        seen[now_row["at"]] = now_row["happened"].get("claimed", 0) + sum(now_row["refused"].values())
        return sum(seen.values()) == 2

    until(counted, "a claim and a refusal to be counted, each once")
    assert row()["classes"]["compute"]["amounts"]["vcpus"]["claimed"] == 3
    assert checkpoints.oldest(cell.home) is not None
    duty.give_back()


def test_one_conductor_a_cell(cell: Cell, host: Host, keeping: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    host("h1")
    first, second = keeping(), keeping()
    first()
    take = lease.take
    with monkeypatch.context() as another:
        another.setattr(lease, "take", lambda home, name, seconds: take(home, name, seconds, uuid.uuid4()))
        second()
    assert (len(first._kept), len(second._kept)) == (1, 0)
    first.give_back()
    second()
    assert (len(first._kept), len(second._kept)) == (0, 1)
    second.give_back()


def test_it_can_be_switched_off(cell: Cell, keeping: Any, settings: Any) -> None:
    settings.DASHBOARD_RECORD = False
    duty = keeping()
    duty()
    assert not duty._kept

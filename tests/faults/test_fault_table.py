"""The fault table: every step of a request has its cells; and the columns of lost and of doubled messages.

Those between a portal or a conductor and Cassandra: each transaction is not sent, not answered, or run twice, and its
caller goes on.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from agents.node.instances import State
from conductor.states import Transition
from store.failpoints import AFTER, LOST, TWICE
from tests.faults import fault_table, test_cassandra_away, test_killed_anywhere, test_two_owners
from tests.faults.scenes import IN_TIME
from tests.faults.scenes_anew import ANEW
from tests.faults.scenes_play import Played, chosen, cues, playing
from tests.faults.scenes_table import SCENES, Scene

# Some of what is new in the table, in `make test`; the rest in `make faults`.
EVERYDAY = {
    "requests.scheduling-rescheduling, not built, one anew, first breaks",
    "requests.rescheduling-claimed, not built, apart anew, first breaks",
    "requests.rescheduling-releasing, delete, two anew, first breaks",
    "silent.declare, watch, one anew, first silent",
}
PARAMETERS = [
    pytest.param(scene, phase, marks=() if scene.title in EVERYDAY and phase == AFTER else pytest.mark.faults)
    for scene, phase in cues(SCENES)
]
Results = Mapping[tuple[str, str], Played]


def said(action: str, played: Results) -> None:
    """How long it took until the requests had come to their ends, in one line."""
    seconds = sorted(one.seconds for one in played.values())
    if seconds:
        middle, longest = seconds[len(seconds) // 2], seconds[-1]
        told = {"cells": len(seconds), "median_s": round(middle, 1), "longest_s": round(longest, 1)}
        print("\n" + json.dumps({f"{action} messages": told}))


def _results(action: str, request: pytest.FixtureRequest, name: str) -> Iterator[Results]:
    items = [item for item in request.session.items if getattr(item, "originalname", "") == name]
    wanted: list[Any] = [item.callspec.params for item in items if item.getparent(pytest.Module).obj is request.module]
    some = [cue for cue in chosen(cues(SCENES), request) if {"scene": cue[0], "phase": cue[1]} in wanted]
    with playing(some, action) as played:
        yield played
        said(action, played)


@pytest.fixture(scope="module")
def lost(cassandra: SimpleNamespace, request: pytest.FixtureRequest) -> Iterator[Results]:
    yield from _results(LOST, request, "test_a_message_is_lost")


@pytest.fixture(scope="module")
def twice(cassandra: SimpleNamespace, request: pytest.FixtureRequest) -> Iterator[Results]:
    yield from _results(TWICE, request, "test_a_message_comes_twice")


@pytest.mark.parametrize(("scene", "phase"), PARAMETERS, ids=lambda v: v.title if isinstance(v, Scene) else v)
def test_a_message_is_lost(scene: Scene, phase: str, lost: Results) -> None:
    one = lost[scene.title, phase]
    assert one.wrong == []
    assert one.seconds < IN_TIME


@pytest.mark.parametrize(("scene", "phase"), PARAMETERS, ids=lambda v: v.title if isinstance(v, Scene) else v)
def test_a_message_comes_twice(scene: Scene, phase: str, twice: Results) -> None:
    one = twice[scene.title, phase]
    assert one.wrong == []
    assert one.seconds < IN_TIME


def test_every_scene_is_in_every_column() -> None:
    scenes = {scene.title for scene in SCENES}
    for module in (test_killed_anywhere, test_two_owners):
        assert {scene.title for scene, _ in module.CUES} == scenes
    first = {scene.point for scene, _ in test_cassandra_away.CUES}
    assert first == {scene.point for scene in SCENES}


def test_the_everyday_scenes_are_there() -> None:
    assert {scene.title for scene in ANEW} >= EVERYDAY


def test_every_step_of_a_request_has_its_row() -> None:
    assert fault_table.uncovered() == []
    implied = {step for step, some in fault_table.steps().items() if all(one.implied for one in some)}
    assert implied <= set(fault_table.IMPLIED)
    assert set(fault_table.IMPLIED) <= set(fault_table.steps())
    assert {step for moves in fault_table.BY_AGENT.values() for step in moves} <= set(fault_table.steps())
    assert set(fault_table.BY_AGENT) == set(State)
    for step in fault_table.steps():
        processes = ("portal", "conductor", "agent")
        assert any(fault_table.cell(one, step, fault_table.FAULTS[0]) for one in processes), step


@pytest.mark.parametrize("implied", [False, True])
def test_a_new_step_without_tests_is_noticed(monkeypatch: pytest.MonkeyPatch, implied: bool) -> None:
    new = Transition("claimed", "paused", "conductor.pause", "somebody asked for it", implied)
    monkeypatch.setattr(fault_table, "TRANSITIONS", (*fault_table.TRANSITIONS, new))
    with pytest.raises((AssertionError, KeyError)):
        test_every_step_of_a_request_has_its_row()


def test_the_page_is_the_table_s(repository: Path) -> None:
    said_there = (repository / "docs" / "fault-table.md").read_text()
    assert said_there == fault_table.page(), "run: make fault-table"

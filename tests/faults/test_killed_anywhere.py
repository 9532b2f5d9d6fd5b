"""Killed anywhere: a process dies by SIGKILL before and after every transaction there is; others finish what it began.

The points are read from the code (scenes_points.py); the scenes that reach them are in scenes_table.py. All are played
side by side, each in a cell of its own. (An agent's own points: tests/rooms/agents_node/test_killed_agent.py.)
"""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from conductor.states import Transition
from store.failpoints import KILL
from tests.faults import scenes_points
from tests.faults.scenes import IN_TIME
from tests.faults.scenes_play import Played, chosen, cues, everyday, label, playing
from tests.faults.scenes_points import unnamed, without_scene
from tests.faults.scenes_table import SCENES, Scene

CUES = cues(SCENES)


@pytest.fixture(scope="module")
def played(cassandra: SimpleNamespace, request: pytest.FixtureRequest) -> Iterator[dict[tuple[str, str], Played]]:
    with playing(chosen(CUES, request), KILL) as results:
        yield results


@pytest.mark.parametrize(("scene", "phase"), everyday(SCENES), ids=label)
def test_whoever_dies_leaves_what_others_finish(
    scene: Scene, phase: str, played: dict[tuple[str, str], Played]
) -> None:
    one = played[scene.title, phase]
    assert one.wrong == []
    assert one.seconds < IN_TIME


def test_every_point_has_a_scene() -> None:
    assert without_scene({scene.point for scene in SCENES}) == set()
    assert len({scene.title for scene in SCENES}) == len(SCENES)


def test_a_new_state_or_transition_without_a_scene_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    new = Transition("claimed", "paused", "conductor.pause", "somebody asked for it")
    monkeypatch.setattr(scenes_points, "TRANSITIONS", (*scenes_points.TRANSITIONS, new))
    assert without_scene({scene.point for scene in SCENES}) == {"requests.claimed-paused"}


def test_a_new_transaction_without_a_scene_fails(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    new = tmp_path / "pause.py"
    new.write_text('from store.lwt import Statement, run\nrun([], "dc1", "leases.pause")\nrun([], "dc1")\n')
    known = scenes_points.files()
    monkeypatch.setattr(scenes_points, "files", lambda: [*known, new])
    assert without_scene({scene.point for scene in SCENES}) == {"leases.pause"}
    assert unnamed() == ["pause.py:3"]


def test_every_transaction_has_a_name() -> None:
    assert unnamed() == []

"""Killed anywhere: a process dies by SIGKILL before and after every transaction there is; others finish what it began.

The points are read from the code (scenes_points.py); the scenes that reach them are in scenes_table.py. All are played
side by side, each in a cell of its own. (An agent's own points: tests/rooms/agents_node/test_killed_agent.py.)
"""

from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from store.failpoints import KILL
from tests.faults.scenes import IN_TIME
from tests.faults.scenes_play import Played, chosen, cues, everyday, label, playing
from tests.faults.scenes_points import points, unnamed
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
    assert {scene.point for scene in SCENES} == points()
    assert len({scene.title for scene in SCENES}) == len(SCENES)


def test_every_transaction_has_a_name() -> None:
    assert unnamed() == []

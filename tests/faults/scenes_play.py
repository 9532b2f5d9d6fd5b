"""Plays scenes side by side: first every process dies (or stops) at its point, then one conductor, the clients and the
hosts go on with what they left, then whoever was stopped wakes up; and the books are looked at."""

import signal
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.conf import settings

from conductor.states import ACTIVE, CLAIMED
from providers.records import CLOSED
from store.failpoints import AFTER, BEFORE, KILL, LOST, STOP, TWICE
from tests.faults.scenes import CONDUCTOR, PATIENCE, SHORT, Actor, ask, conducting, end_all, facts, play_on, serving
from tests.faults.scenes_actor import sweep
from tests.faults.scenes_books import left_over, records, still_due, wrong_claims, wrong_sums
from tests.faults.scenes_stage import SHAPES, Stage, set_up
from tests.faults.scenes_table import DIES, Scene

PHASES = (BEFORE, AFTER)
DEADLINE = "ANSWER_DEADLINE"
AT_ONCE = 6  # scenes side by side: they mostly wait
Cue = tuple[Scene, str]


@dataclass
class Played:
    """What came of a scene: all that was wrong, the process that stopped, seconds to the request's end. `unsure`: the
    process went on while Cassandra was away, so that what nobody else could do for it was done, or was not."""

    stage: Stage
    wrong: list[str] = field(default_factory=list)
    sleeper: Actor | None = None
    unsure: bool = False
    seconds: float = 0.0


def cues(scenes: Sequence[Scene]) -> list[Cue]:
    return [(scene, phase) for scene in scenes for phase in PHASES]


def label(value: Scene | str) -> str:
    """The name of a test's parameter."""
    return value.title if isinstance(value, Scene) else value


def everyday(scenes: Sequence[Scene]) -> list[Any]:
    """Every point before and after, in its first scene; the other scenes of a point are for `make faults`."""
    first = {scene.point: scene.title for scene in reversed(scenes)}
    return [
        pytest.param(scene, phase, marks=() if first[scene.point] == scene.title else pytest.mark.faults)
        for scene, phase in cues(scenes)
    ]


def chosen(all_cues: Sequence[Cue], request: pytest.FixtureRequest) -> list[Cue]:
    """Those that this run of the tests asks for in this file."""
    items = [item for item in request.session.items if item.getparent(pytest.Module).obj is request.module]
    wanted = [item.callspec.params for item in items if hasattr(item, "callspec")]
    return [cue for cue in all_cues if {"scene": cue[0], "phase": cue[1]} in wanted]


@contextmanager
def playing(
    all_cues: Sequence[Cue], action: str, breaks: Callable[[Sequence["Played"]], None] | None = None
) -> Iterator[dict[tuple[str, str], Played]]:
    """Plays them; what came of each, by the scene's title and the phase. `breaks` is called once, when all of them are
    at their points."""
    with pytest.MonkeyPatch.context() as patch, serving(), ThreadPoolExecutor(AT_ONCE) as pool:
        for name, value in SHORT.items():
            patch.setattr(settings, name, value)
        all_cues = sorted(all_cues, key=lambda cue: DEADLINE not in cue[0].settings)  # hosts with little time go first
        results = list(pool.map(lambda cue: _begin(*cue, action), all_cues))
        with conducted([one.stage for one in results]):
            if breaks is not None:
                breaks(results)
            # Whose message is lost, or comes twice, goes on and does what it came for, whenever that happened.
            goes_on = action in (LOST, TWICE)
            list(pool.map(lambda cue, one: _end(cue[0], AFTER if goes_on else cue[1], one), all_cues, results))
            time.sleep(2.0)
            for one in results:
                one.wrong += [f"open work is not looked at: {entry}" for entry in still_due(one.stage)]
        yield {(scene.title, phase): one for (scene, phase), one in zip(all_cues, results, strict=True)}


@contextmanager
def conducted(stages: Sequence[Stage]) -> Iterator[None]:
    """A conductor looks after all of them, and one of its own after those of each other deadline of hosts."""
    deadlines: dict[float, list[Stage]] = {}
    for stage in stages:
        deadlines.setdefault(stage.settings.get(DEADLINE, CONDUCTOR[DEADLINE]), []).append(stage)
    with ExitStack() as conductors:
        for deadline, some in deadlines.items():
            conductors.enter_context(conducting(some, CONDUCTOR | {DEADLINE: deadline}))
        yield


def _begin(scene: Scene, phase: str, action: str) -> Played:
    """Up to the point: all processes of the scene have died or, the last, stopped."""
    stage = set_up(scene.shape, scene.agents, **SHORT | scene.settings)
    number = f"#{scene.number}" if scene.number > 1 else ""
    played = Played(stage)
    try:
        names = play_before(scene, stage)
    except AssertionError as error:
        played.wrong.append(str(error))
        return played
    actor = Actor([*names, scene.act], stage, f"{scene.point}:{phase}={action}{number}")
    if action == STOP and actor.stops():
        played.sleeper = actor
    elif (code := actor.end()) != (-signal.SIGKILL if action in (KILL, STOP) else 0):
        played.wrong.append(f"the point was not reached: {actor.answer() if code == 0 else code}; {facts(stage)}")
    return played


def play_before(scene: Scene, stage: Stage) -> list[str]:
    """Plays the steps before up to the last death among them; the names of the steps that are left to do."""
    names: list[str] = []
    for step in scene.before:
        name, _, failpoint = step.partition(DIES)
        names.append(name)
        if failpoint:
            actor, names = Actor(names, stage, failpoint), []
            code = actor.end()
            assert code == -signal.SIGKILL, f"{step}: {actor.answer() if code == 0 else code}; {facts(stage)}"
    return names


def _end(scene: Scene, phase: str, played: Played) -> None:
    stage, wrong = played.stage, played.wrong
    if wrong:
        return
    try:
        played.seconds = play_on(stage, scene.ends)
        wrong += wrong_sums(stage)
        if played.sleeper:
            _wake_up(scene, played, played.sleeper)
        wrong += wrong_sums(stage)
        # Who was only stopped does what nobody else could do for him: release a single claim.
        left = [members_left(scene, one) for one in (AFTER if played.sleeper else phase, AFTER)]
        found = [list(wrong_claims(stage, one)) for one in (left if played.unsure else left[:1])]
        wrong += [] if [] in found else found[0]
        if ask(stage, scene.ends) != ask(stage, scene.ends):
            wrong.append("the same request is answered in two ways")
        end_all(stage)
        sweep(stage)
        wrong += left_over(stage)
    except AssertionError as error:
        wrong.append(str(error))
    except Exception as error:
        wrong.append(f"{error!r}; {facts(stage)}")


def _wake_up(scene: Scene, played: Played, sleeper: Actor) -> None:
    """All is done, and the ids that were closed are gone: now the first owner goes on, and finds nothing to do."""
    began = time.monotonic()
    while any(record.kind == CLOSED for record in records(played.stage)):
        assert time.monotonic() - began < PATIENCE, f"closed ids stay: {facts(played.stage)}"
        sweep(played.stage)
    sleeper.signal(signal.SIGCONT)
    if sleeper.end() != 0:
        played.wrong.append("who woke up did not come to its end")
    play_on(played.stage, scene.ends)


def members_left(scene: Scene, phase: str) -> list[int]:
    """Which claims the request has in the end."""
    if scene.ends not in (ACTIVE, CLAIMED):
        return []
    gone = scene.given_up if phase == BEFORE else (*scene.gone, *scene.given_up)
    return [member for member in SHAPES[scene.shape].members if member not in gone]

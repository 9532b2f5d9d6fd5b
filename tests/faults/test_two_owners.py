"""Two owners at once: a process is stopped (SIGSTOP) at a transaction in the middle of a request, others take over and
finish, what they closed is swept away, and then the first one wakes up: one claim, one instance, nothing leaks."""

import random
import signal
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from claims import groups
from conductor.accept import accept, plan_of
from conductor.attempt import attempt_plan
from conductor.commit import commit, confirm
from conductor.decide import decide
from conductor.membership import join
from conductor.release import release_claim
from conductor.rows import move
from conductor.states import ACTIVE, CLAIMED
from conductor.texts import parts_json
from providers.records import CLAIM
from providers.refusals import Conflict
from store.failpoints import STOP
from tests.faults.scenes import Actor, host_round, serving, state_of
from tests.faults.scenes_actor import records
from tests.faults.scenes_anew import ANEW, BY_A_CONDUCTOR
from tests.faults.scenes_books import wrong_claims, wrong_sums
from tests.faults.scenes_play import Played, chosen, cues, everyday, label, playing
from tests.faults.scenes_stage import set_up
from tests.faults.scenes_table import CONDUCTOR, PORTAL, Scene

PLACING = tuple(scene for scene in PORTAL if scene.act == "schedule")
REST = tuple(scene for scene in PORTAL if scene.act != "schedule")
LATER = tuple(scene for scene in ANEW if scene not in BY_A_CONDUCTOR)
CUES = cues((*CONDUCTOR, *PLACING, *REST, *ANEW))
PARAMETERS = [
    *everyday(CONDUCTOR),
    *everyday(PLACING),
    *everyday(BY_A_CONDUCTOR),
    *(pytest.param(*cue, marks=pytest.mark.faults) for cue in cues((*REST, *LATER))),
]


@pytest.fixture(scope="module")
def played(cassandra: SimpleNamespace, request: pytest.FixtureRequest) -> Iterator[dict[tuple[str, str], Played]]:
    with playing(chosen(CUES, request), STOP) as results:
        yield results


@pytest.mark.parametrize(("scene", "phase"), PARAMETERS, ids=label)
def test_whoever_wakes_up_late_changes_nothing(scene: Scene, phase: str, played: dict[tuple[str, str], Played]) -> None:
    assert played[scene.title, phase].wrong == []


def test_what_was_built_is_not_released_alone(cassandra: SimpleNamespace) -> None:
    """The portal dies between the row, which says that it is built, and the claim, which is not consumed yet."""
    with serving():
        stage = set_up("host and disk")
        dead = Actor(["schedule", "building", "built"], stage, "claims.consume:before=kill")
        assert dead.end() == -signal.SIGKILL
    (claim,) = records(stage, CLAIM)
    with pytest.raises(Conflict, match="delete the request"):
        release_claim(claim.id, "me")
    host_round(stage)
    assert state_of(stage) == ACTIVE


def test_a_commit_whose_answer_was_lost_is_not_taken_back(cassandra: SimpleNamespace) -> None:
    """A conductor finds the request committed and confirms the first hold, its host builds; then the one who committed
    it tries that once more, for it had no answer, and finds that the row was moved."""
    stage = set_up("apart")
    request = stage.request()
    assignment = decide(request, random.Random(1)).assignment
    assert assignment is not None
    plan = plan_of(assignment)
    row, _ = accept(request, stage.request_id, plan, None)
    assert row is not None
    assert join(row, plan)
    tried = attempt_plan(row, plan, until=1e12)
    assert move(row, CLAIMED, members=parts_json(tried.parts), committed=True) is not None
    confirm(tried.parts[:1])
    host_round(stage)
    assert commit(row, plan, tried) is None
    confirm(tried.parts)
    host_round(stage)
    assert state_of(stage) == ACTIVE
    assert [*wrong_sums(stage), *wrong_claims(stage, [0, 1])] == []
    assert stage.group is not None
    assert len(groups.members(stage.group)) == 2

"""The state machine of a request runs on real Cassandra, with two conductors; what it found once; what it must notice.

`make test` does a few runs, `make statemachine` 500.
"""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from request_machine import RequestMachine
from request_stage import SETTINGS, Tally

LONG = "statemachine"
EVERYDAY = settings(
    max_examples=20,
    stateful_step_count=20,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    report_multiple_bugs=False,
    phases=(Phase.generate,),  # the run's history says enough; `make statemachine` looks for the shortest
)
THOROUGH = settings(EVERYDAY, max_examples=500, stateful_step_count=25, phases=(Phase.generate, Phase.shrink))
# The driver's threads draw random numbers at any time; hypothesis takes that for a strategy's doing.
pytestmark = pytest.mark.filterwarnings("ignore:Do not use the `random` module")


@pytest.fixture
def patches(cassandra, settings) -> Iterator[pytest.MonkeyPatch]:
    for name, value in SETTINGS.items():
        setattr(settings, name, value)
    settings.ANSWER_DEADLINE = 600.0
    with pytest.MonkeyPatch.context() as patch:
        yield patch


def test_every_request_comes_to_its_end(patches):
    long = settings.get_current_profile_name() == LONG
    tally = Tally(every=50 if long else 0)

    def machine() -> RequestMachine:
        patches.undo()
        return RequestMachine(tally, patches)

    run_state_machine_as_test(machine, settings=THOROUGH if long else EVERYDAY)
    print(f"\n{tally}")
    assert tally.counts["given up"] <= tally.counts["runs"] // 10

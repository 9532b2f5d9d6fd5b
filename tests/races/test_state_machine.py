"""The state machine on claims runs on real Cassandra; what it found once; what it must notice.

`make test` does a few dozen runs, `make statemachine` 2,000 (the hypothesis profile of that name in conftest.py).
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.errors import Flaky
from hypothesis.stateful import run_state_machine_as_test
from state_acts import OnRecord, Take, TakeAgain
from state_bugs import BUGS, plant
from state_machine import Tally, TreeMachine, Unanswered
from state_rows import OWN, OWN_CLASS

from providers.change import Changes, change, report
from providers.inventory import Inventory
from providers.resource_classes import custom
from providers.resource_classes.kind import amount
from store import failpoints

LONG = "statemachine"
EVERYDAY = settings(
    max_examples=25,
    stateful_step_count=15,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    report_multiple_bugs=False,
    phases=(Phase.generate,),  # the run's history says enough; `make statemachine` looks for the shortest
)
# The driver's threads draw random numbers at any time; hypothesis takes that for a strategy's doing.
pytestmark = pytest.mark.filterwarnings("ignore:Do not use the `random` module")

Machine = Callable[..., TreeMachine]


@pytest.fixture
def machine(cell, monkeypatch) -> Iterator[Machine]:
    """Makes a machine on a tree of its own."""
    if custom.load(OWN_CLASS) is None:
        custom.create(OWN_CLASS, [amount(name, "") for name in OWN])
    unanswered = Unanswered(monkeypatch)
    with ThreadPoolExecutor(3) as threads:
        yield lambda tally=None: TreeMachine(cell.home, tally or Tally(), unanswered, threads)
    failpoints.arm("")


def run(one: TreeMachine, layout: Sequence[str], steps: Sequence[Any]) -> None:
    """These steps, and no others; a list of steps is done at once."""
    one.a_tree(layout)
    for step in steps:
        one.at_once(step) if isinstance(step, list) else one.once(step)
    one.teardown()


def test_cassandra_holds_what_the_model_says(machine):
    long = settings.get_current_profile_name() == LONG
    tally = Tally(every=50 if long else 0)
    run_state_machine_as_test(lambda: machine(tally), settings=settings() if long else EVERYDAY)
    print(f"\n{tally}\n{dict(sorted(tally.answers.items()))}")
    assert tally.given_up <= tally.counts["runs"] // 20


def test_what_is_drawn_leads_to_a_planted_bug(machine, monkeypatch):
    plant("take does not ask for room", monkeypatch)
    how = settings(EVERYDAY, max_examples=100, database=None)
    with pytest.raises((AssertionError, Flaky)):
        run_state_machine_as_test(machine, settings=how)


@pytest.mark.parametrize("bug", BUGS)
def test_a_planted_bug_is_noticed(machine, bug, monkeypatch):
    plant(bug, monkeypatch)
    with pytest.raises(AssertionError, match=r"the model says|no order of|differ from the model"):
        run(machine(), BUGS[bug].layout, BUGS[bug].steps)


# What it found, each with the root's class.
FOUND: dict[str, tuple[str, list[Any]]] = {
    "an own class that is full knows what was taken": (OWN_CLASS, [Take(((0, 5, 0),)), TakeAgain()]),
    "an own class that is full knows what was closed": (
        OWN_CLASS,
        [Take(((0, 4, 0),)), OnRecord("release"), Take(((0, 5, 0),)), TakeAgain(7)],
    ),
    "what was asked back is asked back again": (
        "compute",
        [Take(((0, 1, 1),)), *[OnRecord(n) for n in ("building", "to_be_released", "to_be_released")]],
    ),
    "what is to be destroyed had been asked back": (
        "compute",
        [
            Take(((0, 1, 1),)),
            *[OnRecord(n) for n in ("building", "to_be_released", "consume", "to_be_destroyed", "to_be_destroyed")],
        ],
    ),
    "an instance is no claim that is active": (
        "compute",
        [Take(((0, 1, 1),)), OnRecord("consume"), OnRecord("active")],
    ),
}


@pytest.mark.parametrize("what", FOUND)
def test_found_once(machine, what):
    root, steps = FOUND[what]
    run(machine(), (root,), steps)


def test_a_change_whose_answer_was_lost_is_no_conflict(host, monkeypatch):
    own = host(heartbeat="none")
    monkeypatch.setattr(failpoints, "_armed", failpoints.Armed("", "after", "lost", 1))
    _, after = change(own.id, own.state_version, Changes({"state": "disabled"}, {}, {}))
    assert after.row["state"] == "disabled"


@pytest.mark.parametrize("totals", [{"vcpus": 4}, {"vcpus": 2, "memory_mb": 9000}], ids=["more", "less and more"])
def test_a_report_below_what_is_reserved(host, totals):
    own = host(heartbeat="none")
    change(own.id, own.state_version, Changes({}, {"vcpus": Inventory(8, 5, 1.0)}, {}))
    report(own.id, {"vcpus": 3}, {}, None)
    _, after = report(own.id, totals, {}, None)
    assert after.available["vcpus"] == totals["vcpus"] - 5

"""docs/fault-table.md, made from the tables of states and scenes: `python -m tests.faults.fault_table` (`make
fault-table`). Process x step of a request x fault, and which test covers it; a step that none covers is missing."""

import os
from collections.abc import Iterator

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sched_portal.settings")
django.setup()

from agents.node.instances import State  # noqa: E402
from conductor.states import TRANSITIONS, UNKNOWN, Transition, point  # noqa: E402
from tests.faults.scenes_scene import Scene  # noqa: E402
from tests.faults.scenes_table import SCENES  # noqa: E402

BY_CONDUCTOR = ("conduct", "give up", "watch", "sweep", "retire", "a mass that ends", "take a lease and give it back")
FAULTS = ("SIGKILL", "SIGSTOP, SIGCONT", "lost message", "duplicated message")
KILLED, STOPPED, AGENT = "test_killed_anywhere.py", "test_two_owners.py", "test_agent_faults.py"
MESSAGES, AWAY = "test_fault_table.py", "test_cassandra_away.py"
OF_SCENES = {"SIGKILL": KILLED, "SIGSTOP, SIGCONT": STOPPED, "lost message": MESSAGES, "duplicated message": MESSAGES}
OF_CASSANDRA = dict(zip(FAULTS, (AWAY, AWAY, MESSAGES, MESSAGES), strict=True))
# What a move that is not written follows from: the transaction that a fault can be planted at.
IMPLIED = {
    ("", "accepted"): "requests.new-scheduling",
    ("accepted", "scheduling"): "claims.take",
    ("scheduling", "held"): "claims.take",
    ("held", "claimed"): "requests.scheduling-claimed",
    ("scheduling", "claimed"): "claims.take",
    ("claimed", "notified"): "",  # a plain line of history, once the agent has asked: nothing depends on it
    ("claimed", "building"): "claims.building",
    ("notified", "building"): "claims.building",
    ("building", "active"): "claims.consume",
    ("scheduling", UNKNOWN): "requests.scheduling-claimed",  # its answer is lost, and the client's deadline is over
}
# What an agent says or does around a move, by the state of the instance on its disk; of the others it knows nothing.
BY_AGENT: dict[State, tuple[tuple[str, str], ...]] = {
    State.INTENT: (("claimed", "notified"), ("claimed", "building"), ("notified", "building")),
    State.BUILDING: (("scheduling", "rescheduling"), ("claimed", "rescheduling")),
    State.BUILT: (
        ("scheduling", "active"),
        ("scheduling", "claimed"),
        ("claimed", "claimed"),
        ("claimed", "active"),
        ("building", "active"),
        ("rescheduling", "rescheduling"),
    ),
    State.ACTIVE: (("active", "releasing"),),
    State.FAILING: (
        ("scheduling", "rescheduling"),
        ("claimed", "rescheduling"),
        ("claimed", "releasing"),
        ("scheduling", "releasing"),
        ("rescheduling", "releasing"),
        ("releasing", "failed"),
    ),
    State.ENDING: (("releasing", "released"), ("releasing", "failed")),
    State.DISCARDING: (("rescheduling", "claimed"), ("releasing", "released")),
}


INTRODUCTION = f"""
Made from `conductor/states.py`, the scenes of `tests/faults/` and the agent's states (`make fault-table`); a test
compares the two. Each cell says which file of `tests/faults/` plays it; `(3 x 2)`: by three scenes, each before the
transaction and after it. Each ends with the request in the state that it must come to, one claim or instance for
each of its members, sums that Cassandra agrees with, and nothing left after it was deleted. A dash: the process
does not make this move. A message between a portal or a conductor and Cassandra belongs to both; those between an
agent and the portal are lost, or come twice, over real REST. A portal or a conductor that was stopped sleeps until
others have finished what it began and what they closed is swept away; an agent, and Cassandra, sleep for ten seconds.
Cassandra is away under the first scene of each point. One scene of each point is part of `make test` in
{KILLED}, some are in the other files, and all are in `make faults`, which says how long each took.
"""


def steps() -> dict[tuple[str, str], list[Transition]]:
    """Every move of a request, written or implied, in the table's order."""
    found: dict[tuple[str, str], list[Transition]] = {}
    for one in TRANSITIONS:
        found.setdefault((one.source, one.target), []).append(one)
    return found


def point_of(step: tuple[str, str]) -> str:
    """The transaction of a move, or that it follows from. Raises KeyError: an implied move that nobody has placed."""
    is_written = any(not one.implied for one in steps()[step])
    return point(*step) if is_written else IMPLIED[step]


def scenes_of(step: tuple[str, str], process: str) -> list[Scene]:
    by_conductor = process == "conductor"
    return [s for s in SCENES if s.point == point_of(step) and (s.act in BY_CONDUCTOR) == by_conductor]


def cell(process: str, step: tuple[str, str], fault: str) -> str:
    """The tests of one cell; empty: this process does not make this move."""
    if process in ("portal", "conductor"):
        scenes = scenes_of(step, process)
        return f"{OF_SCENES[fault]} ({len(scenes)} x 2)" if scenes else ""
    if process == "Cassandra":
        return OF_CASSANDRA[fault]
    states = [state for state, moves in BY_AGENT.items() if step in moves]
    return f"{AGENT} ({', '.join(states)})" if states else ""


def uncovered() -> list[str]:
    """Moves that no process's tests reach."""
    missing = [step for step in steps() if step not in IMPLIED and not point_has_scene(step)]
    return [f"{source or 'new'}-{target}" for source, target in missing]


def point_has_scene(step: tuple[str, str]) -> bool:
    return any(scene.point == point_of(step) for scene in SCENES)


def page() -> str:
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield "# The fault table"
    yield ""
    yield from INTRODUCTION.strip().splitlines()
    for process in ("portal", "conductor", "agent", "Cassandra"):
        yield ""
        yield f"## {process}"
        yield ""
        yield f"| step | {' | '.join(FAULTS)} |"
        yield f"| --- |{' --- |' * len(FAULTS)}"
        for step in steps():
            cells = [cell(process, step, fault) or "-" for fault in FAULTS]
            if any(one != "-" for one in cells):
                yield f"| {step[0] or 'new'} > {step[1]} | {' | '.join(cells)} |"
    yield ""
    yield "## What is not a step of a request"
    yield ""
    others = sorted({scene.point for scene in SCENES if not scene.point.startswith("requests.")})
    names = ", ".join(f"`{one}`" for one in others)
    yield f"The other transactions, each with scenes of its own in the same files: {names}."


if __name__ == "__main__":
    print(page(), end="")

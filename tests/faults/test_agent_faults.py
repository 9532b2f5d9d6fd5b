"""An agent is killed or stopped at each state of an instance, and each of its messages is lost or comes twice.

Portal, conductor and two agents are processes of their own, over real REST. The request comes to its end, built once,
and nothing is left. (A few in `make test`, all in `make faults`; docs/fault-table.md has the table.)
"""

import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from agents import protocol
from agents.node.instances import State
from agents.protocol import ROUTE_WHOAMI
from agents.socket_protocol import ROUTE_SOCKET
from providers.cells import Cell
from tests.faults.agent_cast import ENVIRONMENT, begin, cast_of, end, stops
from tests.faults.lossy_line import FAULTS, LATE, NOT_ANSWERED, TWICE
from tests.faults.scenes_served import run_conductor
from tests.rooms.agents_node.served_portal import ServedPortal

KILL, STOP = "kill", "stop"
ASLEEP = 10.0  # seconds: longer than a heartbeat counts here, so that others go on with its open claims
EVERYDAY = {("after-state", State.BUILDING, KILL), ("after-state", State.BUILDING, STOP)}
AT_A_STATE = [
    pytest.param(when, state, action, marks=() if (when, state, action) in EVERYDAY else pytest.mark.faults)
    for state in State
    for when in ("before-state", "after-state")
    for action in (KILL, STOP)
]
# Each call of the agent, and the state that leads to it.
CALLS = {
    "/report": State.ACTIVE,
    "/heartbeat": State.ACTIVE,
    "/claims": State.ACTIVE,
    "/instances": State.ACTIVE,
    "/building": State.BUILDING,
    "/consume": State.BUILT,
    "/failed": State.FAILING,
    "/destroyed": State.ENDING,
}
OTHERS = (ROUTE_SOCKET, ROUTE_WHOAMI)  # it polls as well; it asks who it is before it has a host
AT_THE_START = ("/report", "/instances")  # and then minutes later
EVERYDAY_CALLS = {("/consume", NOT_ANSWERED), ("/building", TWICE), ("/failed", LATE)}
A_MESSAGE = [
    pytest.param(call, fault, marks=() if (call, fault) in EVERYDAY_CALLS else pytest.mark.faults)
    for call in CALLS
    for fault in FAULTS
]


@pytest.fixture(scope="module")
def took() -> Iterator[dict[str, float]]:
    """Seconds from the fault to the request's end, by cell of the table."""
    seconds: dict[str, float] = {}
    yield seconds
    print("\n" + json.dumps({"agent faults": {name: round(value, 1) for name, value in seconds.items()}}))


@pytest.fixture(scope="module")
def portal(cassandra: SimpleNamespace, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedPortal]:
    with pytest.MonkeyPatch.context() as environment:
        for name, value in ENVIRONMENT.items():
            environment.setenv(name, value)
        one = ServedPortal(tmp_path_factory.mktemp("portal"))
        with run_conductor(changed=ENVIRONMENT):
            yield one
        one.stop()


@pytest.mark.parametrize(("when", "state", "action"), AT_A_STATE)
def test_an_agent_dies_or_sleeps(
    portal: ServedPortal, cell: Cell, tmp_path: Path, took: dict[str, float], when: str, state: State, action: str
) -> None:
    with cast_of(portal, cell.name, tmp_path, f"{when}:{state}={action}") as cast:
        request_id, ends = begin(cast, state)
        process = cast.first.processes[-1]
        if action == KILL:
            assert process.wait(60) == -signal.SIGKILL
            began = time.monotonic()
            cast.first.start()
        else:
            assert stops(process)
            began = time.monotonic()
            time.sleep(ASLEEP)
            process.send_signal(signal.SIGCONT)
        cast.client.wait(request_id, ends)
        took[f"{action} {when}:{state}"] = time.monotonic() - began
        end(cast, request_id, ends)


@pytest.mark.parametrize(("call", "fault"), A_MESSAGE)
def test_a_message_of_an_agent_is_lost_or_comes_twice(
    portal: ServedPortal, cell: Cell, tmp_path: Path, took: dict[str, float], call: str, fault: str
) -> None:
    with cast_of(portal, cell.name, tmp_path) as cast:
        cast.line.plant(call, fault)
        if call in AT_THE_START:
            cast.first.stop()
            cast.first.start()
        began = time.monotonic()
        request_id, ends = begin(cast, CALLS[call])
        assert cast.line.struck.wait(30)
        cast.client.wait(request_id, ends)
        took[f"{fault} {call}"] = time.monotonic() - began
        end(cast, request_id, ends)


def test_every_call_of_the_agent_is_here() -> None:
    routes: dict[str, Any] = {name: value for name, value in vars(protocol).items() if name.startswith("ROUTE_")}
    assert {f"/{route.rsplit('/', 1)[1]}" for route in routes.values() if route not in OTHERS} == set(CALLS)

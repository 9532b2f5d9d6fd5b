"""An agent that writes its host's records itself: no portal, no token, the same life of a claim."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from agents.node.configuration import read_configuration
from agents.node.journal import Journal
from agents.node.line import Outcome
from agents.node.provider_configuration import Tokenless
from agents.protocol import Part as ReportedPart
from agents.protocol import Report
from conductor.direct_line import Direct
from conductor.find import read_request
from conductor.place import schedule
from conductor.release import delete_request, release_claim
from conductor.types import Placed, ScheduleRequest
from providers.parts import part_id
from providers.records import read_provider
from scheduler.types import Resource
from tests.rooms.agents_node.cast import ROOT, processes_of


def until(happens: Callable[[], object], seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < deadline, f"waited {seconds} s in vain"
        time.sleep(0.1)


def place(cell: Any) -> tuple[UUID, str]:
    """A request for one vCPU in the cell, and its claim."""
    resources = (Resource("compute", {"vcpus": 1, "memory_mb": 64}),)
    wanted = ScheduleRequest("c", "p", resources, {"asked": str(uuid4())}, "somebody", cell=cell.name)
    placed = schedule(wanted)
    assert isinstance(placed, Placed), placed
    return placed.request_id, str(placed.claims[0]["id"])


def free(host: Any) -> int:
    return read_provider(host.id)[1].available["vcpus"]


@pytest.fixture
def start(host, tmp_path: Path) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    """Starts the agent of the test's only host, as an operator would."""
    own = host()
    started: list[subprocess.Popen[bytes]] = []

    def run() -> subprocess.Popen[bytes]:
        program = [sys.executable, "manage.py", "run_agent", "--direct", "--provider", str(own.id)]
        with (tmp_path / "agent.log").open("ab") as log:
            environment = {**os.environ, "SCHED_AGENT_POLL_INTERVAL": "0.5"}
            arguments = [*program, "--state-dir", str(tmp_path / "state")]
            started.append(subprocess.Popen(arguments, cwd=ROOT, stdout=log, stderr=log, env=environment))
        return started[-1]

    run.host = own  # type: ignore[attr-defined]
    yield run
    for process in started:
        if process.poll() is None:
            process.terminate()
            process.wait(30)


@pytest.mark.slow
def test_scheduled_built_and_gone_without_a_portal(cell, start, tmp_path: Path) -> None:
    agent, host = start(), start.host
    log = tmp_path / "agent.log"
    until(lambda: "reported" in log.read_text())
    request_id, claim_id = place(cell)
    until(lambda: read_request(request_id).state == "active")
    (process,) = processes_of(claim_id)
    total = read_provider(host.id)[1].totals["vcpus"]
    assert (total, free(host)) == (os.cpu_count(), total - 1)

    # Killed and started again: nothing is forgotten, and nothing is built twice.
    agent.kill()
    agent.wait(30)
    start()
    until(lambda: "adopted" in log.read_text())
    assert [one.pid for one in processes_of(claim_id)] == [process.pid]

    assert not delete_request(request_id, "somebody")
    until(lambda: read_request(request_id).state == "released")
    assert not processes_of(claim_id)
    assert free(host) == total
    assert "Traceback" not in log.read_text()


@pytest.fixture
def line(host, tmp_path: Path) -> Iterator[Any]:
    own = host()
    configuration = read_configuration("", {}, Tokenless(str(own.id)))
    carrier = Direct(configuration, Journal())
    made = carrier.line(configuration.providers[0], Journal())
    made.host = own  # type: ignore[attr-defined]
    yield made
    for pool in (carrier.threads, carrier.heartbeats):
        pool.shutdown()


async def test_what_is_said_twice_changes_nothing(cell, line: Any) -> None:
    request_id, claim_id = place(cell)
    (order,) = (await line.orders()).claims
    assert (order.claim_id, order.amounts["vcpus"]) == (claim_id, -1)
    assert await line.instances() == ()
    for _ in range(2):
        assert await line.building(claim_id) == Outcome.DONE
    for _ in range(2):
        assert await line.consume(claim_id) == Outcome.DONE
    (known,) = await line.instances()
    assert (known.order.claim_id, known.is_wanted) == (claim_id, True)
    assert not delete_request(request_id, "somebody")
    assert [one.claim_id for one in (await line.orders()).destroy] == [claim_id]
    assert not (await line.instances())[0].is_wanted
    for _ in range(2):
        await line.destroyed(str(request_id), "")
    assert read_request(request_id).state == "released"
    assert free(line.host) == 8
    assert await line.consume(claim_id) == Outcome.GONE


async def test_what_is_gone_is_said_to_be_gone(cell, line: Any) -> None:
    request_id, claim_id = place(cell)
    assert release_claim(UUID(claim_id), "somebody")
    assert await line.building(claim_id) == Outcome.GONE
    assert await line.consume(claim_id) == Outcome.GONE
    assert await line.consume(str(uuid4())) == Outcome.GONE
    await line.failed(claim_id, "no such disk")
    await line.destroyed(str(uuid4()), "")
    assert (await line.orders()).claims == ()
    assert read_request(request_id).state == "released"


async def test_reports_and_heartbeats(line: Any) -> None:
    answer = await line.heartbeat()
    assert 0 < answer.interval < answer.ttl
    node = ReportedPart("numa0", "numa_node", {"cpus": 4, "memory_mb": 4096})
    await line.report(Report({"vcpus": 16}, {"cpu_arch": "x86_64"}, ("SSD",), (node,), True))
    tree, own = read_provider(line.host.id)
    assert (own.totals["vcpus"], sorted(own.row["traits"])) == (16, ["SSD"])
    assert tree.providers[part_id(own.id, "numa0")].available == {"cpus": 4, "memory_mb": 4096}

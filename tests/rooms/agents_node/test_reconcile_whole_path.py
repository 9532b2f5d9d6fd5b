"""A host that comes back, all of it real: daphne, Cassandra, the agent's process and those of its instances."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.rooms.agents_node.cast import ROOT, Agent, processes_of
from tests.rooms.agents_node.served_portal import ServedPortal

pytestmark = pytest.mark.slow
AMOUNTS = {"vcpus": 8, "memory_mb": 8192, "disk_gb": 100}


@pytest.fixture(scope="module")
def portal(cassandra: SimpleNamespace, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedPortal]:
    one = ServedPortal(tmp_path_factory.mktemp("portal"))
    yield one
    one.stop()


def until(happens: Callable[[], object], seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < deadline, f"waited {seconds} s in vain"
        time.sleep(0.1)


@pytest.fixture
def host(portal: ServedPortal, agent: Agent) -> str:
    """With an agent that runs."""
    cell = f"back-{random.randrange(10**9)}"
    portal.post("/api/cells", name=cell)
    made = portal.post("/api/providers", name="host1", cell=cell, resource_class="compute", amounts=AMOUNTS)
    agent.provider = str(made["id"])
    token = portal.post(f"/api/providers/{agent.provider}/token")["token"]
    provider = {"id": agent.provider, "token": token, "name": "host1", "inventory": {"totals": AMOUNTS}}
    agent.configure(portal, providers=[provider], poll_interval=0.5)
    agent.start()
    until(lambda: portal.client.get(f"/api/providers/{agent.provider}").json()["alive"])
    return cell


def run_one(portal: ServedPortal, agent: Agent, cell: str, count: int = 1) -> tuple[str, list[str]]:
    """A request that is active: its id and its claims'."""
    resources = [{"resource_class": "compute", "amounts": {"vcpus": 1, "memory_mb": 256}}]
    made = portal.post("/api/schedule", consumer="c", cell=cell, count=count, resources=resources)
    request_id, claims = str(made["request_id"]), [str(one["id"]) for one in made["claims"]]  # type: ignore[attr-defined]
    until(lambda: state_of(portal, request_id) == "active")
    until(lambda: all(agent.record(claim_id)["state"] == "active" for claim_id in claims))
    return request_id, claims


def state_of(portal: ServedPortal, request_id: str) -> object:
    return portal.client.get(f"/api/requests/{request_id}").json()["state"]


def free(portal: ServedPortal, agent: Agent) -> int:
    return int(portal.client.get(f"/api/providers/{agent.provider}").json()["available"]["vcpus"])


def test_deleted_by_force_while_the_host_was_away(portal: ServedPortal, agent: Agent, host: str) -> None:
    request_id, (gone,) = run_one(portal, agent, host)
    _, (stays,) = run_one(portal, agent, host)
    agent.kill()
    answer = portal.client.delete(f"/api/requests/{request_id}", params={"force": "true", "reason": "host is dead"})
    assert answer.status_code == 204, answer.text
    assert (free(portal, agent), len(processes_of(gone))) == (7, 1), "sold again, and still running"
    (kept,) = processes_of(stays)
    agent.start()
    until(lambda: not processes_of(gone))
    until(lambda: not agent.path(gone).exists())
    assert [one.pid for one in processes_of(stays)] == [kept.pid]
    assert free(portal, agent) == 7


def test_an_instance_that_is_lost_with_its_record_ends_its_request(
    portal: ServedPortal, agent: Agent, host: str
) -> None:
    request_id, (lost, sibling) = run_one(portal, agent, host, count=2)
    agent.kill()
    agent.path(lost).unlink()
    for process in processes_of(lost):
        process.kill()
    agent.start()
    until(lambda: state_of(portal, request_id) == "failed")
    until(lambda: free(portal, agent) == 8)
    assert not processes_of(sibling)
    assert "ended while the agent was away" in portal.client.get(f"/api/requests/{request_id}").json()["reason"]


def test_as_a_new_user_with_a_url_and_a_token(portal: ServedPortal, agent: Agent, tmp_path: Path) -> None:
    """Killed in the middle of a build, and started again: it is built once."""
    cell = f"new-{random.randrange(10**9)}"
    portal.post("/api/cells", name=cell)
    made = portal.post("/api/providers", name="host1", cell=cell, resource_class="compute", amounts=AMOUNTS)
    agent.provider, agent.state_dir = str(made["id"]), tmp_path / "var/agents/state"
    (tmp_path / "token").write_text(str(portal.post(f"/api/providers/{agent.provider}/token")["token"]))
    start_without_a_file(portal, agent)
    until(lambda: portal.client.get(f"/api/providers/{agent.provider}").json()["alive"])
    resources = [{"resource_class": "compute", "amounts": {"vcpus": 1, "memory_mb": 256}}]
    placed = portal.post("/api/schedule", consumer="c", cell=cell, resources=resources)
    (claim,) = placed["claims"]  # type: ignore[misc]
    until(lambda: processes_of(claim["id"]))
    agent.kill()
    assert agent.record(claim["id"])["state"] == "building"
    (process,) = processes_of(claim["id"])
    start_without_a_file(portal, agent)
    until(lambda: state_of(portal, str(placed["request_id"])) == "active")
    assert [one.pid for one in processes_of(claim["id"])] == [process.pid]
    portal.client.delete(f"/api/requests/{placed['request_id']}")
    until(lambda: state_of(portal, str(placed["request_id"])) == "released")
    assert not processes_of(claim["id"])


def start_without_a_file(portal: ServedPortal, agent: Agent) -> None:
    directory = agent.config.parent
    program = [sys.executable, "-m", "agents.node", "--portal", portal.url, "--token-file", "token"]
    with agent.log.open("ab") as log:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        agent.processes.append(subprocess.Popen(program, cwd=directory, stdout=log, stderr=log, env=environment))

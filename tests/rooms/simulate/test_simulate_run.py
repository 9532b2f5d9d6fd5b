"""The command itself against a real portal: hosts, agents as processes, a workload, kills, nothing that stays."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from simulate.leaks import find_leaks
from simulate.rest import Rest
from tests.rooms.agents_node.served_portal import ROOT, ServedPortal

pytestmark = pytest.mark.slow
HOSTS = 8
QUICK = ["--hosts", "8", "--rate", "4", "--build", "0.1-0.3", "--lifetime", "2", "--seed", "7", "--every", "0.5"]


@pytest.fixture(scope="module")
def var(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("simulated")


@pytest.fixture(scope="module")
def portal(cassandra: SimpleNamespace, var: Path) -> Iterator[ServedPortal]:
    """With a conductor: the audit at a run's end calls it overdue what nobody takes off the list of work."""
    one = ServedPortal(var)
    with (var / "conductor.log").open("wb") as log:
        conductor = subprocess.Popen(
            [sys.executable, "manage.py", "run_conductor"],
            cwd=ROOT,
            env={**os.environ, "SCHED_VAR": str(var)},
            stdout=log,
            stderr=log,
        )
    yield one
    conductor.terminate()
    conductor.wait(30)
    one.stop()


@pytest.fixture(scope="module")
def own_cell() -> str:
    return f"sim-{uuid.uuid4().hex[:6]}"


def start(portal: ServedPortal, var: Path, cell: str, *words: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "SCHED_VAR": str(var), "PORTAL_PORT": str(portal.port)}
    command = [sys.executable, "manage.py", "simulate", "--cell", cell, *words]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, cwd=ROOT, env=environment, text=True, **pipes)


def simulate(portal: ServedPortal, var: Path, cell: str, *words: str) -> dict[str, Any]:
    process = start(portal, var, cell, "--json", *words)
    output, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    said: dict[str, Any] = json.loads(output)
    return said


def agents_of(var: Path) -> list[psutil.Process]:
    return [
        one for one in psutil.process_iter(["cmdline"]) if f"{var}/simulate/" in " ".join(one.info["cmdline"] or ())
    ]


def providers(portal: ServedPortal, cell: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = portal.client.get(f"/api/providers?cell={cell}&limit=1000").json()["results"]
    return found


def test_a_fleet_lives_is_killed_in_part_and_leaves_nothing(portal: ServedPortal, var: Path, own_cell: str) -> None:
    trace = var / "trace.jsonl"
    words = ["--minutes", "0.1", "--kill", "0.25", "--down", "0.5-1", "--failures", "0.3", "--save-trace", str(trace)]
    said = simulate(portal, var, own_cell, *QUICK, *words)
    entries = [json.loads(line) for line in trace.read_text().splitlines()]
    assert said["requests"] == len(entries) > 10
    assert said["placed"] + sum(said["refused"].values()) == said["requests"]
    assert said["became_active"] > 0
    assert said["failed_builds"] > 0
    assert said["agents_killed"] == 2
    assert said["agents_died"] == 0
    assert said["leaks"] == []
    assert 0 < said["schedule"]["p50"] <= said["schedule"]["p95"]
    assert 0.1 < said["claim_to_active"]["p50"] < 10
    assert said["cpu"]["agents"] > 0
    assert said["cpu"]["portal"] > 0
    assert len(providers(portal, own_cell)) == HOSTS
    assert not agents_of(var)


@pytest.mark.faults
def test_a_trace_is_played_again_on_the_same_hosts(portal: ServedPortal, var: Path, own_cell: str) -> None:
    before = {one["id"] for one in providers(portal, own_cell)}
    first, again = var / "trace.jsonl", var / "again.jsonl"
    words = ["--trace", str(first), "--speed", "2", "--save-trace", str(again)]
    said = simulate(portal, var, own_cell, *QUICK, *words)
    assert said["seconds"] < 10
    assert said["requests"] == len(first.read_text().splitlines())
    assert said["failed_builds"] == 0
    assert {one["id"] for one in providers(portal, own_cell)} == before
    resources = [[json.loads(line)["resources"] for line in one.read_text().splitlines()] for one in (first, again)]
    assert resources[0] == resources[1]


@pytest.mark.faults
def test_an_interrupt_gives_everything_back(portal: ServedPortal, var: Path, own_cell: str) -> None:
    process = start(portal, var, own_cell, "--json", "--minutes", "10", *QUICK)
    assert process.stderr is not None
    for line in process.stderr:
        if " of 10:00: " in line and "active 0" not in line:
            break
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=150)
    assert process.returncode == 0, errors
    said = json.loads(output)
    assert said["interrupted"]
    assert said["leaks"] == []
    assert not agents_of(var)


@pytest.mark.faults
def test_what_does_not_come_back_is_seen_ended_and_removed(portal: ServedPortal, var: Path, own_cell: str) -> None:
    host = next(one for one in providers(portal, own_cell) if one["resource_class"] == "compute")
    portal.post(f"/api/providers/{host['id']}/heartbeat")
    resource = {"resource_class": "compute", "amounts": {"vcpus": 1}}
    left = portal.post("/api/schedule", consumer="left behind", cell=own_cell, resources=[resource])

    async def leaks() -> list[str]:
        rest = Rest(portal.url, (var / "admin-token").read_text().strip())
        try:
            return await find_leaks(rest, own_cell, settle=0)
        finally:
            await rest.close()

    seen = asyncio.run(leaks())
    assert len(seen) == 2, seen
    assert "available: claims are left" in seen[0]
    assert str(left["request_id"]) in seen[1]
    process = start(portal, var, own_cell, "--cleanup")
    assert process.wait(150) == 0, process.communicate()
    assert portal.client.get(f"/api/requests/{left['request_id']}").json()["state"] == "released"
    assert portal.client.get(f"/api/cells/{own_cell}").status_code == 404
    assert not (var / "simulate" / own_cell).exists()


def test_what_makes_it_impossible_is_one_line(portal: ServedPortal, var: Path, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("sched_wrong")
    (tmp_path / "bad.jsonl").write_text("{}")
    portal.post("/api/cells", name="somebodys")
    for words, said in (
        (["--cell", "somebodys"], "cell somebodys was not made by a simulation"),
        (["--cell", "somebodys", "--cleanup"], "cell somebodys was not made by a simulation"),
        (["--token-file", str(tmp_path / "none")], "give an admin's token by --token-file"),
        (["--token-file", str(tmp_path / "token")], "401 unauthenticated"),
        (["--trace", str(tmp_path / "bad.jsonl")], "bad.jsonl:1: at_seconds, resources missing"),
    ):
        process = start(portal, var, "never", *words)
        _, errors = process.communicate(timeout=150)
        assert process.returncode == 1
        assert said in errors
        assert "Traceback" not in errors


@pytest.mark.faults
def test_agents_of_a_run_that_was_killed_do_not_stay(portal: ServedPortal, var: Path) -> None:
    """SIGKILL leaves the agents: the next run ends them, gives back what they hold, and leaves nothing."""
    cell = f"sim-{uuid.uuid4().hex[:6]}"
    process = start(portal, var, cell, "--minutes", "10", *QUICK, "--lifetime", "600")
    assert process.stderr is not None
    for line in process.stderr:
        if " of 10:00: " in line and "active 0" not in line:
            break
    process.kill()
    process.communicate()
    orphans = agents_of(var)
    assert orphans
    said = simulate(portal, var, cell, *QUICK, "--minutes", "0.02")
    assert said["leaks"] == []
    _, alive = psutil.wait_procs(orphans, 5)
    assert not alive

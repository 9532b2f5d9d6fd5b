"""The whole of it over REST: a portal that dies where it is told to and is started again at once, a conductor, an agent
with two hosts, and a client that asks again until it is answered."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.faults.scenes_points import ROOT
from tests.rooms.agents_node.cast import Agent
from tests.rooms.agents_node.served_portal import ServedPortal

SHORT = {"SCHEDULE_DEADLINE": "4", "REQUEST_LEASE": "1", "CONDUCTOR_INTERVAL": "0.5", "HEARTBEAT_INTERVAL": "3"}
PATIENCE = 90.0  # seconds for a step, restarts of the portal (five seconds each on two cores) included
HOST = {"vcpus": 8, "memory_mb": 8192, "disk_gb": 100}
DISK = {"capacity_gb": 100, "iops": 100}


class MortalPortal(ServedPortal):
    """Started again, without a failpoint, whenever it died. `deaths`: the exit codes."""

    def __init__(self, var: Path) -> None:
        self.deaths: list[int] = []
        super().__init__(var)
        self._environment |= SHORT

    def begin(self, failpoint: str) -> None:
        self.stop()
        self.deaths = []
        self._environment["FAILPOINT"] = failpoint
        self.start()
        self._environment["FAILPOINT"] = ""
        self._over = threading.Event()
        self._watch = threading.Thread(target=self._restart, daemon=True)
        self._watch.start()

    def end(self) -> None:
        self._over.set()
        self._watch.join()

    def _restart(self) -> None:
        while not self._over.wait(0.1):
            code = self._process.poll()
            if code is not None:
                self.deaths.append(code)
                self.start()


class Client:
    """Repeats each call, with the same ids, until it has an answer that says what is the case."""

    def __init__(self, portal: ServedPortal, cell: str) -> None:
        self._portal = portal
        self.cell = cell

    def call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> httpx.Response:
        until = time.monotonic() + PATIENCE
        while True:
            try:
                answer = self._portal.client.request(method, path, json=body)
                if answer.status_code < 500 and "unknown_outcome" not in answer.text:
                    return answer
            except httpx.TransportError:
                pass
            assert time.monotonic() < until, f"{method} {path} is not answered: {self._portal.log.read_text()[-2000:]}"
            time.sleep(0.2)

    def schedule(self, *resources: Mapping[str, Any], **more: Any) -> dict[str, Any]:
        body = {"request_id": str(uuid.uuid4()), "consumer": "me", "project": "faults", "cell": self.cell,
                "instance": {"name": "web", "image": "says-started"}, "resources": resources, **more}  # fmt: skip
        answer: dict[str, Any] = self.call("POST", "/api/schedule", body).json()
        return answer

    def wait(self, request_id: str, *states: str) -> dict[str, Any]:
        until = time.monotonic() + PATIENCE
        while True:
            life: dict[str, Any] = self.call("GET", f"/api/requests/{request_id}").json()
            if life.get("state") in states:
                return life
            assert time.monotonic() < until, f"should be {states}: {json.dumps(life)[:2000]}"
            time.sleep(0.2)

    def delete(self, request_id: str) -> None:
        self.call("DELETE", f"/api/requests/{request_id}")
        self.wait(request_id, "released", "failed")


@contextmanager
def run_conductor(failpoint: str = "", changed: Mapping[str, str] = SHORT) -> Iterator[subprocess.Popen[bytes]]:
    """`manage.py run_conductor` as it is run."""
    command = [sys.executable, "manage.py", "run_conductor"]
    environment = os.environ | changed | {"FAILPOINT": failpoint, "CLOSED_KEPT": "0", "LOG_LEVEL": "WARNING"}
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def agent_of(portal: ServedPortal, directory: Path, cell: str) -> tuple[Agent, list[str]]:
    """A running agent with two new hosts; their ids, and that of a disk that has no agent."""
    agent = Agent(directory, portal)  # type: ignore[arg-type]
    new = {"cell": cell, "resource_class": "compute", "amounts": HOST, "properties": {"cpu_arch": "x86_64"}}
    hosts = [str(portal.post("/api/providers", name=f"h{number}", **new)["id"]) for number in range(2)]
    disk = portal.post("/api/providers", name="disk", cell=cell, resource_class="block_storage", amounts=DISK,
                       heartbeat="none")  # fmt: skip
    inventory = {"totals": HOST, "properties": {"cpu_arch": "x86_64"}}
    providers = [
        {
            "id": host,
            "name": host,
            "inventory": inventory,
            "token": portal.post(f"/api/providers/{host}/token")["token"],
        }
        for host in hosts
    ]
    agent.configure(portal, providers=providers, fallback_poll_interval=0.5, poll_interval=0.3)  # type: ignore[arg-type]
    agent.start()
    client = Client(portal, cell)
    until = time.monotonic() + PATIENCE
    while not all(client.call("GET", f"/api/providers/{host}").json()["alive"] for host in hosts):
        assert time.monotonic() < until, agent.log.read_text()
        time.sleep(0.2)
    return agent, [*hosts, str(disk["id"])]

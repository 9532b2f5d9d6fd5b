"""A portal, a conductor and two agents as they are run, each agent with a host of its own; what they come to."""

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil

from agents.node.instances import State
from tests.faults.lossy_line import LossyLine
from tests.faults.scenes_served import PATIENCE, Client
from tests.rooms.agents_node.cast import IMAGES, Agent, processes_in
from tests.rooms.agents_node.served_portal import ServedPortal

# A host is declared silent after some seconds, so that one whose agent sleeps for ten loses its open claims. Of the
# hosts that fit the larger one is taken.
ENVIRONMENT = {
    "HEARTBEAT_INTERVAL": "1",
    "HEARTBEAT_TTL": "6",
    "LIVENESS_INTERVAL": "1",
    "SCHEDULE_SUBSET": "1",
    "SCHEDULE_DEADLINE": "4",
    "REQUEST_LEASE": "1",
    "CONDUCTOR_INTERVAL": "0.5",
    "CLOSED_KEPT": "0",
}
VCPUS: dict[str, Any] = {"resource_class": "compute", "amounts": {"vcpus": 8}}
AMOUNTS = ({"vcpus": 12, "memory_mb": 8192, "disk_gb": 100}, {"vcpus": 8, "memory_mb": 8192, "disk_gb": 100})
BUILT_ONLY_BY_THE_SECOND = {**IMAGES, "broken": IMAGES["says-started"]}


@dataclass
class Cast:
    """`first` is the host that a request goes to; `line` is between its agent and the portal."""

    client: Client
    line: LossyLine
    first: Agent
    second: Agent
    hosts: list[str] = field(default_factory=list)

    @property
    def agents(self) -> tuple[Agent, Agent]:
        return self.first, self.second

    def wait_alive(self, *hosts: str) -> None:
        until = time.monotonic() + PATIENCE
        while not all(self.client.call("GET", f"/api/providers/{host}").json()["alive"] for host in hosts):
            assert time.monotonic() < until, self.first.log.read_text() + self.second.log.read_text()
            time.sleep(0.1)

    def running(self) -> list[str]:
        """The claims whose programs run, each once for every process group of it."""
        return [claim for agent in self.agents for claim in _marks(processes_in(agent.state_dir))]

    def wrong_now(self, request_id: str, wanted: int) -> list[str]:
        """What is not so while the request is active (`wanted` is 1), or has ended (0)."""
        found = []
        if len(running := self.running()) != wanted:
            found.append(f"running: {running}")
        for agent in self.agents:
            logs = agent.state_dir.glob("**/output.log")
            found += [f"{log}: started twice" for log in logs if log.read_text().splitlines().count("started") > 1]
        claims = self.client.call("GET", f"/api/claims?cell={self.client.cell}").json()["results"]
        found += [f"claim {one['id']} is {one['state']} on {one['provider_name']}" for one in claims]
        used = 0
        for host in self.hosts:
            one = self.client.call("GET", f"/api/providers/{host}").json()
            total = {name: amount["total"] for name, amount in one["inventory"].items()}
            used += total["vcpus"] - one["available"]["vcpus"]
            if one["available"] != one["amounts"]:
                found.append(f"{one['name']} has {one['available']} of {one['amounts']}")
        if used != 8 * wanted:
            found.append(f"{used} vcpus are used")
        return found

    def settles(self, request_id: str, wanted: int) -> None:
        until = time.monotonic() + 120
        while found := self.wrong_now(request_id, wanted):
            log = "".join(agent.log.read_text()[-2000:] for agent in self.agents)
            life = json.dumps(self.client.call("GET", f"/api/requests/{request_id}").json())
            assert time.monotonic() < until, f"{found}\n{life[:3000]}\n{log}"
            time.sleep(0.2)


def _marks(processes: list[psutil.Process]) -> set[str]:
    found = set()
    for one in processes:
        try:
            found.add(one.environ().get("SCHED_INSTANCE_ID", "?"))
        except psutil.Error:
            continue
    return found


@contextmanager
def cast_of(portal: ServedPortal, cell: str, directory: Path, crash: str = "") -> Iterator[Cast]:
    """Two hosts with their agents; the first agent dies, or stops, at the place that `crash` names."""
    client, line = Client(portal, cell), LossyLine(portal.url)
    agents, hosts = [], []
    for number, amounts in enumerate(AMOUNTS):
        room = directory / f"agent{number}"
        room.mkdir()
        name = f"host{number}"
        new = {"name": name, "cell": cell, "resource_class": "compute", "amounts": amounts}
        host = str(portal.post("/api/providers", **new)["id"])
        token = portal.post(f"/api/providers/{host}/token")["token"]
        reached = portal if number else SimpleNamespace(url=line.url)
        agent = Agent(room, reached)  # type: ignore[arg-type]
        agent.provider = host
        provider = {"id": host, "name": name, "token": token, "inventory": {"totals": amounts}}
        images = BUILT_ONLY_BY_THE_SECOND if number else IMAGES
        agent.configure(
            reached,  # type: ignore[arg-type]
            providers=[provider],
            fallback_poll_interval=0.5,
            poll_interval=0.3,
            images=images,
        )
        agent.start(crash="" if number else crash)
        agents.append(agent)
        hosts.append(host)
    cast = Cast(client, line, *agents, hosts)
    try:
        cast.wait_alive(*hosts)
        yield cast
    finally:
        for agent in agents:
            for process in agent.processes:
                if process.poll() is None:
                    process.send_signal(signal.SIGCONT)
                    process.kill()
                    process.wait()
            for one in processes_in(agent.state_dir):
                one.kill()
        line.stop()


def stops(process: subprocess.Popen[bytes], seconds: float = PATIENCE) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until and process.poll() is None:
        if psutil.Process(process.pid).status() == psutil.STATUS_STOPPED:
            return True
        time.sleep(0.05)
    return False


def begin(cast: Cast, state: State) -> tuple[str, str]:
    """Everything that brings the first agent into this state; the request's id, and how it must end."""
    image = {State.FAILING: "broken", State.DISCARDING: "slow"}.get(state, "says-started")
    made = cast.client.schedule(VCPUS, instance={"name": "web", "image": image})
    request_id = made["request_id"]
    if state == State.ENDING:
        cast.client.wait(request_id, "active")
        cast.client.call("DELETE", f"/api/requests/{request_id}")
        return request_id, "released"
    if state == State.DISCARDING:  # taken away by force while it is being built
        cast.client.wait(request_id, "building")
        assert cast.client.call("DELETE", f"/api/requests/{request_id}?force=true").status_code == 204
        return request_id, "released"
    return request_id, "active"


def end(cast: Cast, request_id: str, ends: str) -> None:
    """It comes to its end; then it is deleted, and nothing of it is left."""
    cast.client.wait(request_id, ends)
    if ends == "active":
        cast.settles(request_id, 1)
        cast.client.delete(request_id)
    cast.settles(request_id, 0)

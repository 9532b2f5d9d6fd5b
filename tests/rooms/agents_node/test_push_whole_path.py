"""From a claim to its host, all of it real: daphne, Cassandra's log, the agent's process. `-s` shows the times."""

from __future__ import annotations

import datetime as dt
import random
import re
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest

from providers import cells
from tests.rooms.agents_node.cast import Agent
from tests.rooms.agents_node.served_portal import ServedPortal
from tests.rooms.dashboard.cast import claim

pytestmark = pytest.mark.slow
CLAIMS = 40


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


def start_agent(agent: Agent, portal: ServedPortal, cell: str, vcpus: int = 1000) -> object:
    """The agent of a new host, connected; answers with the host's id."""
    amounts = {"vcpus": vcpus, "memory_mb": 10**6, "disk_gb": 10**4}
    host = portal.post("/api/providers", name="told", cell=cell, resource_class="compute", amounts=amounts)
    token = portal.post(f"/api/providers/{host['id']}/token")["token"]
    provider = {"id": host["id"], "token": token, "name": "told", "inventory": {"totals": amounts}}
    changes = {"poll_interval": 2, "fallback_poll_interval": 30, "heartbeat_interval": 10}
    agent.configure(portal, builder="noop", providers=[provider], **changes)
    agent.start()
    until(lambda: agent.log.exists() and "listening for orders" in agent.log.read_text())
    time.sleep(2)  # the look that follows
    return host["id"]


def looks(portal: ServedPortal) -> int:
    route = r'sched_http_requests_total{.*"GET",route="/api/providers/<str:provider_id>/claims",status="200"} (\d+)'
    return int(re.findall(route, portal.client.get("/metrics").text)[0])


def times_to_hosts(portal: ServedPortal, cell: str) -> dict[str, float]:
    """Seconds from each claim's event to the one of its agent having begun to build it."""
    events = portal.client.get(f"/api/events?cell={cell}&limit=1000").json()["results"]
    at = {(event["type"], event["claim_id"]): dt.datetime.fromisoformat(event["at"]) for event in events}
    claims = [claim_id for kind, claim_id in at if kind == "claim.claimed"]
    return {one: (at["claim.building", one] - at["claim.claimed", one]).total_seconds() for one in claims}


def claims_reach_the_host(portal: ServedPortal, cell: str) -> float:
    """Makes some, by two processes; answers with the 95th of a hundred of their times to the host, in seconds."""
    known = set(times_to_hosts(portal, cell))
    before = looks(portal)
    body = {"consumer": "c", "cell": cell, "resources": [{"resource_class": "compute", "amounts": {"vcpus": 1}}]}
    home = cells.find(cell)
    for number in range(CLAIMS):
        if number % 2:
            portal.post("/api/schedule", **body)
        else:
            assert claim(home)  # by this process, which the agent knows nothing of
        time.sleep(random.uniform(0.1, 0.4))
    until(lambda: not portal.client.get(f"/api/claims?cell={cell}").json()["results"])
    time.sleep(3)  # EVENTS_SETTLE
    times = [seconds for one, seconds in times_to_hosts(portal, cell).items() if one not in known]
    assert len(times) == CLAIMS
    assert looks(portal) - before <= 2 * CLAIMS, "told, and not polling"
    times.sort()
    p50, p95 = times[len(times) // 2], times[int(len(times) * 0.95) - 1]
    print(f"\n{len(times)} claims: p50 {p50:.3f} s, p95 {p95:.3f} s, longest {times[-1]:.3f} s")
    return p95


def test_a_claim_reaches_a_connected_agent_by_being_told(portal: ServedPortal, agent: Agent) -> None:
    cell = f"push-{random.randrange(10**9)}"
    portal.post("/api/cells", name=cell)
    start_agent(agent, portal, cell)
    # A machine that others use too gets a second and a third chance; polling would take 15 s in the middle.
    # The figure is printed (a quarter of a second at load 6); polling would take 15 s in the middle, on any machine.
    assert claims_reach_the_host(portal, cell) < 8
    requests = portal.client.get(f"/api/requests?cell={cell}&limit=1").json()["results"]
    is_deleted_soon(portal, requests[0]["request_id"])


def is_deleted_soon(portal: ServedPortal, request_id: object) -> None:
    began = time.monotonic()
    portal.client.delete(f"/api/requests/{request_id}")
    until(lambda: state_of(portal, request_id) == "released", 20)
    assert time.monotonic() - began < 10, "its destruction is told as well; polling takes 24 to 36 s"


def state_of(portal: ServedPortal, request_id: object) -> object:
    return portal.client.get(f"/api/requests/{request_id}").json()["state"]


def test_a_roots_agent_builds_and_destroys_on_its_child(portal: ServedPortal, agent: Agent) -> None:
    cell = f"tree-{random.randrange(10**9)}"
    portal.post("/api/cells", name=cell)
    root = start_agent(agent, portal, cell, vcpus=1)
    amounts = {"vcpus": 8, "memory_mb": 8192}
    child = portal.post(
        "/api/providers", name="numa0", cell=cell, resource_class="compute", parent=root, amounts=amounts
    )
    resources = [{"resource_class": "compute", "amounts": {"vcpus": 4}}]
    placed = portal.post("/api/schedule", consumer="c", cell=cell, resources=resources)
    until(lambda: state_of(portal, placed["request_id"]) == "active", 10)
    now = portal.client.get(f"/api/providers/{child['id']}").json()
    assert (now["amounts"]["vcpus"], now["available"]["vcpus"], now["instances"]) == (4, 4, 1)
    is_deleted_soon(portal, placed["request_id"])

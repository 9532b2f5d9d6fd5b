"""One process drives a hundred simulated hosts with the code that drives a real one."""

from __future__ import annotations

import uuid

import psutil

from tests.rooms.agents_node.cast import Agent
from tests.rooms.agents_node.portal_partner import TOKEN, PortalPartner

SIZE = 100


def fleet(agent: Agent, portal: PortalPartner, **noop: object) -> list[str]:
    ids = [str(uuid.uuid4()) for _ in range(SIZE)]
    inventory = {"totals": {"vcpus": 64}, "properties": {"cpu_arch": "x86_64"}, "traits": ["SSD"]}
    providers = [{"id": one, "token": TOKEN, "name": f"sim{n}", "inventory": inventory} for n, one in enumerate(ids)]
    agent.configure(portal, builder="noop", providers=providers, noop=noop, poll_interval=1)
    return ids


def test_a_hundred_hosts_live_build_and_destroy(portal: PortalPartner, agent: Agent) -> None:
    portal.interval = 5.0
    ids = fleet(agent, portal, build_seconds=[0.1, 0.3])
    claims = [portal.claim(provider) for provider in ids]
    process = psutil.Process(agent.start().pid)
    portal.wait(lambda: all(portal.state(claim_id) == "consumed" for claim_id in claims), 30)
    assert len(portal.said("/building")) == len(portal.said("/consume")) == SIZE
    for claim_id in claims:
        portal.order_destroy(claim_id)
    portal.wait(lambda: not portal.destroy, 30)
    assert len({path for _, path, _ in portal.calls if path.endswith("/heartbeat")}) == SIZE
    assert len([path for _, path, _ in portal.calls if path.endswith("/report")]) == SIZE, "nothing changed since"
    assert process.num_threads() < 10
    assert process.memory_info().rss < 150 * 2**20


def test_simulated_failures_are_reported(portal: PortalPartner, agent: Agent) -> None:
    ids = fleet(agent, portal, fail_fraction=1.0)
    claim_id = portal.claim(ids[7])
    assert agent.start("--once").wait(20) == 0
    assert portal.said(f"{claim_id}/failed") == [{"reason": "simulated failure"}]

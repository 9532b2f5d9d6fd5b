"""A portal that is away, busy or refuses: time is lost, and nothing else."""

from __future__ import annotations

import threading
import time

from agents.node.portal import CONNECTIONS
from tests.rooms.agents_node.cast import Agent, processes_of
from tests.rooms.agents_node.portal_partner import PortalPartner, problem


def test_a_portal_that_comes_later_is_waited_for_with_one_line(portal: PortalPartner, agent: Agent) -> None:
    claim_id = portal.claim(agent.provider)
    portal.stop()
    agent.start()
    portal.wait(lambda: "portal cannot be reached" in agent.log.read_text())
    time.sleep(0.5)
    back = PortalPartner(portal.port)
    try:
        back.claims = portal.claims
        back.wait(lambda: back.state(claim_id) == "consumed")
    finally:
        back.stop()
    log = agent.log.read_text()
    assert log.count("portal cannot be reached") >= 1
    assert log.count("portal cannot be reached") == log.count("portal is back") + (1 if agent_lost_it_again(log) else 0)
    assert log.index("portal cannot be reached") < log.index("portal is back")


def agent_lost_it_again(log: str) -> bool:
    return log.rindex("portal cannot be reached") > log.rindex("portal is back")


def test_away_between_build_and_consume(portal: PortalPartner, agent: Agent) -> None:
    claim_id = portal.claim(agent.provider)
    agent.start()
    portal.wait(lambda: portal.said("/building"))
    portal.stop()
    portal.wait(lambda: agent.record(claim_id)["state"] == "built")
    (process,) = processes_of(claim_id)
    agent.kill()
    agent.start()
    back = PortalPartner(portal.port)
    try:
        back.claims = portal.claims
        back.wait(lambda: back.state(claim_id) == "consumed")
        back.wait(lambda: agent.record(claim_id)["state"] == "active")
    finally:
        back.stop()
    assert [one.pid for one in processes_of(claim_id)] == [process.pid]


def test_errors_that_pass_are_asked_again(portal: PortalPartner, agent: Agent) -> None:
    claim_id = portal.claim(agent.provider)
    answered: dict[str, int] = {}
    bad = [problem(503, "contended"), (202, {"code": "unknown_outcome"})]

    def stumble(method: str, path: str) -> tuple[int, dict[str, object]] | None:
        answered[path] = answered.get(path, 0) + 1
        return bad[answered[path] - 1] if answered[path] <= len(bad) else None

    portal.before = stumble
    assert agent.start("--once").wait(30) == 0
    assert portal.state(claim_id) == "consumed"
    assert len(processes_of(claim_id)) == 1


def test_retry_after_is_honoured(portal: PortalPartner, agent: Agent) -> None:
    asked: list[float] = []

    def throttle(method: str, path: str) -> tuple[int, dict[str, object]] | None:
        if path.endswith("/heartbeat"):
            asked.append(time.monotonic())
            return problem(429, "throttled") if len(asked) == 1 else None
        return None

    portal.before, portal.retry_after = throttle, "2"
    assert agent.start("--once").wait(10) == 0
    assert asked[1] - asked[0] >= 2


def test_a_wrong_token_is_said_once_and_not_hammered(portal: PortalPartner, agent: Agent) -> None:
    agent.configure(portal, providers=[{"id": agent.provider, "token": "revoked", "name": "host1"}])
    agent.start()
    portal.wait(lambda: len(portal.unauthorized) == 3)
    time.sleep(1)
    assert len(portal.unauthorized) == 3, "one try of each loop, and then a long pause"
    assert agent.log.read_text().count("does not know this token") == 1


def test_a_portal_that_is_slow_with_claims_still_hears_the_heart(portal: PortalPartner, agent: Agent) -> None:
    """More claims wait for their answer than there are connections."""
    go_on = threading.Event()

    def slow(method: str, path: str) -> None:
        if path.endswith("/building"):
            with portal.unlocked():
                go_on.wait(60)

    portal.before, portal.interval = slow, 0.2
    claims = [portal.claim(agent.provider) for _ in range(CONNECTIONS + 2)]
    agent.start()
    portal.wait(lambda: len(portal.said("/building")) >= CONNECTIONS)
    heard = len(portal.said("/heartbeat"))
    portal.wait(lambda: len(portal.said("/heartbeat")) >= heard + 5)
    go_on.set()
    portal.wait(lambda: all(portal.state(claim_id) == "consumed" for claim_id in claims))

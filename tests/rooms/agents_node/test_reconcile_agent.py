"""What a host runs against what the portal says runs there, with a real agent and real processes."""

from __future__ import annotations

import time
import uuid

import pytest

from tests.rooms.agents_node.cast import Agent, processes_of
from tests.rooms.agents_node.portal_partner import PortalPartner, problem


def run_one(portal: PortalPartner, agent: Agent, image: str = "sleep", **more: str) -> str:
    """A claim whose instance runs."""
    claim_id = portal.claim(agent.provider, image, **more)
    if not agent.processes or agent.processes[-1].poll() is not None:
        agent.start()
    portal.wait(lambda: agent.path(claim_id).exists() and agent.record(claim_id)["state"] == "active")
    return claim_id


def looks(portal: PortalPartner) -> int:
    return sum(path.endswith("/instances") for _, path, _ in list(portal.calls))


def test_deleted_by_force_while_the_host_was_away(portal: PortalPartner, agent: Agent) -> None:
    gone, stays = run_one(portal, agent), run_one(portal, agent)
    (kept,) = processes_of(stays)
    agent.kill()
    portal.forget(gone)
    agent.start()
    portal.wait(lambda: not agent.path(gone).exists())
    assert not processes_of(gone)
    assert not portal.said("/destroyed"), "there is nobody to tell"
    assert [one.pid for one in processes_of(stays)] == [kept.pid]
    (line,) = [one for one in agent.log.read_text().splitlines() if "does not know: taking it away" in one]
    assert gone in line


@pytest.mark.parametrize(
    "answer", [problem(503, "unavailable"), (404, {"error": "proxy"}), (200, {}), (200, {"results": 7}), (404, {})]
)
def test_a_list_that_makes_no_sense_takes_nothing_away(
    portal: PortalPartner, agent: Agent, answer: tuple[int, dict[str, object]]
) -> None:
    claim_id = run_one(portal, agent)
    agent.kill()
    consumed = len(portal.said("/consume"))
    portal.before = lambda method, path: answer if path.endswith("/instances") else None
    before = looks(portal)
    agent.start()
    portal.wait(lambda: looks(portal) > before)
    time.sleep(0.7)
    assert processes_of(claim_id)
    assert len(portal.said("/consume")) == consumed, "nor is the claim asked for"


@pytest.mark.parametrize("answer", [problem(503, "unavailable"), (404, {"error": "proxy"}), problem(409, "conflict")])
def test_only_the_portals_own_word_on_the_claim_counts(
    portal: PortalPartner, agent: Agent, answer: tuple[int, dict[str, object]]
) -> None:
    """A list without it, and then no answer that says what became of it."""
    claim_id = run_one(portal, agent)
    agent.kill()
    portal.ended.add(claim_id)
    consumed = len(portal.said("/consume"))
    portal.before = lambda method, path: answer if path.endswith("/consume") else None
    agent.start()
    portal.wait(lambda: len(portal.said("/consume")) > consumed)
    time.sleep(0.7)
    assert processes_of(claim_id)


def test_a_list_that_lacks_a_consumed_claim_takes_nothing_away(portal: PortalPartner, agent: Agent) -> None:
    claim_id = run_one(portal, agent)
    agent.kill()
    portal.ended.add(claim_id)
    consumed = len(portal.said("/consume"))
    agent.start()
    portal.wait(lambda: len(portal.said("/consume")) > consumed)
    time.sleep(0.5)
    assert processes_of(claim_id)
    assert agent.record(claim_id)["state"] == "active"


def test_active_between_the_list_and_its_arrival_is_no_finding(portal: PortalPartner, agent: Agent) -> None:
    """The list is made before the instance is there, and read after."""
    claims: list[str] = []

    def meanwhile(method: str, path: str) -> None:
        if path.endswith("/instances") and not claims:
            claims.append(portal.claim(agent.provider))
            with portal.unlocked():
                portal.wait(lambda: agent.path(claims[0]).exists() and agent.record(claims[0])["state"] == "active")

    portal.after = meanwhile
    agent.start()
    portal.wait(lambda: claims and agent.path(claims[0]).exists() and agent.record(claims[0])["state"] == "active")
    time.sleep(0.7)
    assert processes_of(claims[0])
    assert len(portal.said(f"{claims[0]}/consume")) == 1, "it was not even asked for"


def test_what_the_portal_shows_and_nobody_runs_is_said_to_be_gone(portal: PortalPartner, agent: Agent) -> None:
    """And with it the rest of its request here, because `destroyed` names the request."""
    request = str(uuid.uuid4())
    sibling, other = run_one(portal, agent, request=request), run_one(portal, agent)
    lost = portal.claim(agent.provider, request=request, state="consumed")
    agent.kill()
    alive: list[object] = []
    portal.after = lambda method, path: alive.extend(processes_of(sibling)) if path.endswith("/destroyed") else None
    agent.start()
    portal.wait(lambda: portal.said(f"{request}/destroyed"))
    assert portal.said(f"{request}/destroyed")[0] == {"reason": "ended while the agent was away"}
    assert not alive
    assert processes_of(other)
    (line,) = [one for one in agent.log.read_text().splitlines() if "has no record of: looking for it" in one]
    assert lost in line


def test_what_runs_without_a_record_is_taken_up_again(portal: PortalPartner, agent: Agent) -> None:
    """A state directory that was lost, and an instance that was not."""
    claim_id = run_one(portal, agent)
    (process,) = processes_of(claim_id)
    agent.kill()
    agent.path(claim_id).unlink()
    agent.start()
    portal.wait(lambda: "adopted" in agent.log.read_text())
    assert agent.record(claim_id)["state"] == "active"
    assert [one.pid for one in processes_of(claim_id)] == [process.pid]
    assert not portal.said("/destroyed")
    portal.order_destroy(claim_id)
    portal.wait(lambda: portal.said("/destroyed"))
    assert not processes_of(claim_id)


def lose_all_records(portal: PortalPartner, agent: Agent) -> str:
    """Something runs on, and neither its host nor the portal has a record of it."""
    claim_id = run_one(portal, agent)
    agent.kill()
    agent.path(claim_id).unlink()
    del portal.claims[claim_id]
    return claim_id


def test_what_nobody_knows_of_is_taken_away(portal: PortalPartner, agent: Agent) -> None:
    claim_id, stays = lose_all_records(portal, agent), portal.claim(agent.provider)
    agent.start()
    portal.wait(lambda: not processes_of(claim_id))
    (line,) = [one for one in agent.log.read_text().splitlines() if "nobody knows of: taking it away" in one]
    assert claim_id in line
    portal.wait(lambda: not agent.path(claim_id).exists())
    portal.wait(lambda: agent.path(stays).exists() and agent.record(stays)["state"] == "active")
    assert not portal.said("/destroyed"), "there is nobody to tell"


@pytest.mark.parametrize("answer", [problem(503, "unavailable"), (404, {"error": "proxy"}), problem(409, "conflict")])
def test_nor_is_that_taken_away_but_on_the_portals_word(
    portal: PortalPartner, agent: Agent, answer: tuple[int, dict[str, object]]
) -> None:
    claim_id = lose_all_records(portal, agent)
    portal.before = lambda method, path: answer if path.endswith(f"{claim_id}/consume") else None
    asked = len(portal.said(f"{claim_id}/consume"))
    agent.start()
    portal.wait(lambda: len(portal.said(f"{claim_id}/consume")) > asked)
    time.sleep(0.7)
    assert processes_of(claim_id)


def test_what_runs_for_another_host_of_this_machine_is_not_looked_at(portal: PortalPartner, agent: Agent) -> None:
    claim_id = lose_all_records(portal, agent)
    agent.provider = str(uuid.uuid4())
    agent.configure(portal)
    before = looks(portal)
    agent.start()
    portal.wait(lambda: looks(portal) > before)
    time.sleep(2.5)
    assert processes_of(claim_id)
    assert not [path for _, path, _ in portal.calls if path.endswith(f"{claim_id}/consume")][1:]


def test_what_is_to_be_destroyed_is_no_finding(portal: PortalPartner, agent: Agent) -> None:
    claim_id = portal.claim(agent.provider, state="consumed")
    portal.order_destroy(claim_id)
    assert agent.start("--once").wait(15) == 0
    assert portal.said("/destroyed") == [{}]
    assert "looking for it" not in agent.log.read_text()


def test_once_compares_too(portal: PortalPartner, agent: Agent) -> None:
    claim_id = run_one(portal, agent)
    agent.kill()
    portal.forget(claim_id)
    assert agent.start("--once").wait(15) == 0
    assert not processes_of(claim_id)


def test_every_interval_and_page_by_page(portal: PortalPartner, agent: Agent) -> None:
    portal.page_size = 2
    agent.configure(portal, builder="noop", reconcile_interval=0.3)
    claims = [run_one(portal, agent) for _ in range(5)]
    before = looks(portal)
    portal.wait(lambda: looks(portal) > before + 6)
    portal.forget(claims[0])
    portal.wait(lambda: not agent.path(claims[0]).exists())
    assert all(agent.path(claim_id).exists() for claim_id in claims[1:])
    assert all(len(portal.said(f"{claim_id}/consume")) == 1 for claim_id in claims[1:])


def test_a_silence_longer_than_the_heartbeats_time_to_live(portal: PortalPartner, agent: Agent) -> None:
    portal.ttl, portal.interval = 1.0, 0.2
    agent.configure(portal, builder="noop")
    claim_id = run_one(portal, agent)
    portal.wait(lambda: looks(portal) == 1)
    portal.stop()
    time.sleep(1.5)
    back = PortalPartner(portal.port, interval=0.2)
    try:
        back.ttl, back.claims = 1.0, portal.claims
        back.forget(claim_id)
        back.wait(lambda: not agent.path(claim_id).exists())
        assert looks(back) == 1
    finally:
        back.stop()


def test_a_portal_that_cannot_say_is_left_alone(portal: PortalPartner, agent: Agent) -> None:
    """One of before 1.2 refuses the version."""
    agent.configure(portal, builder="noop", reconcile_interval=0.3)
    old = problem(406, "version_unsupported")
    portal.before = lambda method, path: old if path.endswith("/instances") else None
    claim_id = run_one(portal, agent)
    portal.wait(lambda: looks(portal) > 3)
    assert agent.path(claim_id).exists()
    assert agent.log.read_text().count("the portal cannot say what runs here") == 1

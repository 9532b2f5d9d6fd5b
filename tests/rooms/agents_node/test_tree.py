"""The agent of a tree's root: it builds what was claimed on the children as well."""

from __future__ import annotations

import uuid

import pytest

from tests.rooms.agents_node.cast import Agent, processes_of
from tests.rooms.agents_node.portal_partner import PortalPartner


@pytest.fixture
def child(portal: PortalPartner, agent: Agent) -> str:
    made = str(uuid.uuid4())
    portal.parents[made] = agent.provider
    return made


def test_a_claim_on_a_child_lives_and_survives_its_agent(portal: PortalPartner, agent: Agent, child: str) -> None:
    claim_id = portal.claim(child)
    agent.start()
    portal.wait(lambda: portal.state(claim_id) == "consumed")
    (process,) = processes_of(claim_id)
    assert process.environ()["SCHED_PROVIDER_ID"] == child
    portal.wait(lambda: agent.record(claim_id)["state"] == "active")
    agent.kill()
    agent.start()
    portal.wait(lambda: "adopted" in agent.log.read_text())
    assert [one.pid for one in processes_of(claim_id)] == [process.pid]
    portal.order_destroy(claim_id)
    portal.wait(lambda: not portal.destroy)
    assert not processes_of(claim_id)
    assert "corrupt" not in " ".join(path.name for path in agent.path(claim_id).parent.iterdir())


def test_a_request_on_a_host_and_its_child_is_built_twice_and_ends_as_one(
    portal: PortalPartner, agent: Agent, child: str
) -> None:
    request = str(uuid.uuid4())
    claims = [portal.claim(agent.provider, request=request), portal.claim(child, request=request)]
    agent.start()
    portal.wait(lambda: all(portal.state(one) == "consumed" for one in claims))
    portal.wait(lambda: all(agent.record(one)["state"] == "active" for one in claims))
    portal.order_destroy(claims[0])  # `destroyed` names the request: the child's must not be left running
    portal.wait(lambda: portal.said(f"{request}/destroyed"))
    assert [processes_of(one) for one in claims] == [[], []]


def test_a_childs_build_that_fails_is_said(portal: PortalPartner, agent: Agent, child: str) -> None:
    claim_id = portal.claim(child, "broken")
    agent.start()
    portal.wait(lambda: portal.said(f"{claim_id}/failed"))
    assert "no such disk" in portal.said(f"{claim_id}/failed")[0]["reason"]


def test_a_record_of_before_there_were_children_is_read(portal: PortalPartner, agent: Agent) -> None:
    claim_id = portal.claim(agent.provider)
    agent.start()
    portal.wait(lambda: portal.state(claim_id) == "consumed")
    portal.wait(lambda: agent.record(claim_id)["state"] == "active")
    agent.kill()
    path = agent.path(claim_id)
    text = path.read_text()
    path.write_text(text.replace(f'"host": "{agent.provider}", ', ""))
    assert path.read_text() != text
    agent.start()
    portal.wait(lambda: "adopted" in agent.log.read_text())

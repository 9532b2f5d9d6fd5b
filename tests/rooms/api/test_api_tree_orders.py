"""The orders of a provider tree: they go to one agent, the root's."""

from uuid import UUID

import pytest

from api import tokens
from tests.rooms.api.cast import request_for


@pytest.fixture
def tree(new_host):
    """A host too small to sell anything, a child whose claims an agent builds, and one whose claims nobody does."""
    root = new_host(amounts={"vcpus": 1})
    children = [new_host(parent=root["id"], heartbeat=mode) for mode in ("agent", "none")]
    return root, *children


@pytest.fixture
def place(operator, admin, cell_of_api):
    """Claims on a provider, which is the only one that sells meanwhile."""

    def on(provider, *others):
        for other in others:
            now = admin.get(f"/api/providers/{other['id']}").body
            change = {"state_version": now["state_version"], "state": "draining"}
            assert admin.patch(f"/api/providers/{other['id']}", change).status == 200
        answer = operator.post("/api/schedule", request_for(cell_of_api))
        assert answer.status == 201, answer
        assert answer.body["claims"][0]["provider"] == provider["id"]
        return answer.body["claims"][0]

    return on


def orders(agent, provider):
    page = agent.get(f"/api/providers/{provider['id']}/claims").body
    return [one["id"] for one in page["results"]], [one["claim_id"] for one in page["destroy"]]


def test_the_roots_agent_builds_and_destroys_on_its_child(tree, place, agent_of, viewer, operator):
    root, child, external = tree
    claim = place(child, external)
    agent, childs = agent_of(root), agent_of(child)
    assert orders(agent, root) == ([claim["id"]], [])
    assert orders(childs, child) == ([], []), "or both would build it"
    assert orders(viewer, root) == ([], []), "for people, what is on the provider itself"
    assert orders(viewer, child) == ([claim["id"]], [])
    assert agent.post(f"/api/claims/{claim['id']}/building").status == 200
    assert agent.post(f"/api/claims/{claim['id']}/consume").body["state"] == "active"
    assert operator.delete(f"/api/requests/{claim['request_id']}").status == 202
    assert orders(agent, root) == ([], [claim["id"]])
    assert agent.post(f"/api/requests/{claim['request_id']}/destroyed").body["state"] == "released"
    assert viewer.get(f"/api/providers/{child['id']}").body["available"]["vcpus"] == 8


def test_a_childs_failure_is_the_roots_agents_word(tree, place, agent_of, viewer):
    root, child, external = tree
    claim = place(child, external)
    agent = agent_of(root)
    assert agent.post(f"/api/claims/{claim['id']}/building").status == 200
    assert agent.post(f"/api/claims/{claim['id']}/failed", {"reason": "no slot"}).body["state"] == "failed"
    assert orders(agent, root) == ([], [])
    assert viewer.get(f"/api/providers/{child['id']}").body["available"]["vcpus"] == 8


def test_a_claim_that_waits_for_no_agent_is_no_order(tree, place, agent_of):
    root, child, external = tree
    claim = place(external, child)
    assert orders(agent_of(root), root) == ([], [])
    assert claim["state"] == "claimed"


def test_a_child_has_its_own_agent_where_the_root_has_none(tree, place, agent_of, admin):
    root, child, external = tree
    claim = place(child, external)
    childs, roots = agent_of(child), agent_of(root)
    assert orders(childs, child) == ([], [])
    tokens.revoke(provider_id=UUID(root["id"]))
    assert orders(childs, child) == ([claim["id"]], [])
    assert roots.get(f"/api/providers/{root['id']}/claims").status == 401
    assert childs.get(f"/api/providers/{root['id']}/claims").code == "forbidden"

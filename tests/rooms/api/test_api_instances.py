"""What a provider's agent should be running, since 1.2."""

from dataclasses import replace

import pytest

from tests.rooms.api.cast import request_for


@pytest.fixture
def run_on(operator, agent_of, cell_of_api):
    """An active request on the only host there is; its claim."""

    def make(agent, **changes):
        answer = operator.post("/api/schedule", request_for(cell_of_api, **changes))
        assert answer.status == 201, answer
        (claim,) = answer.body["claims"]
        assert agent.post(f"/api/claims/{claim['id']}/consume").status == 200
        return claim

    return make


def new(caller):
    return replace(caller, version="1.2")


def test_an_agent_sees_what_it_should_be_running(new_host, agent_of, run_on, operator, viewer):
    host = new_host()
    agent = agent_of(host)
    path = f"/api/providers/{host['id']}/instances"
    assert new(agent).get(path).body == {"results": [], "next": None}
    claim = run_on(agent, instance={"name": "web-1", "image": "sleep"})
    (one,) = new(agent).get(path).body["results"]
    assert one == {
        "claim_id": claim["id"],
        "request_id": claim["request_id"],
        "provider": host["id"],
        "consumer": "someone",
        "project": "a-project",
        "amounts": {"vcpus": 2, "memory_mb": 1024},
        "instance": {"name": "web-1", "image": "sleep"},
        "state": "active",
    }
    assert new(viewer).get(path).body["results"] == [one]
    operator.delete(f"/api/requests/{claim['request_id']}")
    assert [one["state"] for one in new(agent).get(path).body["results"]] == ["destroying"]
    agent.post(f"/api/requests/{claim['request_id']}/destroyed")
    assert new(agent).get(path).body["results"] == []


def test_claims_in_flight_are_none(new_host, agent_of, operator, cell_of_api):
    host = new_host()
    assert operator.post("/api/schedule", request_for(cell_of_api)).status == 201
    assert new(agent_of(host)).get(f"/api/providers/{host['id']}/instances").body["results"] == []


def test_page_by_page(new_host, agent_of, run_on):
    host = new_host()
    agent = agent_of(host)
    made = {run_on(agent)["id"] for _ in range(4)}
    path = f"/api/providers/{host['id']}/instances"
    found = new(agent).all(f"{path}?limit=3")
    assert [one["claim_id"] for one in found] == sorted(made)
    assert new(agent).get(f"{path}?next=garbled").fields == {"next"}
    assert new(agent).get(f"{path}?limit=0").fields == {"limit"}
    assert new(agent).get(f"{path}?state=active").fields == {"state"}


def test_before_1_2_there_is_no_such_route(new_host, agent_of):
    host = new_host()
    agent = agent_of(host)
    for version in ("", "1.0", "1.1"):
        assert replace(agent, version=version).get(f"/api/providers/{host['id']}/instances").status == 404


def test_an_agent_sees_its_own_tree_alone(new_host, agent_of, run_on, viewer, callers):
    root = new_host(amounts={"vcpus": 1})
    child = new_host(parent=root["id"])
    agent = agent_of(root)
    claim = run_on(agent)

    def running(caller, provider):
        return [
            one["claim_id"] for one in new(caller).get(f"/api/providers/{provider['id']}/instances").body["results"]
        ]

    assert claim["provider"] == child["id"]
    assert running(agent, root) == [claim["id"]]
    assert running(viewer, root) == [], "for people, what is on the provider itself"
    assert running(viewer, child) == [claim["id"]]
    assert new(agent).get(f"/api/providers/{child['id']}/instances").code == "forbidden"
    assert new(callers["stranger"]).get(f"/api/providers/{root['id']}/instances").code == "forbidden"
    assert new(viewer).get("/api/providers/no-uuid/instances").code == "not_found"
    childs = agent_of(child)
    assert running(childs, child) == [claim["id"]]
    assert running(agent, root) == [], "a child with an agent of its own may run what the root's knows nothing of"

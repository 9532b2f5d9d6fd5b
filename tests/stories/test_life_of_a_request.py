"""The contract as stories: what a program, a host's agent and an operator live through together."""

from uuid import uuid4

from tests.rooms.api.cast import request_for


def vcpus(caller, host):
    """What is available, and the host's own record."""
    now = caller.get(f"/api/providers/{host['id']}").body
    return now["available"]["vcpus"], now["amounts"]["vcpus"]


def test_from_a_request_to_an_instance_and_back(operator, viewer, new_host, agent_of, cell_of_api):
    host = new_host()
    agent = agent_of(host)

    # A program asks, and has its claim when the answer comes.
    answer = operator.post("/api/schedule", request_for(cell_of_api, instance={"name": "web-1", "image": "sleep"}))
    request, (claim,) = f"/api/requests/{answer.body['request_id']}", answer.body["claims"]
    assert answer.status == 201
    assert vcpus(viewer, host) == (6, 8)

    # The host's agent finds it, says that it builds, and that it has built.
    (order,) = agent.get(f"/api/providers/{host['id']}/claims").body["results"]
    assert order["instance"]["image"] == "sleep"
    agent.post(f"/api/claims/{order['id']}/building")
    assert viewer.get(request).body["state"] == "building"
    agent.post(f"/api/claims/{order['id']}/consume")

    # The claim is gone from every list, the host's own record has it, and what is available did not move.
    assert viewer.get(request).body["state"] == "active"
    assert viewer.all(f"/api/claims?cell={cell_of_api}") == []
    assert agent.get(f"/api/providers/{host['id']}/claims").body["results"] == []
    assert viewer.get(f"/api/claims/{claim['id']}").code == "not_found"
    assert vcpus(viewer, host) == (6, 6)

    # It is deleted: the agent is told, and when it says so the amounts are back.
    assert operator.delete(request).status == 202
    assert viewer.get(request).body["state"] == "releasing"
    assert vcpus(viewer, host) == (6, 6)
    (order,) = agent.get(f"/api/providers/{host['id']}/claims").body["destroy"]
    agent.post(f"/api/requests/{order['request_id']}/destroyed")
    assert viewer.get(request).body["state"] == "released"
    assert vcpus(viewer, host) == (8, 8)


def test_a_program_that_lost_the_answer_asks_again(operator, viewer, new_host, agent_of, cell_of_api):
    host = new_host()
    body = request_for(cell_of_api, request_id=str(uuid4()))
    first = operator.post("/api/schedule", body)
    again = operator.post("/api/schedule", body)
    assert (first.status, again.status) == (201, 200)
    assert again.body["claims"] == first.body["claims"]

    # Also long after: the claim was consumed meanwhile, and the answer is still the first one.
    agent_of(host).post(f"/api/claims/{first.body['claims'][0]['id']}/consume")
    late = operator.post("/api/schedule", body)
    assert late.status == 200
    assert [claim["id"] for claim in late.body["claims"]] == [claim["id"] for claim in first.body["claims"]]
    assert vcpus(viewer, host) == (6, 6)


def test_no_room_is_explained_and_a_release_makes_room(operator, new_host, cell_of_api):
    host = new_host()
    six = [{"resource_class": "compute", "amounts": {"vcpus": 6}}]
    first = operator.post("/api/schedule", request_for(cell_of_api, resources=six))
    refused = operator.post("/api/schedule", request_for(cell_of_api, resources=six))
    assert refused.code == "no_valid_host"
    assert refused.body["explain"]["nearest"] == [
        {"provider": host["id"], "name": host["name"], "short_by": {"vcpus": 4}}
    ]
    assert operator.delete(f"/api/claims/{first.body['claims'][0]['id']}").status == 204
    assert operator.post("/api/schedule", request_for(cell_of_api, resources=six)).status == 201


def test_a_host_is_drained(operator, viewer, new_host, agent_of, cell_of_api):
    old, fresh = new_host(), None
    placed = operator.post("/api/schedule", request_for(cell_of_api))
    drain = {"state_version": old["state_version"], "state": "draining", "state_reason": "a fan is broken"}
    assert operator.patch(f"/api/providers/{old['id']}", drain).status == 200

    # Nothing new comes to it, and nothing is moved: what was claimed is built.
    assert operator.post("/api/schedule", request_for(cell_of_api)).code == "no_valid_host"
    agent_of(old).post(f"/api/claims/{placed.body['claims'][0]['id']}/consume")
    assert viewer.get(f"/api/requests/{placed.body['request_id']}").body["state"] == "active"
    fresh = new_host()
    moved = operator.post("/api/schedule", request_for(cell_of_api))
    assert moved.body["claims"][0]["provider"] == fresh["id"]


def test_a_busy_host_can_always_be_edited(operator, admin, new_host, cell_of_api):
    host = new_host()
    for _ in range(3):
        operator.post("/api/schedule", request_for(cell_of_api))
    change = {"state_version": host["state_version"], "traits": ["SSD"]}  # as it was before the claims
    assert admin.patch(f"/api/providers/{host['id']}", change).status == 200


def test_a_host_that_fails_to_build_gives_everything_back(operator, viewer, new_host, agent_of, cell_of_api):
    host = new_host()
    placed = operator.post("/api/schedule", request_for(cell_of_api, count=2)).body
    first, second = placed["claims"]
    agent = agent_of(host)
    agent.post(f"/api/claims/{first['id']}/failed", {"reason": "no such image"})
    life = viewer.get(f"/api/requests/{placed['request_id']}").body
    assert life["state"] in ("releasing", "failed")
    assert "no such image" in life["reason"]
    assert agent.post(f"/api/claims/{second['id']}/consume").body["claim_state"] == "released"


def test_a_host_that_shrank_gets_nothing_more(operator, viewer, new_host, agent_of, cell_of_api):
    host = new_host()
    operator.post("/api/schedule", request_for(cell_of_api, count=3))
    agent_of(host).post(f"/api/providers/{host['id']}/report", {"totals": {"vcpus": 4}})
    assert vcpus(viewer, host) == (-2, 4)
    assert operator.post("/api/schedule", request_for(cell_of_api)).code == "no_valid_host"


def test_a_dead_host_is_given_up_by_an_admin(operator, admin, viewer, new_host, agent_of, cell_of_api):
    host = new_host()
    placed = operator.post("/api/schedule", request_for(cell_of_api)).body
    agent_of(host).post(f"/api/claims/{placed['claims'][0]['id']}/consume")
    request = f"/api/requests/{placed['request_id']}"
    assert operator.delete(request).status == 202  # and its agent never answers
    assert operator.delete(f"{request}?force=true").code == "forbidden"
    assert admin.delete(f"{request}?force=true&reason=burned%20down").status == 204
    assert vcpus(viewer, host) == (8, 8)
    assert admin.delete(f"/api/providers/{host['id']}").status == 204


def test_a_provider_in_use_is_not_deleted(operator, admin, new_host, agent_of, cell_of_api):
    host = new_host()
    placed = operator.post("/api/schedule", request_for(cell_of_api)).body
    path = f"/api/providers/{host['id']}"
    assert admin.delete(path).code == "conflict"
    agent_of(host).post(f"/api/claims/{placed['claims'][0]['id']}/consume")
    assert admin.delete(path).code == "conflict"


def test_a_volume_without_an_agent_follows_its_request(operator, viewer, new_host, agent_of, cell_of_api):
    host = new_host()
    pool = new_host(resource_class="block_storage", amounts={"capacity_gb": 1000}, heartbeat="none")
    resources = [
        {"resource_class": "compute", "amounts": {"vcpus": 1}},
        {"resource_class": "block_storage", "amounts": {"capacity_gb": 10}},
    ]
    placed = operator.post("/api/schedule", request_for(cell_of_api, resources=resources)).body
    claims = {claim["provider"]: claim for claim in placed["claims"]}
    agent_of(host).post(f"/api/claims/{claims[host['id']]['id']}/consume")
    assert viewer.get(f"/api/claims/{claims[pool['id']]['id']}").body["state"] == "active"
    assert viewer.get(f"/api/requests/{placed['request_id']}").body["state"] == "active"
    operator.delete(f"/api/requests/{placed['request_id']}")
    agent_of(host).post(f"/api/requests/{placed['request_id']}/destroyed")
    assert viewer.get(f"/api/requests/{placed['request_id']}").body["state"] == "released"
    assert viewer.get(f"/api/providers/{pool['id']}").body["available"]["capacity_gb"] == 1000

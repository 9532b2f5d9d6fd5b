"""Claims, requests, and what agents say of them, over HTTP."""

from uuid import UUID, uuid4

import pytest

from api import tokens
from api.models import Token
from tests.rooms.api.cast import request_for
from tests.rooms.api.portal import Portal


@pytest.fixture
def claimed(operator, new_host, cell_of_api):
    """A host, and a claim on it."""
    host = new_host()
    answer = operator.post("/api/schedule", request_for(cell_of_api, instance={"name": "web", "image": "sleep"}))
    assert answer.status == 201
    return host, answer.body["claims"][0]


def test_an_agent_sees_its_orders_and_builds(agent_of, claimed, viewer):
    host, claim = claimed
    agent = agent_of(host)
    orders = agent.get(f"/api/providers/{host['id']}/claims").body
    assert [order["id"] for order in orders["results"]] == [claim["id"]]
    assert orders["results"][0]["instance"] == {"name": "web", "image": "sleep"}
    assert (orders["results"][0]["release_requested"], orders["destroy"]) == (False, [])
    began = agent.post(f"/api/claims/{claim['id']}/building")
    assert (began.status, began.body["state"]) == (200, "building")
    assert agent.post(f"/api/claims/{claim['id']}/building").status == 200  # twice is once
    assert viewer.get(f"/api/requests/{claim['request_id']}").body["state"] == "building"
    built = agent.post(f"/api/claims/{claim['id']}/consume")
    assert built.body == {"claim": claim["id"], "request_id": claim["request_id"], "state": "active"}
    again = agent.post(f"/api/claims/{claim['id']}/consume")
    assert (again.code, again.body["claim_state"]) == ("conflict", "consumed")
    assert viewer.get(f"/api/claims/{claim['id']}").code == "not_found"
    now = viewer.get(f"/api/providers/{host['id']}").body
    assert now["amounts"]["vcpus"] == now["available"]["vcpus"] == 6
    assert (now["claims"], now["instances"]) == (0, 1)


def test_an_agent_that_could_not_build_says_why(agent_of, claimed, viewer):
    host, claim = claimed
    agent = agent_of(host)
    assert agent.post(f"/api/claims/{claim['id']}/failed", {}).fields == {"reason"}
    failed = agent.post(f"/api/claims/{claim['id']}/failed", {"reason": "no image\nsleep\u0000"})
    assert (failed.status, failed.body["state"]) == (200, "failed")
    life = viewer.get(f"/api/requests/{claim['request_id']}").body
    assert life["state"] == "failed"
    assert "no image sleep" in life["reason"]
    assert viewer.get(f"/api/providers/{host['id']}").body["available"]["vcpus"] == 8
    assert agent.post(f"/api/claims/{claim['id']}/consume").body["claim_state"] == "released"


def test_an_agent_speaks_for_its_own_provider_only(agent_of, claimed, new_host, viewer):
    host, claim = claimed
    stranger = agent_of(new_host())
    for method, path in (
        ("GET", f"/api/providers/{host['id']}/claims"),
        ("POST", f"/api/providers/{host['id']}/heartbeat"),
        ("POST", f"/api/providers/{host['id']}/report"),
    ):
        assert stranger.call(method, path, {}).code == "forbidden", path
    for path in ("building", "consume"):
        assert stranger.post(f"/api/claims/{claim['id']}/{path}").code == "not_found"
    assert stranger.post(f"/api/claims/{claim['id']}/failed", {"reason": "x"}).code == "not_found"
    assert stranger.post(f"/api/requests/{claim['request_id']}/destroyed").code == "not_found"
    assert viewer.get(f"/api/claims/{claim['id']}").body["state"] == "claimed"


def test_a_claim_is_released(operator, viewer, claimed, agent_of):
    host, claim = claimed
    assert operator.delete(f"/api/claims/{claim['id']}").status == 204
    assert viewer.get(f"/api/providers/{host['id']}").body["available"]["vcpus"] == 8
    assert viewer.get(f"/api/requests/{claim['request_id']}").body["state"] == "released"
    assert viewer.get(f"/api/claims/{claim['id']}").code == "not_found"
    assert operator.delete(f"/api/claims/{claim['id']}").code == "not_found"
    assert agent_of(host).post(f"/api/claims/{claim['id']}/building").body["claim_state"] == "released"


def test_a_claim_that_is_being_built_waits_for_its_host(operator, viewer, claimed, agent_of):
    host, claim = claimed
    agent = agent_of(host)
    agent.post(f"/api/claims/{claim['id']}/building")
    asked = operator.delete(f"/api/claims/{claim['id']}")
    assert (asked.status, asked.body) == (202, {"id": claim["id"], "release_requested": True})
    assert viewer.get(f"/api/providers/{host['id']}").body["available"]["vcpus"] == 6
    (order,) = agent.get(f"/api/providers/{host['id']}/claims").body["results"]
    assert order["release_requested"] is True
    assert agent.post(f"/api/claims/{claim['id']}/failed", {"reason": "released"}).body["state"] == "released"
    assert viewer.get(f"/api/providers/{host['id']}").body["available"]["vcpus"] == 8


def test_a_consumed_claim_is_not_released(operator, admin, claimed):
    _, claim = claimed
    admin.post(f"/api/claims/{claim['id']}/building")
    admin.post(f"/api/claims/{claim['id']}/consume")
    assert operator.delete(f"/api/claims/{claim['id']}").code == "conflict"


def test_an_instance_is_destroyed_by_its_agent(operator, viewer, claimed, agent_of):
    host, claim = claimed
    agent, path = agent_of(host), f"/api/requests/{claim['request_id']}"
    assert agent.post(f"{path}/destroyed").code == "conflict"  # it was not even built
    agent.post(f"/api/claims/{claim['id']}/consume")
    going = operator.delete(path)
    assert (going.status, going.body["state"]) == (202, "releasing")
    orders = agent.get(f"/api/providers/{host['id']}/claims").body
    assert orders["results"] == []
    (order,) = orders["destroy"]
    assert (order["claim_id"], order["amounts"]) == (claim["id"], {"vcpus": 2, "memory_mb": 1024})
    assert order["instance"] == {"name": "web", "image": "sleep"}
    assert agent.post(f"{path}/destroyed").body["state"] == "released"
    assert agent.post(f"{path}/destroyed").status == 200  # twice is once
    assert viewer.get(f"/api/providers/{host['id']}").body["amounts"]["vcpus"] == 8
    assert operator.delete(path).status == 204


def test_only_an_admin_forces(operator, admin, viewer, claimed, agent_of):
    host, claim = claimed
    agent_of(host).post(f"/api/claims/{claim['id']}/consume")
    path = f"/api/requests/{claim['request_id']}"
    assert operator.delete(f"{path}?force=true").code == "forbidden"
    assert operator.delete(f"{path}?force=perhaps").fields == {"force"}
    assert admin.delete(f"{path}?force=true&reason=the%20host%20burned").status == 204
    life = viewer.get(path).body
    assert (life["state"], life["reason"]) == ("released", "the host burned")
    assert viewer.get(f"/api/providers/{host['id']}").body["available"]["vcpus"] == 8


def test_an_instance_that_dies_ends_its_request(viewer, claimed, agent_of):
    host, claim = claimed
    agent = agent_of(host)
    agent.post(f"/api/claims/{claim['id']}/consume")
    gone = agent.post(f"/api/requests/{claim['request_id']}/destroyed", {"reason": "out of memory"})
    assert (gone.status, gone.body["state"]) == (200, "failed")
    assert viewer.get(f"/api/requests/{claim['request_id']}").body["reason"] == "out of memory"


def test_a_report_states_totals(agent_of, new_host, viewer):
    host = new_host()
    agent, path = agent_of(host), f"/api/providers/{host['id']}/report"
    said = agent.post(path, {"totals": {"vcpus": 4}, "properties": {"cpu_arch": "aarch64"}, "traits": ["SSD"]})
    assert said.status == 200
    assert (said.body["available"]["vcpus"], said.body["traits"]) == (4, ["SSD"])
    assert agent.post(path, {"inventory": {"vcpus": {"total": 6}}}).body["available"]["vcpus"] == 6
    unchanged = agent.post(path, {})
    assert unchanged.body == viewer.get(f"/api/providers/{host['id']}").body
    assert unchanged.body["inventory"]["memory_mb"]["total"] == 8192
    for bad, field in (
        ({"totals": {"vcpus": -1}}, "totals.vcpus"),
        ({"totals": {"gpus": 1}}, "totals.gpus"),
        ({"inventory": {"vcpus": {"total": 1, "reserved": 1}}}, "inventory.vcpus.reserved"),
        ({"properties": {"colour": "x"}}, "properties.colour"),
        ({"traits": None}, "traits"),
        ({"used": {}}, "used"),
    ):
        assert field in agent.post(path, bad).fields


def test_alive_comes_from_heartbeats(admin, agent_of, cell_of_api, viewer, settings):
    body = {"name": "h", "cell": cell_of_api, "resource_class": "compute", "amounts": {"vcpus": 1}}
    host = admin.post("/api/providers", body).body
    assert host["alive"] is False
    beat = agent_of(host).post(f"/api/providers/{host['id']}/heartbeat")
    assert beat.body == {"alive": True, "ttl": settings.HEARTBEAT_TTL, "interval": settings.HEARTBEAT_INTERVAL}
    assert viewer.get(f"/api/providers/{host['id']}").body["alive"] is True
    assert admin.post(f"/api/providers/{uuid4()}/heartbeat").code == "not_found"


def test_claims_are_listed_and_narrowed(operator, viewer, new_host, cell_of_api):
    hosts = [new_host(), new_host()]
    for index in range(4):
        operator.post("/api/schedule", request_for(cell_of_api, consumer=f"c{index}"))
    base = f"/api/claims?cell={cell_of_api}"
    everything = viewer.all(f"{base}&limit=1")
    assert len({claim["id"] for claim in everything}) == 4
    assert {c["consumer"] for c in viewer.all(f"{base}&consumer=c1")} == {"c1"}
    assert len(viewer.all(f"{base}&state=claimed")) == 4
    assert viewer.all(f"{base}&state=building") == []
    on = [len(viewer.all(f"{base}&provider={host['id']}&limit=1")) for host in hosts]
    assert sum(on) == 4
    assert viewer.all(f"{base}&older_than=3600") == []
    assert len(viewer.all(f"{base}&older_than=2100-01-01T00:00:00Z")) == 4
    for query, field in (("state=gone", "state"), ("provider=x", "provider"), ("older_than=long", "older_than"),
                         ("next=x", "next"), ("older_than=99999999999999999", "older_than"),
                         ("older_than=2026-13-01T00:00:00", "older_than")):  # fmt: skip
        answer = viewer.get(f"/api/claims?{query}")
        assert (answer.status, answer.fields) == (400, {field}), query


def test_an_agent_gets_its_orders_in_pages(operator, agent_of, new_host, cell_of_api):
    host = new_host()
    for _ in range(3):
        operator.post("/api/schedule", request_for(cell_of_api))
    agent, path = agent_of(host), f"/api/providers/{host['id']}/claims"
    assert len({order["id"] for order in agent.all(f"{path}?limit=1")}) == 3
    assert agent.get(f"{path}?next=x").fields == {"next"}
    assert agent.get(f"{path}?cell=x").fields == {"cell"}


def test_requests_are_listed_newest_first(operator, viewer, new_host, cell_of_api):
    new_host()
    bodies = [request_for(cell_of_api, consumer=f"c{n}", project=f"p{n % 2}") for n in range(3)]
    ids = [operator.post("/api/schedule", body).body["request_id"] for body in bodies]
    operator.delete(f"/api/requests/{ids[0]}")
    base = f"/api/requests?cell={cell_of_api}"
    assert [one["request_id"] for one in viewer.all(f"{base}&limit=1")] == ids[::-1]
    assert [one["request_id"] for one in viewer.all(f"{base}&project=p1")] == [ids[1]]
    assert [one["request_id"] for one in viewer.all(f"{base}&consumer=c2")] == [ids[2]]
    assert [one["request_id"] for one in viewer.all(f"{base}&state=released")] == [ids[0]]
    for query, field in (("state=gone", "state"), ("next=x", "next"), ("order=name", "order")):
        assert viewer.get(f"/api/requests?{query}").fields == {field}


def test_the_life_of_a_request_tells_its_history(claimed, viewer, agent_of, operator):
    host, claim = claimed
    agent_of(host).post(f"/api/claims/{claim['id']}/consume")
    life = viewer.get(f"/api/requests/{claim['request_id']}").body
    assert [line["state"] for line in life["history"]] == ["scheduling", "claimed", "active"]
    assert life["request"]["instance"] == {"name": "web", "image": "sleep"}
    assert life["requested_by"].startswith("operator-")
    (instance,) = life["instances"]
    assert (instance["provider"], instance["amounts"]) == (host["id"], {"vcpus": 2, "memory_mb": 1024})


def test_capacity_adds_up(viewer, admin, claimed, cell_of_api, new_host):
    _, claim = claimed
    new_host(state="draining")
    admin.post(f"/api/claims/{claim['id']}/consume")
    body = viewer.get(f"/api/capacity?cell={cell_of_api}").body
    vcpus = body["resource_classes"]["compute"]["columns"]["vcpus"]
    assert vcpus == {"total": 16, "capacity": 16, "used": 2, "claimed": 0, "available": 14}
    assert body["hosts"] == {"enabled": 1, "disabled": 0, "draining": 1, "alive": 2, "dead": 0}
    assert viewer.get("/api/capacity?cell=nowhere").fields == {"cell"}
    assert viewer.get("/api/capacity").status == 200


def test_events_are_read_on_from_a_cursor(viewer, operator, new_host, cell_of_api):
    start = viewer.get(f"/api/events?cell={cell_of_api}&after=now").body["next"]
    host = new_host()
    answer = operator.post("/api/schedule", request_for(cell_of_api))
    seen, cursor = [], start
    for _ in range(20):
        page = viewer.get(f"/api/events?cell={cell_of_api}&after={cursor}&limit=1&wait=5").body
        seen += page["results"]
        cursor = page["next"]
        if any(event["type"] == "claim.claimed" for event in seen):
            break
    created = next(event for event in seen if event["type"] == "provider.created")
    assert created["provider"] == created["image"]["id"] == host["id"]
    assert {e["request_id"] for e in seen if e["type"] == "claim.claimed"} == {answer.body["request_id"]}
    assert len({event["id"] for event in seen}) == len(seen)
    for query, field in (("after=x", "after"), ("wait=61", "wait"), ("wait=-1", "wait"), ("limit=0", "limit"),
                         ("cell=nowhere", "cell"), ("next=x", "next")):  # fmt: skip
        assert viewer.get(f"/api/events?{query}").fields == {field}, query


def test_an_event_that_had_not_settled_is_not_skipped(viewer, cell_of_api):
    """The cell's own first event is a moment old: the first page has nothing yet, and its cursor stands before it."""
    page = viewer.get(f"/api/events?cell={cell_of_api}").body
    while not page["results"]:
        page = viewer.get(f"/api/events?cell={cell_of_api}&after={page['next']}&wait=10").body
    assert [event["type"] for event in page["results"]] == ["cell.changed"]


def test_an_admin_acts_in_an_agents_place(admin, claimed, viewer):
    host, claim = claimed
    assert admin.post(f"/api/claims/{claim['id']}/building").status == 200
    assert admin.post(f"/api/claims/{claim['id']}/consume").body["state"] == "active"
    assert admin.post(f"/api/requests/{claim['request_id']}/destroyed").body["state"] == "failed"
    assert viewer.get(f"/api/providers/{host['id']}").body["available"]["vcpus"] == 8


def test_a_claim_without_an_agent_stays_until_it_is_released(operator, viewer, new_host, cell_of_api):
    host = new_host(heartbeat="none")
    claim = operator.post("/api/schedule", request_for(cell_of_api)).body["claims"][0]
    assert (claim["state"], claim["expires_at"]) == ("claimed", None)
    assert operator.delete(f"/api/requests/{claim['request_id']}").status == 204
    assert viewer.get(f"/api/providers/{host['id']}").body["available"]["vcpus"] == 8


def test_one_query_finds_a_tokens_owner(claimed, agent_of, django_assert_max_num_queries):
    host, _ = claimed
    agent = agent_of(host)
    agent.get(f"/api/providers/{host['id']}/claims")  # notes the first use
    with django_assert_max_num_queries(1):
        assert agent.get(f"/api/providers/{host['id']}/claims").status == 200


def test_tokens_are_kept_as_hashes(agent_of, new_host):
    host = new_host()
    token = tokens.issue_for_providers([(UUID(host["id"]), "x")])[UUID(host["id"])]
    assert not Token.objects.filter(digest__contains=token).exists()
    assert Token.objects.get(digest=tokens.digest(token)).last_used_at is None
    Portal(token).post(f"/api/providers/{host['id']}/heartbeat")
    assert Token.objects.get(digest=tokens.digest(token)).last_used_at is not None

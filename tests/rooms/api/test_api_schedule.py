"""`POST /api/schedule`: what is claimed, what is refused, and what a repetition answers."""

from uuid import uuid4

import pytest

from conductor.identify import derive_request_id
from tests.rooms.api.cast import request_for


def test_a_request_is_claimed_on_a_host(operator, viewer, new_host, cell_of_api):
    host = new_host()
    answer = operator.post("/api/schedule", request_for(cell_of_api, instance={"name": "web", "metadata": {"a": [1]}}))
    assert (answer.status, answer.body["state"], answer.body["attempts"]) == (201, "claimed", 1)
    assert answer.headers["Location"] == f"/api/requests/{answer.body['request_id']}"
    (claim,) = answer.body["claims"]
    assert claim["provider"] == host["id"]
    assert claim["amounts"] == {"vcpus": -2, "memory_mb": -1024}
    assert (claim["consumer"], claim["project"], claim["state"]) == ("someone", "a-project", "claimed")
    assert viewer.get(f"/api/claims/{claim['id']}").body == claim
    assert "explain" not in answer.body


def test_several_resources_several_times(operator, new_host, cell_of_api):
    new_host(), new_host(resource_class="block_storage", amounts={"capacity_gb": 1000, "iops": 10})
    resources = [
        {"resource_class": "compute", "amounts": {"vcpus": 1}},
        {"resource_class": "block_storage", "amounts": {"capacity_gb": 100}},
        {"resource_class": "block_storage", "amounts": {"capacity_gb": 50, "iops": 0}},
    ]
    answer = operator.post("/api/schedule", request_for(cell_of_api, resources=resources, count=2))
    assert answer.status == 201, answer
    amounts = sorted(str(claim["amounts"]) for claim in answer.body["claims"])
    assert amounts == sorted(["{'vcpus': -1}", "{'capacity_gb': -100}", "{'capacity_gb': -50}"] * 2)


def test_all_or_nothing_and_its_opposite(operator, viewer, new_host, cell_of_api):
    host = new_host()
    many = request_for(cell_of_api, count=5)
    assert operator.post("/api/schedule", many).code == "no_valid_host"
    assert viewer.get(f"/api/providers/{host['id']}").body["available"]["vcpus"] == 8
    some = operator.post("/api/schedule", {**many, "all_or_nothing": False})
    assert (some.status, len(some.body["claims"])) == (201, 4)


def test_no_valid_host_says_why(operator, viewer, new_host, cell_of_api):
    host = new_host()
    new_host(state="disabled")
    resources = [{"resource_class": "compute", "amounts": {"vcpus": 9}}]
    answer = operator.post("/api/schedule", request_for(cell_of_api, resources=resources))
    assert (answer.status, answer.code) == (409, "no_valid_host")
    explain = answer.body["explain"]
    assert explain["considered"] == 2
    assert {stage["stage"]: stage["removed"] for stage in explain["funnel"]}["state"] == 1
    assert explain["nearest"] == [{"provider": host["id"], "name": host["name"], "short_by": {"vcpus": 1}}]
    life = viewer.get(f"/api/requests/{answer.body['request_id']}").body
    assert (life["state"], life["reason"], life["explain"]) == ("failed", "no_valid_host", explain)


def test_the_same_id_and_body_answer_the_first_outcome(operator, viewer, new_host, cell_of_api):
    host = new_host()
    body = request_for(cell_of_api, request_id=str(uuid4()))
    first, second = operator.post("/api/schedule", body), operator.post("/api/schedule", body)
    reordered = dict(reversed(body.items()))
    third = operator.post("/api/schedule", reordered)
    assert (first.status, second.status, third.status) == (201, 200, 200)
    assert first.body["claims"] == second.body["claims"] == third.body["claims"]
    assert viewer.get(f"/api/providers/{host['id']}").body["available"]["vcpus"] == 6
    other = operator.post("/api/schedule", {**body, "consumer": "somebody else"})
    assert (other.status, other.code) == (409, "idempotency_mismatch")


def test_a_refusal_is_repeated_too(operator, new_host, cell_of_api):
    body = request_for(cell_of_api, request_id=str(uuid4()))
    first = operator.post("/api/schedule", body)
    new_host()
    second = operator.post("/api/schedule", body)
    assert (first.status, second.status) == (409, 409)
    assert first.body["explain"] == second.body["explain"]


def test_an_idempotency_key_stands_for_an_id_per_user(operator, admin, new_host, cell_of_api):
    new_host()
    body = request_for(cell_of_api)
    first = operator.post("/api/schedule", body, Idempotency_Key="order-7")
    again = operator.post("/api/schedule", body, Idempotency_Key="order-7")
    other = admin.post("/api/schedule", body, Idempotency_Key="order-7")
    assert (first.status, again.status, other.status) == (201, 200, 201)
    assert first.body["request_id"] == again.body["request_id"] != other.body["request_id"]


def test_id_and_key_must_not_contradict(operator, new_host, cell_of_api, django_user_model):
    new_host()
    body = request_for(cell_of_api, request_id=str(uuid4()))
    answer = operator.post("/api/schedule", body, Idempotency_Key="k")
    assert (answer.status, answer.fields) == (400, {"request_id"})
    username = django_user_model.objects.get(username__startswith="operator-").username
    body["request_id"] = str(derive_request_id(username, "k"))
    assert operator.post("/api/schedule", body, Idempotency_Key="k").status == 201
    assert operator.post("/api/schedule", body, Idempotency_Key="").status == 400


def test_a_dry_run_ranks_and_writes_nothing(operator, viewer, new_host, cell_of_api):
    hosts = [new_host(), new_host(amounts={"vcpus": 2, "memory_mb": 8192, "disk_gb": 1})]
    new_host(amounts={"vcpus": 1, "memory_mb": 8192, "disk_gb": 1})
    body = request_for(cell_of_api, dry_run=True)
    answer = operator.post("/api/schedule", body)
    assert answer.status == 200
    assert [one["provider"] for one in answer.body["ranked"]] == [host["id"] for host in hosts]
    assert answer.body["ranked"][0]["available"]["vcpus"] == 8
    assert answer.body["explain"]["considered"] == 3
    assert len(operator.post("/api/schedule?limit=1", body).body["ranked"]) == 1
    nothing = operator.post("/api/schedule", request_for(cell_of_api, dry_run=True, count=1, resources=[
        {"resource_class": "network", "amounts": {"bandwidth_mbps": 1}}]))  # fmt: skip
    assert (nothing.status, nothing.body["ranked"]) == (200, [])
    assert viewer.all(f"/api/requests?cell={cell_of_api}") == []
    assert viewer.all(f"/api/claims?cell={cell_of_api}") == []


def test_what_a_host_must_be_is_heard(operator, new_host, cell_of_api):
    arm = new_host(properties={"cpu_arch": "aarch64"}, traits=["SSD"], aggregates=["gold"])
    new_host(properties={"cpu_arch": "x86_64"}, traits=["HDD"])
    for wish in (
        {"properties": {"cpu_arch": "aarch64"}},
        {"required": ["SSD"]},
        {"forbidden": ["HDD"]},
        {"aggregates": ["gold"]},
    ):
        resources = [{"resource_class": "compute", "amounts": {"vcpus": 1}, **wish}]
        answer = operator.post("/api/schedule", request_for(cell_of_api, resources=resources, search="all"))
        assert [claim["provider"] for claim in answer.body["claims"]] == [arm["id"]], wish


def test_explain_comes_when_asked_for(operator, new_host, cell_of_api):
    new_host()
    answer = operator.post("/api/schedule", request_for(cell_of_api, explain=True, weighers={"free_amount": -1}))
    assert (answer.status, answer.body["explain"]["considered"]) == (201, 1)


def test_an_unknown_cell_is_invalid_and_a_disabled_one_has_no_host(operator, admin, new_host, cell_of_api):
    assert operator.post("/api/schedule", request_for("nowhere")).fields == {"cell"}
    new_host()
    admin.patch(f"/api/cells/{cell_of_api}", {"state": "disabled"})
    assert operator.post("/api/schedule", request_for(cell_of_api)).code == "no_valid_host"


COMPUTE = {"resource_class": "compute", "amounts": {"vcpus": 1}}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"consumer": None}, "consumer"),
        ({"consumer": ""}, "consumer"),
        ({"consumer": "x" * 256}, "consumer"),
        ({"consumer": "a\u0007"}, "consumer"),
        ({"consumer": "\ud800"}, "consumer"),
        ({"project": 5}, "project"),
        ({"cell": ["cell1"]}, "cell"),
        ({"resources": []}, "resources"),
        ({"resources": {}}, "resources"),
        ({"resources": [COMPUTE] * 17}, "resources"),
        ({"resources": [5]}, "resources.0"),
        ({"resources": [{"amounts": {"vcpus": 1}}]}, "resources.0.resource_class"),
        ({"resources": [{"resource_class": "compute"}]}, "resources.0.amounts"),
        ({"resources": [{"resource_class": "gold", "amounts": {"vcpus": 1}}]}, "resources.0.resource_class"),
        ({"resources": [{**COMPUTE, "amounts": {}}]}, "resources.0.amounts"),
        ({"resources": [{**COMPUTE, "amounts": {"vcpus": 0}}]}, "resources.0.amounts"),
        ({"resources": [{**COMPUTE, "amounts": {"vcpus": -2}}]}, "resources.0.amounts.vcpus"),
        ({"resources": [{**COMPUTE, "amounts": {"vcpus": True}}]}, "resources.0.amounts.vcpus"),
        ({"resources": [{**COMPUTE, "amounts": {"vcpus": 1.5}}]}, "resources.0.amounts.vcpus"),
        ({"resources": [{**COMPUTE, "amounts": {"vcpus": 1e300}}]}, "resources.0.amounts.vcpus"),
        ({"resources": [{**COMPUTE, "amounts": {"vcpus": 2**53}}]}, "resources.0.amounts.vcpus"),
        ({"resources": [{**COMPUTE, "amounts": {"vcpus": 10**300}}]}, "resources.0.amounts.vcpus"),
        ({"resources": [{**COMPUTE, "amounts": {"gpus": 1}}]}, "resources.0.amounts.gpus"),
        ({"resources": [{**COMPUTE, "amounts": {"": 1}}]}, "resources.0.amounts"),
        ({"resources": [{**COMPUTE, "properties": {"colour": "x"}}]}, "resources.0.properties.colour"),
        ({"resources": [{**COMPUTE, "properties": {"cpu_arch": 5}}]}, "resources.0.properties.cpu_arch"),
        ({"resources": [{**COMPUTE, "properties": {"cpu_arch": None}}]}, "resources.0.properties.cpu_arch"),
        ({"resources": [{**COMPUTE, "required": [None]}]}, "resources.0.required.0"),
        ({"resources": [{**COMPUTE, "command": "rm"}]}, "resources.0.command"),
        ({"resources": [{"resource_class": "baremetal", "amounts": {"nodes": 2}}]}, "resources.0.amounts"),
        ({"instance": "web"}, "instance"),
        ({"instance": {"command": "rm"}}, "instance.command"),
        ({"instance": {"name": ""}}, "instance.name"),
        ({"instance": {"metadata": []}}, "instance.metadata"),
        ({"instance": {"metadata": {"a": "x" * 9000}}}, "instance"),
        ({"instance": {"metadata": {"a": "\udfff"}}}, "instance"),
        ({"count": 0}, "count"),
        ({"count": 1001}, "count"),
        ({"count": "1"}, "count"),
        ({"count": 501, "resources": [COMPUTE, COMPUTE]}, "count"),
        ({"all_or_nothing": 1}, "all_or_nothing"),
        ({"dry_run": "yes"}, "dry_run"),
        ({"explain": 0}, "explain"),
        ({"search": "some"}, "search"),
        ({"filters": ["fast"]}, "filters"),
        ({"filters": "alive"}, "filters"),
        ({"weighers": {"luck": 1}}, "weighers.luck"),
        ({"weighers": {"free_amount": "1"}}, "weighers.free_amount"),
        ({"weighers": {"free_amount": 1e7}}, "weighers.free_amount"),
        ({"group": {"id": "web", "policy": "together"}}, "group.policy"),
        ({"group": {"id": "web", "policy": "affinity", "scope": "room"}}, "group.scope"),
        ({"group": {"policy": "affinity"}}, "group.id"),
        ({"group": {"id": "web", "policy": "affinity", "size": 3}}, "group.size"),
        ({"request_id": "x"}, "request_id"),
        ({"request_id": 5}, "request_id"),
        ({"priority": 1}, "priority"),
    ],
)
def test_bad_requests_are_refused_with_the_field(operator, viewer, new_host, cell_of_api, change, field):
    host = new_host()
    body = {name: value for name, value in (request_for(cell_of_api) | change).items() if value is not None}
    answer = operator.post("/api/schedule", body)
    assert (answer.status, answer.code) == (400, "invalid"), answer
    assert field in answer.fields, answer
    assert viewer.get(f"/api/providers/{host['id']}").body["generation"] == host["generation"]


def test_all_mistakes_are_named_at_once(operator):
    body = {"resources": [{"resource_class": "compute", "amounts": {"vcpus": -1}}], "count": 0, "colour": "blue"}
    answer = operator.post("/api/schedule", body)
    assert {"consumer", "resources.0.amounts.vcpus", "count", "colour"} <= answer.fields


def test_limit_is_for_dry_runs(operator, cell_of_api):
    assert operator.post("/api/schedule?limit=5", request_for(cell_of_api)).fields == {"limit"}
    assert operator.post("/api/schedule?limit=0", request_for(cell_of_api, dry_run=True)).fields == {"limit"}

"""`POST /api/schedule/commit`: exactly the plan that was looked at is claimed, or what changed since is told."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from uuid import uuid4

import pytest

from api.fields import Fields
from api.parse.promote import commit_request
from conductor.promote import promote
from conductor.types import Placed, PlanChanged
from tests.rooms.api.cast import request_for
from tests.rooms.api.portal import Portal

COMMIT = "/api/schedule/commit"
COMPUTE = {"resource_class": "compute", "amounts": {"vcpus": 2, "memory_mb": 1024}}
STORAGE = {"resource_class": "block_storage", "amounts": {"capacity_gb": 10}}


@pytest.fixture
def operator(operator: Portal) -> Portal:
    return replace(operator, version="1.1")


@pytest.fixture
def looked_at(operator, cell_of_api):
    """The body that a dry run of a request would have committed."""

    def look(**changes):
        body = request_for(cell_of_api, **changes)
        answer = operator.post("/api/schedule", {**body, "dry_run": True})
        assert answer.status == 200, answer
        return {**body, "plan": answer.body["plan"]}

    return look


@pytest.fixture
def left(viewer):
    """How many vCPUs of a host are available."""
    return lambda host: viewer.get(f"/api/providers/{host['id']}").body["available"].get("vcpus")


def test_a_plan_is_claimed_as_it_was_looked_at(operator, viewer, looked_at, new_host, left):
    hosts = [new_host(), new_host()]
    body = looked_at()
    (step,) = body["plan"]
    answer = operator.post(COMMIT, body)
    assert (answer.status, answer.body["state"], answer.body["attempts"]) == (201, "claimed", 1)
    (claim,) = answer.body["claims"]
    assert claim["provider"] == step["provider"]
    assert claim["amounts"] == {"vcpus": -2, "memory_mb": -1024}
    assert sorted(left(host) for host in hosts) == [6, 8]
    life = viewer.get(f"/api/requests/{answer.body['request_id']}").body
    assert (life["state"], life["request"]) == ("claimed", body)


def test_before_1_1_a_dry_run_has_no_plan(operator, new_host, cell_of_api):
    new_host()
    body = request_for(cell_of_api, dry_run=True)
    old, new = replace(operator, version="1.0").post("/api/schedule", body), operator.post("/api/schedule", body)
    assert set(new.body) - set(old.body) == {"plan"}
    assert set(new.body["ranked"][0]) - set(old.body["ranked"][0]) == {"generation", "root_state_version"}
    new_host(), new_host()
    nowhere = {**body, "resources": [{"resource_class": "compute", "amounts": {"vcpus": 9}}]}
    assert operator.post("/api/schedule", nowhere).body["plan"] is None


def test_several_resources_and_copies_are_claimed_over_several_trees(operator, looked_at, new_host, left):
    hosts = [new_host(), new_host(), new_host(resource_class="block_storage", amounts={"capacity_gb": 30, "iops": 1})]
    body = looked_at(resources=[COMPUTE, STORAGE], count=2)
    assert len(body["plan"]) == 4
    answer = operator.post(COMMIT, body)
    assert answer.status == 201, answer
    assert [claim["provider"] for claim in answer.body["claims"]] == [step["provider"] for step in body["plan"]]
    assert [claim["resource_class"] for claim in answer.body["claims"]] == ["compute", "block_storage"] * 2
    assert sum(left(host) for host in hosts[:2]) == 16 - 4


def test_copies_on_one_host_are_one_claim_batch(operator, looked_at, new_host, left):
    host = new_host()
    answer = operator.post(COMMIT, looked_at(count=4))
    assert (answer.status, answer.body["attempts"], len(answer.body["claims"])) == (201, 1, 4)
    assert left(host) == 0


def test_a_host_that_was_changed_since_is_not_claimed(operator, admin, viewer, looked_at, new_host, left):
    host = new_host()
    body = looked_at()
    admin.patch(f"/api/providers/{host['id']}", {"state_version": host["state_version"], "traits": ["SSD"]})
    answer = operator.post(COMMIT, body)
    assert (answer.status, answer.code) == (409, "conflict")
    (changed,) = answer.body["changed"]
    assert (changed["provider"], changed["holds"], changed["reason"]) == (host["id"], False, "state_version")
    assert (changed["fits"], changed["state"], changed["available"]["vcpus"]) == (True, "enabled", 8)
    assert changed["state_version"] > body["plan"][0]["state_version"]
    assert left(host) == 8
    life = viewer.get(f"/api/requests/{answer.body['request_id']}").body
    assert (life["state"], life["reason"]) == ("failed", "plan_changed")
    assert operator.post(COMMIT, looked_at()).status == 201


def test_amounts_that_others_took_are_not_claimed_and_what_is_left_is_told(operator, looked_at, new_host, cell_of_api):
    host = new_host()
    body = looked_at(count=4)
    assert operator.post("/api/schedule", request_for(cell_of_api)).status == 201
    answer = operator.post(COMMIT, body)
    (changed,) = answer.body["changed"]
    assert (answer.code, changed["reason"], changed["detail"]) == ("conflict", "capacity", "short by 2 vcpus")
    assert (changed["fits"], changed["available"]["vcpus"]) == (False, 6)
    assert changed["generation"] == body["plan"][0]["generation"] + 1
    assert host["name"] in answer.body["detail"]


def test_claims_of_others_that_leave_room_do_not_matter(operator, looked_at, new_host, cell_of_api, left):
    host = new_host()
    body = looked_at()
    assert operator.post("/api/schedule", request_for(cell_of_api)).status == 201
    assert operator.post(COMMIT, body).status == 201
    assert left(host) == 4


def test_one_host_of_several_that_does_not_hold_leaves_nothing_claimed(operator, admin, looked_at, new_host, left):
    host = new_host()
    volume = new_host(resource_class="block_storage", amounts={"capacity_gb": 30, "iops": 1})
    body = looked_at(resources=[COMPUTE, STORAGE])
    change = {"state_version": volume["state_version"], "state": "disabled", "state_reason": "moved"}
    assert admin.patch(f"/api/providers/{volume['id']}", change).status == 200
    answer = operator.post(COMMIT, body)
    found = {one["provider"]: (one["holds"], one["reason"], one["state"]) for one in answer.body["changed"]}
    assert found == {host["id"]: (True, "", "enabled"), volume["id"]: (False, "state", "disabled")}
    assert left(host) == 8


def test_a_host_that_was_removed_is_told(operator, admin, looked_at, new_host):
    host = new_host()
    body = looked_at()
    assert admin.delete(f"/api/providers/{host['id']}").status == 204
    answer = operator.post(COMMIT, body)
    assert answer.code == "conflict"
    assert answer.body["changed"] == [
        {"provider": host["id"], "holds": False, "reason": "removed", "detail": "it was removed"}
    ]


def test_a_host_whose_agent_fell_silent_is_told(operator, new_host, cell_of_api, admin):
    silent = admin.post("/api/providers", {
        "name": "silent", "cell": cell_of_api, "resource_class": "compute", "amounts": {"vcpus": 8, "memory_mb": 8192},
    }).body  # fmt: skip
    plan = [{"provider": silent["id"], "state_version": silent["state_version"]}]
    answer = operator.post(COMMIT, {**request_for(cell_of_api), "plan": plan})
    assert [one["reason"] for one in answer.body["changed"]] == ["not_alive"]


def test_the_same_id_and_body_answer_the_first_outcome(operator, admin, looked_at, new_host, left):
    host = new_host()
    body = looked_at(request_id=str(uuid4()))
    first, second = operator.post(COMMIT, body), operator.post(COMMIT, body)
    assert (first.status, second.status) == (201, 200)
    assert first.body["claims"] == second.body["claims"]
    assert left(host) == 6
    assert operator.post(COMMIT, {**body, "consumer": "other"}).code == "idempotency_mismatch"
    without_plan = {name: value for name, value in body.items() if name != "plan"}
    assert operator.post("/api/schedule", without_plan).code == "idempotency_mismatch"
    keyed = looked_at()
    answers = [operator.post(COMMIT, keyed, Idempotency_Key="a-plan").status for _ in range(2)]
    assert answers == [201, 200]


def test_a_refusal_is_repeated_too(operator, admin, looked_at, new_host, left):
    host = new_host()
    body = looked_at(request_id=str(uuid4()), count=4)
    taken = operator.post("/api/schedule", request_for(host["cell"]))
    first = operator.post(COMMIT, body)
    assert operator.delete(f"/api/requests/{taken.body['request_id']}").status in (202, 204)
    second = operator.post(COMMIT, body)
    assert (first.status, second.status) == (409, 409)
    assert first.body["changed"] == second.body["changed"]


def test_of_those_that_want_the_last_room_at_once_one_gets_it(looked_at, new_host, left):
    """Beside the API: its test database, in memory, takes no callers at once."""
    host = new_host()
    bodies = [looked_at(count=4, consumer=f"c{number}") for number in range(6)]
    requests = [commit_request(body, Fields(body), None, "a-racer") for body in bodies]
    with ThreadPoolExecutor(6) as pool:
        outcomes = list(pool.map(lambda request: promote(*request), requests))
    assert [type(one) for one in outcomes].count(Placed) == 1
    for lost in (one for one in outcomes if not isinstance(one, Placed)):
        assert isinstance(lost, PlanChanged)
        assert [one["reason"] for one in lost.changed] == ["capacity"]
    assert left(host) == 0


def test_a_group_s_rule_holds_for_plans_too(operator, looked_at, new_host, left):
    hosts = [new_host(), new_host()]
    group = {"id": uuid4().hex, "policy": "anti-affinity"}
    first, second = looked_at(group=group, consumer="a"), looked_at(group=group, consumer="b")
    second["plan"] = first["plan"]
    assert operator.post(COMMIT, first).status == 201
    answer = operator.post(COMMIT, second)
    assert (answer.code, [one["reason"] for one in answer.body["changed"]]) == ("conflict", ["group"])
    both = looked_at(group={**group, "id": uuid4().hex}, count=2)
    assert len({step["provider"] for step in both["plan"]}) == 2
    assert operator.post(COMMIT, {**both, "plan": both["plan"][:1] * 2}).code == "conflict"
    assert operator.post(COMMIT, both).status == 201
    assert sum(left(host) for host in hosts) == 16 - 6


def test_a_plan_that_spreads_keeps_its_skew(operator, looked_at, new_host):
    for rack in ("r1", "r2"):
        new_host(failure_domain={"rack": rack}), new_host(failure_domain={"rack": rack})
    body = looked_at(group={"id": uuid4().hex, "policy": "spread", "scope": "rack"}, count=2)
    answer = operator.post(COMMIT, {**body, "plan": body["plan"][:1] * 2})
    assert (answer.code, [one["reason"] for one in answer.body["changed"]]) == ("conflict", ["group"])
    assert operator.post(COMMIT, body).status == 201


def test_a_disabled_cell_is_told(operator, admin, looked_at, new_host, cell_of_api):
    new_host()
    body = looked_at()
    assert admin.patch(f"/api/cells/{cell_of_api}", {"state": "disabled"}).status == 200
    answer = operator.post(COMMIT, body)
    assert (answer.code, [one["reason"] for one in answer.body["changed"]]) == ("conflict", ["cell"])


def test_what_belongs_on_one_tree_is_not_claimed_on_two(operator, admin, new_host, cell_of_api):
    name = f"card_{uuid4().hex[:8]}"
    column = {"name": "cards", "unit": "card", "kind": "amount", "type": "integer"}
    assert admin.post("/api/resource-classes", {"name": name, "columns": [column]}).status == 201
    hosts = [new_host(heartbeat="none"), new_host(heartbeat="none")]
    cards = [new_host(resource_class=name, amounts={"cards": 1}, parent=host["id"]) for host in hosts]
    resources = [COMPUTE, {"resource_class": name, "amounts": {"cards": 1}}]
    body = request_for(cell_of_api, resources=resources)
    plan = operator.post("/api/schedule", {**body, "dry_run": True}).body["plan"]
    beside = next(card for card, host in zip(cards, hosts, strict=True) if host["id"] != plan[0]["provider"])
    wrong = [plan[0], {"provider": beside["id"], "state_version": beside["state_version"]}]
    answer = operator.post(COMMIT, {**body, "plan": wrong})
    assert "same_tree" in {one["reason"] for one in answer.body["changed"]}
    assert operator.post(COMMIT, {**body, "plan": plan}).status == 201


def step(host, **changes):
    return {"provider": host["id"], "state_version": host["state_version"], **changes}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda host, volume: {"plan": []}, "plan"),
        (lambda host, volume: {"plan": [step(host)] * 2}, "plan"),
        (lambda host, volume: {"plan": [step(host)], "count": 2}, "plan"),
        (lambda host, volume: {"plan": [step(host, provider="x")]}, "plan.0.provider"),
        (lambda host, volume: {"plan": [step(host, provider=str(uuid4()))]}, "plan.0.provider"),
        (lambda host, volume: {"plan": [step(volume)]}, "plan.0.provider"),
        (lambda host, volume: {"plan": [step(host, state_version="1")]}, "plan.0.state_version"),
        (lambda host, volume: {"plan": [step(host, generation=-1)]}, "plan.0.generation"),
        (lambda host, volume: {"plan": [step(host, name="x")]}, "plan.0.name"),
        (lambda host, volume: {"plan": [step(host)], "dry_run": True}, "dry_run"),
        (lambda host, volume: {"plan": [step(host)], "explain": False}, "explain"),
        (lambda host, volume: {"plan": [step(host)], "cell": "nowhere"}, "cell"),
        (lambda host, volume: {"plan": [step(host)], "filters": ["luck"]}, "filters"),
        (lambda host, volume: {"plan": [step(host)], "resources": []}, "resources"),
    ],
)
def test_wrong_plans_are_refused_with_the_field(operator, new_host, cell_of_api, left, change, field):
    host, volume = new_host(), new_host(resource_class="block_storage", amounts={"capacity_gb": 30, "iops": 1})
    answer = operator.post(COMMIT, {**request_for(cell_of_api), **change(host, volume)})
    assert (answer.status, answer.code, field in answer.fields) == (400, "invalid", True), answer
    assert left(host) == 8

"""Policies and aggregates over the API: what is in force, who may change it, and what a mistake is told."""

import uuid
from dataclasses import replace

import pytest

from conductor.policy_body import settings_body
from conductor.policy_differences import note_difference

pytestmark = pytest.mark.usefixtures("own_policy")


@pytest.fixture
def callers(callers):
    return {role: replace(caller, version="1.1") for role, caller in callers.items()}


@pytest.fixture
def name():
    return f"agg {uuid.uuid4().hex[:8]}/ä"


def put(caller, based_on, **policy):
    return caller.post("/api/policy", {"based_on": based_on, "reason": "a test", "policy": policy})


def test_what_is_in_force_and_how_it_changes(admin, viewer):
    first = viewer.get("/api/policy").body
    assert (first["version"], first["policy"], first["created_at"]) == (0, settings_body(), None)
    made = put(admin, 0, subset=3, weighers={"free_amount": -1})
    assert made.status == 201
    assert made.body["created_by"].startswith("admin-")
    assert made.body["policy"] == {**settings_body(), "subset": 3, "weighers": {"free_amount": -1.0}}
    assert viewer.get("/api/policy").body == made.body == viewer.get("/api/policy/versions/1").body
    late = put(admin, 0, subset=4)
    assert (late.status, late.code) == (409, "conflict")
    assert late.body["current"] == made.body
    assert "version 1 is in force" in late.body["detail"]


def test_versions_page_by_page_and_back_again(admin, viewer):
    for version in range(3):
        assert put(admin, version, subset=version + 2).status == 201
    listed = viewer.all("/api/policy/versions?limit=2")
    assert [one["version"] for one in listed] == [3, 2, 1, 0]
    assert viewer.get("/api/policy/versions/0").body["policy"] == settings_body()
    back = admin.post("/api/policy/versions/1/restore", {"reason": "3 was wrong"})
    assert (back.status, back.body["version"], back.body["policy"]["subset"]) == (201, 4, 2)
    assert viewer.get("/api/policy").body == back.body
    for missing in ("5", "x", "-1", "1.5", "9" * 400, "²", "٣"):
        assert viewer.get(f"/api/policy/versions/{missing}").code == "not_found"
        assert admin.post(f"/api/policy/versions/{missing}/restore", {"reason": "x"}).code == "not_found"
    assert viewer.get("/api/policy/versions?next=banana").fields == {"next"}


def test_all_mistakes_are_told_at_once(admin, viewer):
    answer = put(admin, 0, filters=["alive", "magic"], weighers={"luck": 1}, subset=0, colour="blue")
    assert answer.fields == {"policy.filters.1", "policy.weighers.luck", "policy.subset", "policy.colour"}
    said = {one["field"]: one["message"] for one in answer.body["errors"]}
    assert "capacity" in said["policy.filters.1"]
    assert "free_amount" in said["policy.weighers.luck"]
    assert admin.post("/api/policy", {}).fields == {"policy", "based_on", "reason"}
    assert admin.post("/api/policy", {"policy": {}, "based_on": 0, "reason": ""}).fields == {"reason"}
    for policy in ([], None, "x", {"weighers": {"a\u0000b" * 300: 1}}, {"filters": {}}, {"sweep_seconds": 1e300}):
        answer = admin.post("/api/policy", {"policy": policy, "based_on": 0, "reason": "x"})
        assert answer.code == "invalid", policy
    assert viewer.get("/api/policy").body["version"] == 0


def test_the_shadow(admin, viewer):
    assert viewer.get("/api/policy/shadow").code == "not_found"
    assert admin.delete("/api/policy/shadow").code == "not_found"
    put(admin, 0, subset=2)
    made = admin.post("/api/policy/shadow", {"policy": {"weighers": {"balance": 3}}, "reason": "what if"})
    assert (made.status, made.body["version"], made.body["as_shadow"]) == (201, 2, True)
    assert made.body["policy"]["subset"] == 2
    assert viewer.get("/api/policy/shadow").body == made.body
    assert viewer.get("/api/policy").body["version"] == 1
    again = admin.post("/api/policy/shadow", {"version": 2, "reason": "again"})
    assert (again.body["version"], again.body["policy"]) == (3, made.body["policy"])
    assert admin.post("/api/policy/shadow", {"version": 9, "reason": "x"}).code == "not_found"
    for body in ({"reason": "x"}, {"reason": "x", "version": 1, "policy": {}}, {"version": 1}):
        assert admin.post("/api/policy/shadow", body).code == "invalid"
    assert admin.delete("/api/policy/shadow").status == 204
    assert viewer.get("/api/policy/shadow").code == "not_found"


def test_differences(viewer):
    requests = {str(uuid.uuid4()) for _ in range(3)}
    for one in requests:
        note_difference(uuid.UUID(one), 1, 2, "compute", ["host-1"], ["host-2"])
    listed = [one for one in viewer.all("/api/policy/differences?limit=2") if one["request_id"] in requests]
    assert {one["request_id"] for one in listed} == requests
    assert (listed[0]["chosen"], listed[0]["shadow_chose"]) == (["host-1"], ["host-2"])
    assert (listed[0]["version"], listed[0]["shadow_version"]) == (1, 2)
    assert viewer.get("/api/policy/differences?next=banana").fields == {"next"}


def test_who_may(callers, name):
    aggregate = {"name": name}
    for role in ("viewer", "operator"):
        assert put(callers[role], 0, subset=2).code == "forbidden"
        assert callers[role].post("/api/policy/shadow", {"policy": {}, "reason": "x"}).code == "forbidden"
        assert callers[role].post("/api/policy/versions/0/restore", {"reason": "x"}).code == "forbidden"
    assert callers["viewer"].post("/api/aggregates", aggregate).code == "forbidden"
    assert callers["operator"].post("/api/aggregates", aggregate).status == 201
    assert replace(callers["admin"], version="1.0").get("/api/policy").code == "not_found"


def test_an_aggregates_life(operator, viewer, name, new_host):
    body = {"name": name, "tenants": ["bank"], "images": ["golden"], "weighers": {"free_amount": -1}}
    made = operator.post("/api/aggregates", body)
    assert made.status == 201
    assert {n: made.body[n] for n in body} == body
    assert operator.post("/api/aggregates", body).body["current"] == made.body
    page = f"/api/aggregates/{name}"
    assert viewer.get(page).body == made.body
    assert name in [one["name"] for one in viewer.all("/api/aggregates?limit=1")]

    hosts = [new_host(), new_host()]
    nobody = str(uuid.uuid4())
    answer = operator.post(f"{page}/members", {"add": [hosts[0]["id"], hosts[1]["id"], nobody]})
    assert [one["outcome"] for one in answer.body["results"]] == ["added", "added", "not_found"]
    members = viewer.all(made.body["members"])
    assert {one["id"] for one in members} == {one["id"] for one in hosts}
    used = operator.delete(page)
    assert (used.status, used.code) == (409, "conflict")
    assert "2 providers" in used.body["detail"]

    changed = operator.patch(page, {"version": 1, "tenants": [], "description": "for all"})
    assert (changed.body["version"], changed.body["tenants"], changed.body["images"]) == (2, [], ["golden"])
    stale = operator.patch(page, {"version": 1, "tenants": ["x"]})
    assert (stale.status, stale.body["current"]) == (409, changed.body)

    answer = operator.post(f"{page}/members", {"remove": [one["id"] for one in hosts]})
    assert {one["outcome"] for one in answer.body["results"]} == {"removed"}
    assert operator.delete(page).status == 204
    assert viewer.get(page).code == "not_found"
    assert operator.post(f"{page}/members", {"add": [hosts[0]["id"]]}).code == "not_found"


def test_mistakes_about_aggregates(operator, name):
    wrong = {"name": "", "tenants": [1], "images": "x", "weighers": {"free_amount": "much"}, "members": []}
    answer = operator.post("/api/aggregates", wrong)
    assert answer.fields == {"name", "tenants.0", "images", "weighers.free_amount", "members"}
    assert operator.post("/api/aggregates", {"name": name, "weighers": {"luck": 1}}).fields == {"weighers.luck"}
    assert operator.post("/api/aggregates", {"name": f"{name}/members"}).fields == {"name"}
    page = f"/api/aggregates/{name}"
    operator.post("/api/aggregates", {"name": name})
    assert operator.patch(page, {"version": 1}).fields == {""}
    assert operator.patch(page, {"version": 1, "name": "x"}).fields == {"name", ""}
    assert operator.post(f"{page}/members", {}).fields == {"add"}
    assert operator.post(f"{page}/members", {"add": ["x"], "remove": 3}).fields == {"add.0", "remove"}
    assert operator.get("/api/aggregates?next=banana").fields == {"next"}

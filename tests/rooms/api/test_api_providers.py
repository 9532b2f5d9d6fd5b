"""Providers over HTTP: registered, found, changed by whoever saw them last, drained, removed."""

from uuid import uuid4

import pytest

from tests.rooms.api.portal import Portal


def test_a_provider_is_shown_as_it_was_registered(admin, viewer, cell_of_api):
    made = admin.post(
        "/api/providers",
        {
            "name": "big",
            "cell": cell_of_api,
            "resource_class": "compute",
            "inventory": {"vcpus": {"total": 16, "reserved": 2, "allocation_ratio": 4.0}, "memory_mb": {"total": 4096}},
            "properties": {"cpu_arch": "x86_64"},
            "traits": ["SSD", "AVX2"],
            "aggregates": ["gold"],
            "failure_domain": {"rack": "r1", "zone": "z1"},
            "heartbeat": "none",
        },
    )
    assert made.status == 201
    provider = made.body
    assert made.headers["Location"] == f"/api/providers/{provider['id']}"
    assert provider["amounts"] == {"vcpus": 62, "memory_mb": 4096, "disk_gb": 0}
    assert provider["available"] == provider["amounts"]
    assert provider["inventory"]["vcpus"] == {"total": 16, "reserved": 2, "allocation_ratio": 4.0}
    assert (provider["traits"], provider["failure_domain"]) == (["AVX2", "SSD"], {"rack": "r1", "zone": "z1"})
    assert (provider["alive"], provider["state"], provider["parent"]) == (True, "enabled", None)
    assert viewer.get(made.headers["Location"]).body == provider
    assert viewer.get(f"/api/providers?cell={cell_of_api}").body["results"] == [provider]


def test_a_child_lives_in_its_parents_tree(admin, new_host, cell_of_api):
    parent = new_host()
    child = new_host(parent=parent["id"])
    assert (child["parent"], child["root"]) == (parent["id"], parent["id"])
    assert admin.delete(f"/api/providers/{parent['id']}").code == "conflict"
    elsewhere = admin.post("/api/cells", {"name": f"other-{uuid4().hex[:6]}"}).body["name"]
    stray = admin.post(
        "/api/providers", {"name": "x", "cell": elsewhere, "resource_class": "compute", "parent": parent["id"]}
    )
    assert stray.fields == {"parent"}


def test_an_id_of_ones_own_is_used_once(admin, new_host, cell_of_api):
    own = str(uuid4())
    assert new_host(id=own)["id"] == own
    again = {"name": "x", "cell": cell_of_api, "resource_class": "compute", "id": own}
    assert admin.post("/api/providers", again).code == "conflict"
    assert admin.delete(f"/api/providers/{own}").status == 204
    assert admin.get(f"/api/providers/{own}").code == "not_found"
    assert admin.post("/api/providers", again).code == "conflict"  # never reused


def test_filters_narrow_a_list(viewer, new_host, cell_of_api):
    one = new_host(name=f"one-{uuid4().hex[:6]}", traits=["SSD"], aggregates=["gold"])
    two = new_host(name=f"two-{uuid4().hex[:6]}", state="disabled")
    new_host(resource_class="network", amounts={"ipv4_addresses": 10})

    def found(query):
        return {p["name"] for p in viewer.all(f"/api/providers?cell={cell_of_api}&limit=1&{query}")}

    assert found("resource_class=compute") == {one["name"], two["name"]}
    assert found("trait=SSD") == {one["name"]}
    assert found("aggregate=gold") == {one["name"]}
    assert found("state=disabled") == {two["name"]}
    assert found(f"name={two['name']}") == {two["name"]}
    assert found("trait=nothing") == set()
    assert viewer.all("/api/providers?cell=nowhere") == []


def test_a_change_is_based_on_what_was_seen(admin, new_host):
    host = new_host()
    path = f"/api/providers/{host['id']}"
    changed = admin.patch(
        path, {"state_version": host["state_version"], "inventory": {"vcpus": {"total": 10}}, "name": "renamed"}
    )
    assert changed.status == 200
    assert (changed.body["name"], changed.body["available"]["vcpus"]) == ("renamed", 10)
    assert changed.body["inventory"]["memory_mb"] == host["inventory"]["memory_mb"]
    stale = admin.patch(path, {"state_version": host["state_version"], "state": "disabled"})
    assert (stale.status, stale.code) == (409, "conflict")
    assert stale.body["current"]["state_version"] == changed.body["state_version"]
    assert stale.body["current"]["alive"] is True
    assert admin.get(path).body["state"] == "enabled"


def test_part_of_an_inventory_keeps_the_rest(admin, cell_of_api):
    inventory = {"vcpus": {"total": 8, "reserved": 1, "allocation_ratio": 2.0}}
    body = {"name": "h", "cell": cell_of_api, "resource_class": "compute", "inventory": inventory}
    host = admin.post("/api/providers", body).body
    change = {"state_version": host["state_version"], "inventory": {"vcpus": {"reserved": 3}}}
    changed = admin.patch(f"/api/providers/{host['id']}", change).body
    assert changed["inventory"]["vcpus"] == {"total": 8, "reserved": 3, "allocation_ratio": 2.0}
    assert changed["amounts"]["vcpus"] == 13


def test_an_operator_drains_and_no_more(operator, viewer, new_host):
    host = new_host()
    path = f"/api/providers/{host['id']}"
    version = {"state_version": host["state_version"]}
    assert operator.patch(path, {**version, "name": "mine"}).code == "forbidden"
    assert viewer.patch(path, {**version, "state": "draining"}).code == "forbidden"
    drained = operator.patch(path, {**version, "state": "draining", "state_reason": "new firmware"})
    assert (drained.status, drained.body["state"], drained.body["state_reason"]) == (200, "draining", "new firmware")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"amounts": {"vcpus": -1}}, "amounts.vcpus"),
        ({"amounts": {"vcpus": 2**53}}, "amounts.vcpus"),
        ({"amounts": {"vcpus": 1.0}}, "amounts.vcpus"),
        ({"amounts": {"vcpus": True}}, "amounts.vcpus"),
        ({"amounts": {"vcpus": "8"}}, "amounts.vcpus"),
        ({"amounts": {"vcpus": None}}, "amounts.vcpus"),
        ({"amounts": [1]}, "amounts"),
        ({"amounts": {"gpus": 1}}, "inventory.gpus"),
        ({"inventory": {"vcpus": {"total": 8, "allocation_ratio": 0}}}, "inventory.vcpus.allocation_ratio"),
        ({"inventory": {"vcpus": {"total": 8, "reserved": 9}}}, "inventory.vcpus"),
        ({"inventory": {"vcpus": 8}}, "inventory.vcpus"),
        ({"inventory": {"vcpus": {"total": 1}}, "amounts": {"vcpus": 1}}, "amounts"),
        ({"properties": {"colour": "blue"}}, "properties.colour"),
        ({"properties": {"cpu_arch": 5}}, "properties.cpu_arch"),
        ({"traits": "SSD"}, "traits"),
        ({"traits": ["SSD", 5]}, "traits.1"),
        ({"traits": ["a\nb"]}, "traits.0"),
        ({"failure_domain": {"rack": "r", "row": "x"}}, "failure_domain.row"),
        ({"heartbeat": "sometimes"}, "heartbeat"),
        ({"state": "asleep"}, "state"),
        ({"id": "not-a-uuid"}, "id"),
        ({"id": "{12345678-1234-1234-1234-123456789012}"}, "id"),
        ({"parent": str(uuid4())}, "parent"),
        ({"cell": "nowhere"}, "cell"),
        ({"resource_class": "nothing"}, "resource_class"),
        ({"alive": True}, "alive"),
        ({"generation": 5}, "generation"),
    ],
)
def test_bad_providers_are_refused_with_the_field(admin, cell_of_api, body, field):
    good = {"name": "n", "cell": cell_of_api, "resource_class": "compute"}
    answer = admin.post("/api/providers", good | body)
    assert (answer.status, answer.code) == (400, "invalid")
    assert field in answer.fields
    assert admin.all(f"/api/providers?cell={cell_of_api}") == []


def test_bare_metal_is_one_node(admin, cell_of_api):
    body = {"name": "n", "cell": cell_of_api, "resource_class": "baremetal"}
    assert admin.post("/api/providers", body | {"amounts": {"nodes": 2}}).code == "invalid"
    made = admin.post("/api/providers", body | {"properties": {"cpus": 48, "cpu_arch": "x86_64"}}).body
    assert (made["available"], made["properties"]["cpus"]) == ({"nodes": 1}, 48)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"cell": "other"}, "cell"),
        ({"resource_class": "network"}, "resource_class"),
        ({"parent": None}, "parent"),
        ({"amounts": {"vcpus": 1}}, "amounts"),
        ({}, ""),
        ({"state": "off"}, "state"),
        ({"inventory": {"vcpus": {"total": -1}}}, "inventory.vcpus.total"),
        ({"inventory": {"gpus": {"total": 1}}}, "inventory.gpus"),
    ],
)
def test_bad_changes(admin, new_host, change, field):
    host = new_host()
    answer = admin.patch(f"/api/providers/{host['id']}", {"state_version": host["state_version"], **change})
    assert (answer.status, answer.code) == (400, "invalid")
    assert field in answer.fields
    assert admin.get(f"/api/providers/{host['id']}").body["state_version"] == host["state_version"]


def test_a_change_without_state_version_is_invalid(admin, new_host):
    host = new_host()
    assert admin.patch(f"/api/providers/{host['id']}", {"state": "disabled"}).fields == {"state_version"}


@pytest.mark.parametrize("garbled", ["abc", "WzAsICIiXQ", "%00", "x" * 1025])
def test_garbled_cursors(viewer, garbled):
    answer = viewer.get(f"/api/providers?next={garbled}")
    assert (answer.status, answer.fields) == (400, {"next"})


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=x", "limit"),
        ("limit=-1", "limit"),
        ("limit=%C2%B2", "limit"),
        ("limit=1&limit=2", "limit"),
        ("colour=blue", "colour"),
        ("state=off", "state"),
        ("cell=", "cell"),
        ("name=%00", "name"),
    ],
)
def test_bad_queries(viewer, query, field):
    answer = viewer.get(f"/api/providers?{query}")
    assert (answer.status, answer.code) == (400, "invalid")
    assert field in answer.fields


def test_the_agents_token_is_shown_once_replaced_and_revoked(admin, new_host):
    host = new_host()
    path = f"/api/providers/{host['id']}"
    first = admin.post(f"{path}/token").body["token"]
    assert Portal(first).post(f"{path}/heartbeat").status == 200
    second = admin.post(f"{path}/token").body["token"]
    assert Portal(first).post(f"{path}/heartbeat").code == "unauthenticated"
    assert Portal(second).post(f"{path}/heartbeat").status == 200
    assert admin.delete(f"{path}/token").status == 204
    assert Portal(second).post(f"{path}/heartbeat").code == "unauthenticated"
    assert admin.post(f"/api/providers/{uuid4()}/token").code == "not_found"


def test_a_removed_providers_token_is_worth_nothing(admin, agent_of, new_host):
    host = new_host()
    agent = agent_of(host)
    assert admin.delete(f"/api/providers/{host['id']}").status == 204
    assert agent.post(f"/api/providers/{host['id']}/heartbeat").code == "unauthenticated"

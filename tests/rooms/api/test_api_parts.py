"""A host's parts: its agent reports them, and they become children of its provider, since 1.2."""

from dataclasses import replace
from uuid import UUID

import pytest

from agents.node.parts import measure_parts
from agents.node.provider_configuration import PARTS, PCI_CLASSES
from agents.protocol import Report
from providers.parts import part_id
from tests.rooms.agents_node.sysfs import make_device, make_node
from tests.rooms.api.cast import request_for

GPU = {
    "slot": "0000:3b:00.0",
    "resource_class": "pci_device",
    "totals": {"devices": 1},
    "properties": {"vendor": "10de", "device_class": "0302"},
}
NUMA = {"slot": "numa0", "resource_class": "numa_node", "totals": {"cpus": 4, "memory_mb": 4096}}


@pytest.fixture
def reports(agent_of):
    """Says what a host has: its parts, as its agent."""

    def say(host, *parts, version="1.2", **more):
        body = {"totals": {"vcpus": 8}, "children": list(parts), **more}
        return replace(agent_of(host), version=version).post(f"/api/providers/{host['id']}/report", body)

    return say


def child(viewer, host, slot):
    return viewer.get(f"/api/providers/{part_id(UUID(host['id']), slot)}")


def test_what_an_agent_measures_can_be_scheduled(new_host, agent_of, operator, viewer, cell_of_api, tmp_path):
    """From /sys to a GPU that is claimed with its host, and back."""
    make_node(tmp_path, 0, "0-3", 4096)
    make_node(tmp_path, 1, "4-7", 4096)
    make_device(tmp_path, "0000:3b:00.0", "030200", vendor="10de", device="1db6", numa_node="1")
    found = measure_parts(PARTS, PCI_CLASSES, tmp_path)
    host, _ = new_host(), new_host()
    agent = agent_of(host)
    body = Report({"vcpus": 8}, {}, (), found, True).with_parts_as_json()
    answer = replace(agent, version="1.2").post(f"/api/providers/{host['id']}/report", body)
    assert answer.status == 200
    assert [(one["slot"], one["refused"]) for one in answer.body["children"]] == [
        ("numa0", ""), ("numa1", ""), ("0000:3b:00.0", ""),
    ]  # fmt: skip
    gpu = child(viewer, host, "0000:3b:00.0").body
    assert (gpu["parent"], gpu["heartbeat"], gpu["alive"]) == (host["id"], "none", True)
    assert gpu["name"] == f"{host['name']}-0000:3b:00.0"

    resources = [
        {"resource_class": "compute", "amounts": {"vcpus": 2}},
        {"resource_class": "pci_device", "amounts": {"devices": 1}, "properties": {"device_class": "0302"}},
        {"resource_class": "numa_node", "amounts": {"cpus": 2}},
    ]
    placed = operator.post("/api/schedule", request_for(cell_of_api, resources=resources))
    assert placed.status == 201, placed
    claims = {one["resource_class"]: one for one in placed.body["claims"]}
    assert claims["compute"]["provider"] == host["id"]
    assert claims["pci_device"]["provider"] == gpu["id"]
    assert operator.post("/api/schedule", request_for(cell_of_api, resources=resources[1:2])).code == "no_valid_host"

    orders = agent.get(f"/api/providers/{host['id']}/claims").body["results"]
    assert [one["id"] for one in orders] == [claims["compute"]["id"]], "the parts follow"
    agent.post(f"/api/claims/{claims['compute']['id']}/consume")
    assert viewer.get(f"/api/requests/{placed.body['request_id']}").body["state"] == "active"
    operator.delete(f"/api/requests/{placed.body['request_id']}")
    agent.post(f"/api/requests/{placed.body['request_id']}/destroyed")
    assert child(viewer, host, "0000:3b:00.0").body["available"] == {"devices": 1}


def test_nothing_is_written_when_nothing_changed(new_host, reports, viewer):
    host = new_host()
    assert reports(host, GPU, NUMA).status == 200
    before = viewer.get(f"/api/providers/{host['id']}").body["generation"]
    answer = reports(host, GPU, NUMA)
    assert [one["refused"] for one in answer.body["children"]] == ["", ""]
    assert viewer.get(f"/api/providers/{host['id']}").body["generation"] == before


def test_a_part_that_changes_or_goes(new_host, reports, viewer):
    host = new_host()
    reports(host, GPU, NUMA)
    reports(host, {**NUMA, "totals": {"cpus": 8, "memory_mb": 4096}})
    assert child(viewer, host, "numa0").body["available"] == {"cpus": 8, "memory_mb": 4096}
    assert child(viewer, host, GPU["slot"]).body["available"] == {"devices": 0}, "nothing of it is for sale"
    reports(host, GPU, NUMA)
    assert child(viewer, host, GPU["slot"]).body["available"] == {"devices": 1}
    reports(host)
    assert child(viewer, host, "numa0").body["available"] == {"cpus": 0, "memory_mb": 0}


def test_a_report_that_says_nothing_of_parts_leaves_them(new_host, reports, viewer, agent_of):
    host = new_host()
    reports(host, GPU)
    agent_of(host).post(f"/api/providers/{host['id']}/report", {"totals": {"vcpus": 8}})
    assert child(viewer, host, GPU["slot"]).body["available"] == {"devices": 1}


def test_a_part_that_an_operator_removed_stays_removed(new_host, reports, viewer, admin):
    host = new_host()
    reports(host, GPU)
    assert admin.delete(f"/api/providers/{part_id(UUID(host['id']), GPU['slot'])}").status == 204
    (said,) = reports(host, GPU).body["children"]
    assert "ids are never reused" in said["refused"]
    assert child(viewer, host, GPU["slot"]).code == "not_found"


def test_an_operators_own_children_are_not_an_agents(new_host, reports, viewer):
    host = new_host()
    own = new_host(parent=host["id"], heartbeat="none")
    reports(host, GPU)
    reports(host)
    assert viewer.get(f"/api/providers/{own['id']}").body["available"]["vcpus"] == 8


def test_another_part_in_the_same_slot_is_refused(new_host, reports):
    host = new_host()
    reports(host, GPU)
    (said,) = reports(host, {**NUMA, "slot": GPU["slot"]}).body["children"]
    assert "this slot is a pci_device" in said["refused"]


@pytest.mark.parametrize(
    ("part", "field"),
    [
        ({"resource_class": "compute", "totals": {"vcpus": 8}}, "children.0.resource_class"),
        ({"totals": {"vcpus": 8}}, "children.0.totals.vcpus"),
        ({"totals": {"devices": -1}}, "children.0.totals.devices"),
        ({"properties": {"slot": "x"}}, "children.0.properties.slot"),
        ({"properties": {"colour": "red"}}, "children.0.properties.colour"),
        ({"slot": ""}, "children.0.slot"),
        ({"id": "x"}, "children.0.id"),
    ],
)
def test_what_is_no_part(new_host, reports, part, field):
    answer = reports(new_host(), {**GPU, **part})
    assert (answer.status, answer.fields) == (400, {field})


def test_what_is_no_list_of_parts(new_host, reports):
    host = new_host()
    assert reports(host, GPU, GPU).fields == {"children"}
    assert reports(host, *({**GPU, "slot": f"{n}"} for n in range(65))).fields == {"children"}
    assert reports(host, GPU, version="1.1").fields == {"children"}, "a field of 1.2"
    assert reports(host, {**GPU, "properties": {"numa_node": "one"}}).status == 400
    assert reports(host, {**GPU, "properties": {"vendor": 7}}).status == 400

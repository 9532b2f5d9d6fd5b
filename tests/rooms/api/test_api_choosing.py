"""Version 1.1 of choosing a host: what may be asked for, and why a request fits where it does, or nowhere."""

import dataclasses
from typing import Any
from uuid import uuid4

import pytest

from tests.rooms.api.cast import request_for
from tests.rooms.api.portal import Portal


def newer(portal: Portal) -> Portal:
    return dataclasses.replace(portal, version="1.1")


@pytest.fixture
def asking(operator, cell_of_api):
    def ask(**changes: Any):
        resource = {"resource_class": "compute", "amounts": {"vcpus": 2}}
        resource |= {name: changes.pop(name) for name in ("properties", "any_of", "amounts") if name in changes}
        return newer(operator).post("/api/schedule", request_for(cell_of_api, resources=[resource], **changes))

    return ask


def where(answer) -> str:
    assert answer.status == 201, answer
    return answer.body["claims"][0]["provider"]


def test_conditions_on_properties(asking, new_host):
    arm, xen = (
        new_host(properties={"cpu_arch": "aarch64", "hypervisor": "kvm"})["id"],
        new_host(properties={"cpu_arch": "x86_64", "hypervisor": "xen"})["id"],
    )
    assert where(asking(properties={"cpu_arch": {"!=": "x86_64"}})) == arm
    assert where(asking(properties={"hypervisor": {"in": ["xen", "hyperv"]}})) == xen
    assert where(asking(properties={"cpu_arch": {"==": "aarch64"}, "hypervisor": "kvm"})) == arm
    assert asking(properties={"hypervisor": {"in": ["hyperv"]}}).code == "no_valid_host"


def test_numbers_are_compared(operator, new_host, cell_of_api):
    amounts = {"nodes": 1}
    small, large = (
        new_host(resource_class="baremetal", amounts=amounts, properties={"cpus": cpus})["id"] for cpus in (8, 64)
    )
    for conditions, expected in (({">=": 32}, large), ({"<=": 32}, small)):
        wanted = {"resource_class": "baremetal", "amounts": amounts, "properties": {"cpus": conditions}}
        assert where(newer(operator).post("/api/schedule", request_for(cell_of_api, resources=[wanted]))) == expected


def test_any_of_some_traits(asking, new_host):
    new_host(traits=["HDD"])
    ssd = new_host(traits=["SSD", "FAST"])["id"]
    assert where(asking(any_of=[["SSD", "NVME"], ["FAST"]])) == ssd
    assert asking(any_of=[["NVME"]]).code == "no_valid_host"


def test_with_and_apart_from_other_requests(asking, new_host):
    for _ in range(3):
        new_host()
    first = asking()
    named = [first.body["request_id"]]
    assert where(asking(same_host_as=named)) == where(first)
    second = asking(different_host_from=named)
    assert where(second) != where(first)
    both = [*named, second.body["request_id"]]
    assert where(asking(different_host_from=both)) not in (where(first), where(second))
    unknown = asking(same_host_as=[str(uuid4())])
    assert (unknown.status, unknown.fields) == (400, {"same_host_as"})


def test_spread_over_zones(asking, new_host):
    zones = {new_host(failure_domain={"rack": "", "zone": f"z{n % 2}"})["id"]: f"z{n % 2}" for n in range(4)}
    group = {"id": uuid4().hex, "policy": "spread", "scope": "zone"}
    landed = [zones[where(asking(group=group))] for _ in range(4)]
    assert sorted(landed[:2]) == sorted(landed[2:]) == ["z0", "z1"]
    many = asking(group={**group, "id": uuid4().hex}, count=4)
    assert sorted(zones[claim["provider"]] for claim in many.body["claims"]) == ["z0", "z0", "z1", "z1"]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"properties": {"cpu_arch": {}}}, "resources.0.properties.cpu_arch"),
        ({"properties": {"cpu_arch": {"~": "x"}}}, "resources.0.properties.cpu_arch.~"),
        ({"properties": {"cpu_arch": {">=": "x"}}}, "resources.0.properties.cpu_arch"),
        ({"properties": {"cpu_arch": {"in": []}}}, "resources.0.properties.cpu_arch.in"),
        ({"properties": {"cpu_arch": {"in": [[]]}}}, "resources.0.properties.cpu_arch.in"),
        ({"properties": {"colour": {"!=": "red"}}}, "resources.0.properties.colour"),
        ({"any_of": ["SSD"]}, "resources.0.any_of.0"),
        ({"any_of": [[]]}, "resources.0.any_of.0"),
        ({"any_of": {"SSD": 1}}, "resources.0.any_of"),
        ({"same_host_as": ["x"]}, "same_host_as"),
        ({"different_host_from": "x"}, "different_host_from"),
        ({"group": {"id": "a", "policy": "affinity", "max_skew": 2}}, "group.max_skew"),
        ({"group": {"id": "a", "policy": "spread", "max_skew": 0}}, "group.max_skew"),
        ({"weighers": {"free_amount.": 1}}, "weighers.free_amount."),
    ],
)
def test_mistakes_are_named(asking, changes, field):
    answer = asking(**changes)
    assert (answer.status, answer.fields) == (400, {field})


def test_1_0_knows_nothing_of_it(operator, cell_of_api, new_host):
    new_host()
    wanted = {"resource_class": "compute", "amounts": {"vcpus": 99}}
    for changes in ({"any_of": [["SSD"]]}, {"properties": {"cpu_arch": {"!=": "x"}}}):
        answer = operator.post("/api/schedule", request_for(cell_of_api, resources=[{**wanted, **changes}]))
        assert answer.status == 400
    for changes in ({"same_host_as": []}, {"group": {"id": "a", "policy": "spread"}}):
        assert operator.post("/api/schedule", request_for(cell_of_api, **changes)).status == 400
    old = operator.post("/api/schedule", request_for(cell_of_api, resources=[wanted])).body["explain"]
    assert set(old) == {"considered", "funnel", "nearest", "resource_class", "query", "search"}
    assert [s["stage"] for s in old["funnel"]] == ["alive", "state", "aggregates", "traits", "properties", "capacity"]
    assert operator.post("/api/explain", request_for(cell_of_api)).status == 404


class TestWhatWouldMakeItFit:
    def test_less_of_an_amount(self, asking, new_host):
        for memory in (4096, 4096, 6144):
            new_host(amounts={"vcpus": 8, "memory_mb": memory, "disk_gb": 10})
        explain = asking(amounts={"vcpus": 2, "memory_mb": 8192}).body["explain"]
        assert [c["text"] for c in explain["changes"]] == [
            "memory_mb 6144 instead of 8192: 1 provider",
            "memory_mb 4096 instead of 8192: 3 providers",
        ]
        assert (explain["seen"]["providers"], explain["seen"]["shards"]) == (3, explain["seen"]["of_shards"])

    def test_less_of_several(self, asking, new_host):
        new_host(amounts={"vcpus": 4, "memory_mb": 4096, "disk_gb": 10})
        (change,) = asking(amounts={"vcpus": 8, "memory_mb": 8192}).body["explain"]["changes"]
        assert change["text"] == "memory_mb 4096 instead of 8192 and vcpus 4 instead of 8: 1 provider"

    def test_a_trait_less_and_what_an_operator_can_do(self, asking, new_host):
        new_host(traits=["SSD"], state="disabled")
        new_host()
        changes = asking(any_of=[["SSD"]]).body["explain"]["changes"]
        assert [(c["by"], c["text"]) for c in changes] == [
            ("request", "without any_of SSD: 1 provider"),
            ("operator", "1 provider would do if they were enabled"),
        ]

    def test_the_advice_holds(self, asking, new_host):
        new_host(amounts={"vcpus": 3, "memory_mb": 4096, "disk_gb": 10})
        (change,) = asking(amounts={"vcpus": 5}).body["explain"]["changes"]
        assert asking(amounts={"vcpus": change["to"]}).status == 201


def test_a_request_is_explained_as_things_are_now(viewer, operator, new_host, cell_of_api):
    host, full = new_host(), new_host(amounts={"vcpus": 1, "memory_mb": 1024, "disk_gb": 1})
    body = request_for(cell_of_api)
    asked = f"/api/explain?provider={host['id']},{full['id']}"
    told = newer(viewer).post(asked, body).body
    assert told["explanations"][0]["considered"] == 2
    assert [(p["provider"], p["fits"], p["reason"]) for p in told["providers"]] == [
        (host["id"], True, None),
        (full["id"], False, "capacity"),
    ]
    made = newer(operator).post("/api/schedule", body).body["request_id"]
    again = newer(viewer).get(f"/api/requests/{made}/explain?provider={full['id']}").body
    assert [(p["fits"], p["detail"]) for p in again["providers"]] == [(False, "short by 1 vcpus")]
    assert newer(viewer).get(f"/api/requests/{made}/explain?provider={uuid4()}").status == 404
    assert newer(viewer).get(f"/api/requests/{made}/explain?provider=x").fields == {"provider"}
    assert newer(viewer).get(f"/api/requests/{uuid4()}/explain").status == 404

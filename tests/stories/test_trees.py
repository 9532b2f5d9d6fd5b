"""A host with GPUs and NUMA cells: what belongs together is claimed together, by one transaction, on one tree."""

import random
import uuid
from typing import Any

import pytest

from claims.find import on_provider
from conductor.decide import decide
from conductor.place import schedule
from conductor.types import NoValidHost, Placed, ScheduleRequest
from providers import own_class
from providers.change import Changes, change
from providers.heartbeat import silence
from providers.records import locate, read_provider
from providers.resource_classes.kind import amount, text_property
from scheduler.types import Resource
from tests.rooms.api.cast import request_for

VCPUS = Resource("compute", {"vcpus": 4})
DISK = Resource("block_storage", {"capacity_gb": 10})


@pytest.fixture(scope="module")
def gpu(cassandra) -> str:
    """The name of an operator's own class."""
    name = f"gpu_{uuid.uuid4().hex[:8]}"
    own_class.create(name, [amount("gpus", "GPU"), text_property("model")])
    return name


@pytest.fixture
def gpu_host(host, gpu):
    """A host with 8 vCPU and so many GPUs, each a child without an agent of its own."""

    def make(*gpus: int, **changes: Any):
        root = host(**({"heartbeat": "none"} | changes))
        has = {"resource_class": gpu, "heartbeat": "none", "parent": root.id}
        return root, *(host(amounts={"gpus": n}, **has) for n in gpus)

    return make


def ask(cell, *resources: Resource, **changes: Any) -> ScheduleRequest:
    return ScheduleRequest("me", "project", resources, {"n": len(resources)}, "me", cell=cell.name, **changes)


def available(own) -> dict[str, int]:
    return read_provider(own.id)[1].available


def kinds(*owns) -> list[str]:
    return sorted(r.kind for own in owns for r in on_provider(own.id))


def where(placed) -> list[str]:
    assert isinstance(placed, Placed), placed
    return [claim["provider"] for claim in placed.claims]


def set_state(own, state: str) -> None:
    change(own.id, read_provider(own.id)[1].state_version, Changes({"state": state}, {}, {}))


def stages(answer) -> dict[str, int]:
    assert isinstance(answer, NoValidHost), answer
    return {s["stage"]: s["removed"] for s in answer.explanation["funnel"]}


@pytest.mark.parametrize("search", ["sample", "all"])
def test_the_gpu_is_that_of_the_host(cell, host, gpu_host, gpu, search):
    for _ in range(3):
        host(heartbeat="none", amounts={"vcpus": 64})
    small = gpu_host(2)
    gpu_host(8, amounts={"vcpus": 2})
    placed = schedule(ask(cell, VCPUS, Resource(gpu, {"gpus": 2}), search=search))
    assert where(placed) == [str(own.id) for own in small]
    assert placed.attempts == 1  # one tree, one transaction
    assert {c["state"] for c in placed.claims} == {"claimed"}


def test_a_volume_of_another_tree_is_held_beside_it(cell, host, gpu_host, gpu):
    root, one = gpu_host(1)
    pool = host(resource_class="block_storage", amounts={"capacity_gb": 100}, heartbeat="none")
    placed = schedule(ask(cell, VCPUS, DISK, Resource(gpu, {"gpus": 1})))
    assert set(where(placed)) == {str(root.id), str(pool.id), str(one.id)}
    assert placed.attempts == 2
    assert (available(root)["vcpus"], available(one), available(pool)["capacity_gb"]) == (4, {"gpus": 0}, 90)


def test_no_gpu_beside_room_is_no_and_says_so(cell, host, gpu_host, gpu):
    host(heartbeat="none", amounts={"vcpus": 64})
    root, _ = gpu_host(1, amounts={"vcpus": 3})
    answer = schedule(ask(cell, VCPUS, Resource(gpu, {"gpus": 1})))
    assert stages(answer)["same_tree"] == 1
    assert answer.explanation["resource_class"] == gpu
    assert answer.explanation["nearest"] == [
        {"provider": str(root.id), "name": root.row["name"], "short_by": {"vcpus": 1}}
    ]


def test_copies_are_whole_and_fill_what_there_is(cell, gpu_host, gpu):
    first, second = gpu_host(1, 1), gpu_host(1)
    wanted = (VCPUS, Resource(gpu, {"gpus": 1}))
    assert isinstance(schedule(ask(cell, *wanted, count=4)), NoValidHost)
    assert kinds(*first, *second) == []
    placed = schedule(ask(cell, *wanted, count=3))
    assert len(set(where(placed))) == 5
    assert available(first[0])["vcpus"] == 0
    assert all(available(own) == {"gpus": 0} for own in (*first[1:], second[1]))
    for compute, device in zip(placed.claims[::2], placed.claims[1::2], strict=True):
        root = read_provider(uuid.UUID(device["provider"]))[0].root_id
        assert compute["provider"] == str(root)


def test_of_many_as_many_whole_ones_as_there_is_room_for(cell, gpu_host, gpu):
    owns = gpu_host(1, 1, amounts={"vcpus": 64})
    placed = schedule(ask(cell, VCPUS, Resource(gpu, {"gpus": 1}), count=5, all_or_nothing=False))
    assert len(where(placed)) == 4
    assert available(owns[0])["vcpus"] == 56


def test_two_gpus_of_one_host(cell, gpu_host, gpu):
    gpu_host(1), gpu_host(1)
    both = gpu_host(1, 1)
    one = Resource(gpu, {"gpus": 1})
    assert set(where(schedule(ask(cell, VCPUS, one, one)))) == {str(own.id) for own in both}


def test_several_on_one_child_are_summed(cell, gpu_host, gpu):
    root, one = gpu_host(4)
    placed = schedule(ask(cell, Resource("compute", {"vcpus": 1}), Resource(gpu, {"gpus": 2}), count=2))
    assert len(where(placed)) == 4
    assert placed.attempts == 1
    assert (available(root)["vcpus"], available(one)) == (6, {"gpus": 0})


@pytest.mark.parametrize("rare", ["gpu", "host"])
def test_the_one_host_is_found_among_many_without_reading_all(cell, host, gpu_host, gpu, monkeypatch, settings, rare):
    settings.SCHEDULE_SAMPLE_HOSTS = 2
    for _ in range(8):
        if rare == "gpu":
            host(heartbeat="none")
        else:
            gpu_host(1)
    owns = gpu_host(1, traits=frozenset({"SSD"})) if rare == "host" else gpu_host(1)
    monkeypatch.setattr("conductor.exact.sweep_all", None)  # a sample finds it
    compute = Resource("compute", {"vcpus": 4}, required=frozenset({"SSD"} if rare == "host" else ()))
    decision = decide(ask(cell, compute, Resource(gpu, {"gpus": 1})), random.Random(3))
    assert [unit.tries[0].provider_id for unit in decision.assignment.units] == [own.id for own in owns]


class TestARootThatIsNotForSale:
    @pytest.mark.parametrize("state", ["disabled", "draining"])
    def test_sells_nothing_below_it(self, cell, gpu_host, gpu, state):
        root, one, two = gpu_host(1, 1)
        wanted = ask(cell, Resource(gpu, {"gpus": 1}))
        set_state(root, state)
        assert stages(schedule(wanted))["state"] == 2
        set_state(root, "enabled")
        set_state(one, state)
        assert where(schedule(wanted)) == [str(two.id)]
        refused = stages(schedule(wanted))
        assert (refused["state"], refused["capacity"]) == (1, 1)

    def test_neither_when_its_agent_is_dead(self, cell, gpu_host, gpu):
        root, _ = gpu_host(1, heartbeat="agent")
        wanted = ask(cell, Resource(gpu, {"gpus": 1}))
        assert isinstance(schedule(wanted), Placed)
        silence(locate(root.id))
        assert stages(schedule(wanted))["alive"] == 1

    @pytest.mark.parametrize("who", ["root", "child"])
    @pytest.mark.parametrize("beside", [True, False], ids=["with its root", "alone"])
    def test_neither_when_it_was_disabled_after_the_decision(self, cell, host, gpu, monkeypatch, who, beside, gpu_host):
        """The decision saw it enabled; the transaction does not."""
        owns = [gpu_host(1), None]
        built_in = host(heartbeat="none"), None
        ports = host(resource_class="network", amounts={"ipv4_addresses": 4}, heartbeat="none", parent=built_in[0].id)
        for root, child, wanted in (
            (*owns[0], Resource(gpu, {"gpus": 1})),
            (built_in[0], ports, Resource("network", {"ipv4_addresses": 1})),
        ):
            from_view = {}

            def late(request, rng, decide=decide, root=root, child=child, seen=from_view):
                if seen:
                    return decide(request, rng)
                seen["decision"] = decide(request, rng)
                set_state(root if who == "root" else child, "disabled")
                return seen["decision"]

            monkeypatch.setattr("conductor.place.decide", late)
            resources = [Resource("compute", {"vcpus": 1}), wanted] if beside else [wanted]
            answer = schedule(ask(cell, *resources))
            assert from_view["decision"].assignment is not None
            assert isinstance(answer, NoValidHost), answer
            assert kinds(root, child) == []
            monkeypatch.undo()


def test_a_gpu_instance_from_the_api_and_back(admin, operator, viewer, new_host, agent_of, cell_of_api, gpu):
    for _ in range(2):
        new_host()
    host = new_host()
    card = new_host(resource_class=gpu, amounts={"gpus": 1}, parent=host["id"], heartbeat="none")
    wanted = [
        {"resource_class": "compute", "amounts": {"vcpus": 2}},
        {"resource_class": gpu, "amounts": {"gpus": 1}},
    ]
    ranked = operator.post("/api/schedule", request_for(cell_of_api, resources=wanted, dry_run=True)).body
    assert [one["provider"] for one in ranked["ranked"]] == [host["id"]]
    placed = operator.post("/api/schedule", request_for(cell_of_api, resources=wanted))
    assert placed.status == 201
    assert [claim["provider"] for claim in placed.body["claims"]] == [host["id"], card["id"]]
    refused = operator.post("/api/schedule", request_for(cell_of_api, resources=wanted))
    assert refused.code == "no_valid_host"

    # The host builds it; its GPU, which nobody builds, follows.
    agent = agent_of(host)
    (order,) = agent.get(f"/api/providers/{host['id']}/claims").body["results"]
    agent.post(f"/api/claims/{order['id']}/building")
    agent.post(f"/api/claims/{order['id']}/consume")
    request = f"/api/requests/{placed.body['request_id']}"
    assert viewer.get(request).body["state"] == "active"
    assert viewer.get(f"/api/claims/{placed.body['claims'][1]['id']}").body["state"] == "active"
    assert admin.delete(f"/api/providers/{card['id']}").code == "conflict"

    assert operator.delete(request).status == 202
    agent.post(f"/api/requests/{placed.body['request_id']}/destroyed")
    assert viewer.get(request).body["state"] == "released"
    assert viewer.get(f"/api/providers/{card['id']}").body["available"] == {"gpus": 1}
    assert viewer.get(f"/api/providers/{host['id']}").body["available"]["vcpus"] == 8
    assert admin.delete(f"/api/providers/{host['id']}").code == "conflict"
    assert admin.delete(f"/api/providers/{card['id']}").status == 204
    assert admin.delete(f"/api/providers/{host['id']}").status == 204

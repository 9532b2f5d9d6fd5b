"""An operator's own class: made at run time, then scheduled, claimed, built and given back like a built-in one."""

import threading
import uuid
from collections import Counter
from typing import Any
from uuid import UUID

import pytest

from claims.find import on_provider
from conductor.place import schedule
from conductor.progress import building, built
from conductor.release import delete_request, release_claim
from conductor.types import NoValidHost, Placed, ScheduleRequest
from providers import own_class
from providers.records import read_provider
from providers.resource_classes.kind import amount, integer_property, text_property
from scheduler.types import Resource
from tests.rooms.api.cast import request_for


@pytest.fixture(scope="module")
def fpga(cassandra) -> str:
    name = f"fpga_{uuid.uuid4().hex[:8]}"
    own_class.create(
        name,
        [
            amount("boards", "board"),
            amount("slices", "slice"),
            text_property("vendor"),
            integer_property("speed", "MHz"),
        ],
    )
    return name


@pytest.fixture
def shelf(host, fpga):
    def make(boards: int = 5, **changes: Any):
        amounts = {"boards": boards, "slices": 100}
        return host(**({"resource_class": fpga, "amounts": amounts, "heartbeat": "none", "properties": {}} | changes))

    return make


def ask(cell, *resources: Resource, **changes: Any) -> ScheduleRequest:
    return ScheduleRequest("me", "project", resources, {"n": len(resources)}, "me", cell=cell.name, **changes)


def available(own) -> dict[str, int]:
    return read_provider(own.id)[1].available


def where(placed) -> list[str]:
    assert isinstance(placed, Placed), placed
    return [claim["provider"] for claim in placed.claims]


def test_its_properties_and_amounts_are_filtered(cell, shelf, fpga):
    slow = shelf(properties={"vendor": "acme", "speed": 200})
    fast = shelf(properties={"vendor": "acme", "speed": 400})
    small = shelf(1, properties={"vendor": "other", "speed": 400})
    assert where(schedule(ask(cell, Resource(fpga, {"boards": 1}, {"speed": 200})))) == [str(slow.id)]
    assert where(schedule(ask(cell, Resource(fpga, {"boards": 3}, {"vendor": "acme", "speed": 400})))) == [str(fast.id)]
    answer = schedule(ask(cell, Resource(fpga, {"boards": 3}, {"vendor": "other"})))
    assert isinstance(answer, NoValidHost)
    assert {s["stage"]: s["removed"] for s in answer.explanation["funnel"]}["properties"] == 2
    assert answer.explanation["nearest"] == [
        {"provider": str(small.id), "name": small.row["name"], "short_by": {"boards": 2}}
    ]
    assert answer.explanation["considered"] == 3


def test_one_that_is_found_among_many_that_do_not_fit(cell, shelf, fpga, settings):
    """Its amounts are in maps, which no query filters: the few that fit may not be in a sample."""
    settings.SCHEDULE_SAMPLE_HOSTS = 2
    for _ in range(12):
        shelf(0)
    one = shelf(1)
    assert where(schedule(ask(cell, Resource(fpga, {"boards": 1})))) == [str(one.id)]


def test_with_built_in_classes_in_one_request_and_one_transaction(cell, host, shelf, fpga):
    root = host(heartbeat="none")
    board = shelf(2, parent=root.id)
    pool = shelf(9)
    wanted = (Resource("compute", {"vcpus": 2}), Resource(fpga, {"boards": 1, "slices": 30}))
    placed = schedule(ask(cell, *wanted, count=2))
    assert Counter(where(placed)) == {str(root.id): 2, str(board.id): 2}
    assert placed.attempts == 1
    assert available(board) == {"boards": 0, "slices": 40}
    assert available(root)["vcpus"] == 4
    again = schedule(ask(cell, *wanted))  # the host's own are used up: a shelf of nobody's does as well
    assert set(where(again)) == {str(root.id), str(pool.id)}
    for answer in (placed, again):
        assert delete_request(answer.request_id, "me")
    assert [available(own) for own in (root, board, pool)] == [own.available for own in (root, board, pool)]


def test_it_is_built_beside_its_host_and_destroyed(cell, host, shelf, fpga):
    root = host()
    board = shelf(2, parent=root.id, heartbeat="agent")
    placed = schedule(ask(cell, Resource("compute", {"vcpus": 2}), Resource(fpga, {"boards": 1, "slices": 10})))
    for claim in placed.claims:
        building(UUID(claim["id"]), root.id)  # the root's agent acts for its tree
        built(UUID(claim["id"]), root.id)
    now = read_provider(board.id)[1]
    assert now.amounts == now.available == {"boards": 1, "slices": 90}
    assert [r.gives_back for r in on_provider(board.id)] == [{"boards": 1, "slices": 10}]
    delete_request(placed.request_id, "me", force=True)
    for own in (root, board):
        now = read_provider(own.id)[1]
        assert (now.amounts, now.available) == (own.amounts, own.available)


def test_many_at_once_never_sell_a_board_twice(cell, shelf, fpga):
    """Each claim is under `IF generation = ?`, so callers overtake each other all the time."""
    own = shelf(10)
    answers: list[Any] = []

    def caller() -> None:
        answers.extend(schedule(ask(cell, Resource(fpga, {"boards": 1, "slices": 2}))) for _ in range(4))

    threads = [threading.Thread(target=caller) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    placed = [answer for answer in answers if isinstance(answer, Placed)]
    assert Counter(type(answer) for answer in answers) == {Placed: 10, NoValidHost: 6}
    assert [r.kind for r in on_provider(own.id)] == ["claim"] * 10
    assert available(own) == {"boards": 0, "slices": 80}
    releases = [threading.Thread(target=release_claim, args=(UUID(a.claims[0]["id"]), "me")) for a in placed]
    for thread in releases:
        thread.start()
    for thread in releases:
        thread.join()
    assert available(own) == own.available
    assert not [r for r in on_provider(own.id) if r.kind == "claim"]


def test_from_nothing_to_an_active_request_through_the_api(admin, operator, viewer, new_host, agent_of, cell_of_api):
    name = f"robot_{uuid.uuid4().hex[:8]}"
    columns = [
        {"name": "arms", "unit": "arm", "kind": "amount"},
        {"name": "reach_cm", "unit": "cm", "kind": "property", "type": "integer"},
    ]
    wanted = [{"resource_class": name, "amounts": {"arms": 2}, "properties": {"reach_cm": 80}}]
    assert operator.post("/api/schedule", request_for(cell_of_api, resources=wanted)).fields == {
        "resources.0.resource_class"
    }
    assert admin.post("/api/resource-classes", {"name": name, "columns": columns}).status == 201
    robot = new_host(resource_class=name, amounts={"arms": 4}, properties={"reach_cm": 80})
    change = {"state_version": robot["state_version"], "inventory": {"arms": {"total": 3}}}
    assert admin.patch(f"/api/providers/{robot['id']}", change).body["available"] == {"arms": 3}

    placed = operator.post("/api/schedule", request_for(cell_of_api, resources=wanted))
    assert placed.status == 201
    assert placed.body["claims"][0]["amounts"] == {"arms": -2}
    refused = operator.post("/api/schedule", request_for(cell_of_api, resources=wanted))
    assert refused.body["explain"]["nearest"] == [
        {"provider": robot["id"], "name": robot["name"], "short_by": {"arms": 1}}
    ]
    assert admin.delete(f"/api/resource-classes/{name}").code == "conflict"

    # It shrinks under its claim and grows again; the claim stays counted.
    for total, left in ((1, -1), (3, 1)):
        now = viewer.get(f"/api/providers/{robot['id']}").body
        change = {"state_version": now["state_version"], "inventory": {"arms": {"total": total}}}
        assert admin.patch(f"/api/providers/{robot['id']}", change).body["available"] == {"arms": left}

    agent = agent_of(robot)
    (order,) = agent.get(f"/api/providers/{robot['id']}/claims").body["results"]
    agent.post(f"/api/claims/{order['id']}/building")
    agent.post(f"/api/claims/{order['id']}/consume")
    now = viewer.get(f"/api/providers/{robot['id']}").body
    assert (now["amounts"], now["available"]) == ({"arms": 1}, {"arms": 1})
    request = f"/api/requests/{placed.body['request_id']}"
    assert viewer.get(request).body["state"] == "active"
    capacity = viewer.get(f"/api/capacity?cell={cell_of_api}").body
    assert name in str(capacity)

    operator.delete(request)
    agent.post(f"/api/requests/{placed.body['request_id']}/destroyed")
    assert viewer.get(f"/api/providers/{robot['id']}").body["available"] == {"arms": 3}
    assert admin.delete(f"/api/providers/{robot['id']}").status == 204
    assert admin.delete(f"/api/resource-classes/{name}").status == 204
    assert operator.post("/api/schedule", request_for(cell_of_api, resources=wanted)).code == "invalid"

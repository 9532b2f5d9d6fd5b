"""`/api/headroom`: how many more fit, what binds, what is stranded, and how far it came in its time."""

from dataclasses import replace
from uuid import uuid4

import pytest

from conductor import recent_shapes
from tests.rooms.api.cast import request_for
from tests.rooms.api.portal import Portal

SHAPE = {"resource_class": "compute", "amounts": {"vcpus": 2, "memory_mb": 4096}}


@pytest.fixture
def asking(viewer: Portal, cell_of_api: str):
    """Asks about the shape in the test's cell; the answer for that shape there."""
    viewer = replace(viewer, version="1.1")

    def ask(**changes):
        answer = viewer.post("/api/headroom", {**SHAPE, "cell": cell_of_api, **changes})
        assert answer.status == 200, answer
        assert answer.body["complete"]
        (shape,) = answer.body["shapes"]
        (cell,) = shape["cells"]
        assert (cell["cell"], cell["fits"], cell["columns"]) == (cell_of_api, shape["fits"], shape["columns"])
        return cell

    return ask


def test_how_many_more_fit_and_what_is_left_over(asking, new_host):
    new_host()
    new_host(amounts={"vcpus": 3, "memory_mb": 65536, "disk_gb": 1})
    new_host(state="disabled")
    found = asking()
    assert (found["fits"], found["hosts"], found["seen"]) == (3, 2, 3)
    assert found["refused"] == {"state": 1}
    assert found["binds"] == {"memory_mb": 1, "vcpus": 1}
    assert found["columns"] == {
        "vcpus": {"free": 11, "usable": 6, "stranded": 5, "stranded_share": 0.4545},
        "memory_mb": {"free": 73728, "usable": 12288, "stranded": 61440, "stranded_share": 0.8333},
    }
    assert (found["shards_read"], found["shards"]) == (1, 1)


def test_as_many_as_it_says_can_be_claimed(asking, operator, new_host, cell_of_api):
    new_host(), new_host(amounts={"vcpus": 5, "memory_mb": 8192, "disk_gb": 1})
    there = asking()["fits"]
    body = request_for(cell_of_api, resources=[SHAPE])
    answers = [operator.post("/api/schedule", body).status for _ in range(there + 1)]
    assert answers == [201] * there + [409]
    assert asking()["fits"] == 0


def test_a_query_says_the_same_as_a_body(asking, viewer, new_host, cell_of_api):
    new_host(traits=["SSD"])
    new_host(traits=["SSD", "NOISY"])
    new_host()
    query = f"resource_class=compute&vcpus=2&memory_mb=4096&required=SSD&forbidden=NOISY,LOUD&cell={cell_of_api}"
    answer = replace(viewer, version="1.1").get(f"/api/headroom?{query}")
    (shape,) = answer.body["shapes"]
    assert shape["cells"] == [asking(required=["SSD"], forbidden=["NOISY", "LOUD"])]
    assert (shape["fits"], shape["cells"][0]["refused"]) == (2, {"traits": 2})


def test_a_whole_machine_is_one(asking, new_host):
    (
        new_host(resource_class="baremetal", amounts={"nodes": 1}),
        new_host(resource_class="baremetal", amounts={"nodes": 1}),
    )
    assert asking(resource_class="baremetal", amounts={"nodes": 1})["fits"] == 2


def test_a_disabled_cell_has_no_room(viewer, admin, new_host, cell_of_api):
    new_host()
    admin.patch(f"/api/cells/{cell_of_api}", {"state": "disabled"})
    answer = replace(viewer, version="1.1").post("/api/headroom", {**SHAPE, "cell": cell_of_api})
    assert (answer.body["shapes"][0]["fits"], answer.body["shapes"][0]["cells"]) == (0, [])


def test_hosts_that_are_kept_for_others_are_passed_over(asking, operator, new_host):
    name = f"gold-{uuid4().hex[:8]}"
    aggregate = {"name": name, "tenants": ["rich"]}
    assert replace(operator, version="1.1").post("/api/aggregates", aggregate).status == 201
    new_host(aggregates=[name])
    assert asking()["refused"] == {"isolation": 1}
    assert asking(project="rich")["fits"] == 2


def test_the_shapes_that_were_asked_for_lately(viewer, operator, new_host, cell_of_api):
    new_host(amounts={"vcpus": 64, "memory_mb": 65536, "disk_gb": 100})
    new_host(resource_class="network", amounts={"bandwidth_mbps": 100})
    large, small = {"vcpus": 16, "memory_mb": 1024}, {"vcpus": 1, "memory_mb": 8192}
    for amounts, count in ((large, 1), (small, 2), (large, 2), ({"vcpus": 1000}, 1)):
        resources = [{"resource_class": "compute", "amounts": amounts, "forbidden": ["NOISY"]}]
        operator.post("/api/schedule", request_for(cell_of_api, resources=resources, count=count))
    resources = [{"resource_class": "network", "amounts": {"bandwidth_mbps": 60}}]
    operator.post("/api/schedule", request_for(cell_of_api, resources=resources, count=1))
    answer = replace(viewer, version="1.1").get(f"/api/headroom?shapes=recent&cell={cell_of_api}")
    assert (answer.status, answer.body["requests"], answer.body["complete"]) == (200, 5, True)
    found = [(one["amounts"], one["asked"], one["fits"]) for one in answer.body["shapes"]]
    assert found == [(large, 3, 0), (small, 2, 5), ({"bandwidth_mbps": 60}, 1, 0), ({"vcpus": 1000}, 1, 0)]
    assert answer.body["shapes"][0]["columns"]["vcpus"] == {
        "free": 14, "usable": 0, "stranded": 14, "stranded_share": 1.0,
    }  # fmt: skip
    assert answer.body["shapes"][2]["columns"]["bandwidth_mbps"]["stranded"] == 40


def test_only_so_many_requests_and_shapes_are_looked_at(viewer, operator, new_host, cell_of_api, monkeypatch):
    monkeypatch.setattr(recent_shapes, "REQUESTS", 3)
    monkeypatch.setattr(recent_shapes, "SHAPES", 2)
    new_host()
    for vcpus in (1, 2, 3, 4):
        resources = [{"resource_class": "compute", "amounts": {"vcpus": vcpus}}]
        operator.post("/api/schedule", request_for(cell_of_api, resources=resources))
    answer = replace(viewer, version="1.1").get(f"/api/headroom?shapes=recent&cell={cell_of_api}")
    assert answer.body["requests"] == 3
    assert [one["amounts"]["vcpus"] for one in answer.body["shapes"]] == [4, 3]


def test_when_the_time_is_up_it_says_how_far_it_came(viewer, new_host, cell_of_api, monkeypatch, settings):
    monkeypatch.setattr("providers.shards.SIZE", 1)
    new_host(), new_host()
    settings.HEADROOM_SECONDS = 0.0
    answer = replace(viewer, version="1.1").post("/api/headroom", {**SHAPE, "cell": cell_of_api})
    assert (answer.body["complete"], answer.body["shards_read"], answer.body["shards"]) == (False, 1, 2)
    assert answer.body["shapes"][0]["cells"][0]["seen"] == 1


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("", "resource_class"),
        ("resource_class=gold", "resource_class"),
        ("resource_class=compute", "amounts"),
        ("resource_class=compute&vcpus=0", "amounts"),
        ("resource_class=compute&vcpus=two", "vcpus"),
        ("resource_class=compute&vcpus=-1", "vcpus"),
        ("resource_class=compute&vcpus=1&vcpus=2", "vcpus"),
        ("resource_class=compute&vcpus=1&nodes=1", "nodes"),
        ("resource_class=compute&vcpus=1&required=", "required"),
        ("resource_class=compute&vcpus=1&required=a,,b", "required.1"),
        ("resource_class=compute&vcpus=1&cell=nowhere", "cell"),
        ("resource_class=baremetal&nodes=2", "amounts"),
        ("shapes=old", "shapes"),
        ("shapes=recent&resource_class=compute", "resource_class"),
        ("shapes=recent&cell=nowhere", "cell"),
    ],
)
def test_a_wrong_query_is_refused_with_the_field(viewer, query, field):
    answer = replace(viewer, version="1.1").get(f"/api/headroom?{query}")
    assert (answer.status, answer.code) == (400, "invalid")
    assert field in answer.fields

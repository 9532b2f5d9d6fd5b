"""Cells and resource classes over HTTP."""

from uuid import uuid4

import pytest


def test_a_cell_is_created_read_changed_and_deleted(admin, viewer):
    name = f"Nürnberg / rack 7 {uuid4().hex[:6]}"
    made = admin.post("/api/cells", {"name": name, "description": "north"})
    assert (made.status, made.body["state"], made.body["datacenter"]) == (201, "enabled", "dc1")
    path = f"/api/cells/{name}"
    assert viewer.get(path).body == made.body
    changed = admin.patch(path, {"state": "disabled"})
    assert (changed.status, changed.body["state"], changed.body["description"]) == (200, "disabled", "north")
    assert admin.delete(path).status == 204
    assert viewer.get(path).code == "not_found"
    assert admin.delete(path).code == "not_found"


def test_a_name_is_taken_once(admin, cell_of_api):
    assert admin.post("/api/cells", {"name": cell_of_api}).code == "conflict"


def test_a_cell_with_providers_stays(admin, new_host, cell_of_api):
    provider = new_host()
    assert admin.delete(f"/api/cells/{cell_of_api}").code == "conflict"
    assert admin.delete(f"/api/providers/{provider['id']}").status == 204
    assert admin.delete(f"/api/cells/{cell_of_api}").status == 204


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": ""}, "name"),
        ({"name": "x" * 256}, "name"),
        ({"name": "a\u0000b"}, "name"),
        ({"name": 7}, "name"),
        ({"name": "n", "state": "broken"}, "state"),
        ({"name": "n", "datacenter": "nowhere"}, "datacenter"),
        ({"name": "n", "colour": "blue"}, "colour"),
    ],
)
def test_bad_cells(admin, body, field):
    answer = admin.post("/api/cells", body)
    assert (answer.status, answer.code) == (400, "invalid")
    assert field in answer.fields


def test_what_a_cell_is_cannot_be_changed(admin, cell_of_api):
    assert admin.patch(f"/api/cells/{cell_of_api}", {"datacenter": "dc2"}).fields == {"datacenter"}


def test_cells_come_in_pages(admin, viewer):
    mark = uuid4().hex[:6]
    names = [f"page-{mark}-{n}" for n in range(3)]
    for name in names:
        admin.post("/api/cells", {"name": name})
    seen = [cell["name"] for cell in viewer.all("/api/cells?limit=1")]
    assert [name for name in seen if mark in name] == names
    assert len(seen) == len(set(seen))


def test_the_built_in_classes_are_there(viewer):
    classes = {one["name"]: one for one in viewer.all("/api/resource-classes?limit=2")}
    assert {"compute", "baremetal", "block_storage", "network"} <= set(classes)
    columns = {c["name"]: c for c in classes["compute"]["columns"]}
    assert columns["memory_mb"] == {"name": "memory_mb", "unit": "MiB", "kind": "amount", "type": "integer"}
    assert columns["cpu_arch"]["kind"] == "property"
    assert viewer.get("/api/resource-classes/baremetal").body == classes["baremetal"]


def test_an_operators_own_class_lives_and_goes(admin, viewer, cell_of_api):
    name = f"gpu_{uuid4().hex[:6]}"
    columns = [{"name": "gpus", "unit": "GPU", "kind": "amount"}, {"name": "model", "kind": "property"}]
    made = admin.post("/api/resource-classes", {"name": name, "columns": columns})
    assert made.status == 201
    assert made.body["columns"][1] == {"name": "model", "unit": "", "kind": "property", "type": "string"}
    assert admin.post("/api/resource-classes", {"name": name, "columns": columns}).code == "conflict"
    body = {"name": "g1", "cell": cell_of_api, "resource_class": name, "amounts": {"gpus": 4}}
    provider = admin.post("/api/providers", {**body, "properties": {"model": "h1"}})
    assert provider.body["available"] == {"gpus": 4}
    assert admin.delete(f"/api/resource-classes/{name}").code == "conflict"
    assert admin.delete(f"/api/providers/{provider.body['id']}").status == 204
    assert admin.delete(f"/api/resource-classes/{name}").status == 204
    assert viewer.get(f"/api/resource-classes/{name}").code == "not_found"


def test_built_in_classes_stay(admin):
    assert admin.delete("/api/resource-classes/compute").code == "conflict"
    again = {"name": "compute", "columns": [{"name": "x", "kind": "amount"}]}
    assert admin.post("/api/resource-classes", again).code == "conflict"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "Bad Name", "columns": [{"name": "x", "kind": "amount"}]}, "name"),
        ({"name": "good", "columns": []}, "columns"),
        ({"name": "good", "columns": [{"name": "x", "kind": "property"}]}, "columns"),
        ({"name": "good", "columns": [{"name": "x", "kind": "colour"}]}, "columns.0.kind"),
        ({"name": "good", "columns": [{"name": "x", "kind": "amount", "extra": 1}]}, "columns.0.extra"),
        ({"name": "good", "columns": "x"}, "columns"),
    ],
)
def test_bad_classes(admin, body, field):
    answer = admin.post("/api/resource-classes", body)
    assert (answer.status, answer.code) == (400, "invalid")
    assert field in answer.fields

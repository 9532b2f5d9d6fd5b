"""Texts that are attacks, in every text field of the admin's forms and of what the API stores: refused with a reason,
or stored as they are and shown escaped; never a 5xx, never markup."""

import uuid

import pytest

from tests.rooms.api.cast import request_for

SCRIPT = "<script>alert(1)</script>"
NASTY = (
    SCRIPT,
    "\"'><img src=x onerror=alert(1)>",
    "'; DROP TABLE provider_records; --",
    "x' OR '1'='1",
    "{{ 7|add:7 }}{% debug %}",
    "%00",
    "a\x00b",
    "\u202egnp.exe\u202c\u2066\u200f",
    "\r\nSet-Cookie: a=b",
    "../../etc/passwd",
    "x" * 1_000_000,
)
FORMS = {
    "providers/cellrecord/add/": {"name": "", "datacenter": "dc1", "state": "enabled", "description": ""},
    "providers/computerecord/add/": {"name": "", "cell": "", "state": "enabled", "heartbeat": "agent"},
    "providers/aggregaterecord/add/": {"name": "", "properties": "", "description": ""},
    "providers/resourceclassrecord/add/": {"name": ""},
    "providers/maintenancerecord/add/": {"provider": "", "reason": ""},
    "conductor/policyrecord/add/": {"reason": ""},
}
ALONE = (SCRIPT, "a\x00b")  # in one field after the other; the others in all of a form at once
LISTS = (
    *("providers/cellrecord/", "providers/computerecord/", "providers/aggregaterecord/", "claims/claimrecord/"),
    *("conductor/requestrecord/", "events/eventrecord/", "conductor/policyrecord/", "api/token/"),
)
FILTERS = ("q", "next", "cell", "state", "provider", "consumer", "project", "older", "from", "until", "type")


def each_or_all(names, text):
    return [[name] for name in names] if text in ALONE else [list(names)]


def ids(text):
    return ascii(text[:20])


def harmless(answer, where):
    assert answer.status_code < 500, where
    said = answer.content.decode()
    assert SCRIPT not in said, where
    assert "<img src=x" not in said, where
    assert "Set-Cookie" not in answer.headers or "a=b" not in answer.headers["Set-Cookie"]


@pytest.mark.parametrize("text", NASTY, ids=ids)
def test_in_every_field_of_every_form_that_adds(cassandra, sign_in, text):
    client = sign_in("admin")
    for path, fields in FORMS.items():
        page = client.get(f"/admin/{path}")
        form = page.context["adminform"].form
        initial = {bound.name: bound.value() for bound in form if bound.value() is not None}
        for names in each_or_all(form.fields, text):
            harmless(client.post(f"/admin/{path}", {**initial, **fields, **dict.fromkeys(names, text)}), (path, names))


@pytest.mark.parametrize("text", NASTY, ids=ids)
def test_in_every_search_filter_and_key(cassandra, sign_in, text):
    client = sign_in("admin")
    for path in LISTS:
        for names in each_or_all(FILTERS, text):
            harmless(client.get(f"/admin/{path}", dict.fromkeys(names, text[:4000])), (path, names))
    for path in ("conductor/requestrecord/headroom/", "conductor/requestrecord/audit/"):
        for names in each_or_all(("cell", "at", "amounts", "resource_class"), text):
            harmless(client.get(f"/admin/{path}", dict.fromkeys(names, text[:4000])), (path, names))


@pytest.mark.parametrize("text", [text for text in NASTY if "\x00" not in text and len(text) < 100], ids=ids)
def test_what_is_stored_is_shown_escaped_everywhere(admin, operator, sign_in, cell_of_api, text):
    mark = uuid.uuid4().hex[:6]
    cell = admin.post("/api/cells", {"name": f"{mark}-c", "description": text})
    body = {"name": f"{mark}{text}", "cell": cell_of_api, "resource_class": "compute", "heartbeat": "none"}
    host = admin.post("/api/providers", body | {"amounts": {"vcpus": 8, "memory_mb": 8192, "disk_gb": 100}})
    asked = request_for(cell_of_api, consumer=text, project=text)
    placed = operator.post("/api/schedule", asked)
    assert all(answer.status in (201, 400, 409) for answer in (cell, host, placed)), (cell, host, placed)
    client = sign_in("admin")
    pages = [f"/admin/{path}?cell={cell_of_api}" for path in LISTS if "token" not in path] + [
        "/",
        f"/cells/{cell_of_api}/",
        "/admin/",
    ]
    if host.status == 201:
        base = f"/admin/providers/computerecord/{host.body['id']}"
        pages += [f"{base}/{kind}/" for kind in ("change", "drain", "decommission", "changes", "delete", "history")]
    if placed.status == 201:
        pages += [f"/admin/claims/claimrecord/{placed.body['claims'][0]['id']}/change/"]
        pages += [
            f"/admin/conductor/requestrecord/{placed.body['request_id']}/{kind}/" for kind in ("change", "explain")
        ]
    for page in pages:
        answer = client.get(page)
        assert answer.status_code == 200, page
        harmless(answer, page)
    assert client.get("/admin/providers/cellrecord/").status_code == 200  # the tables are still there

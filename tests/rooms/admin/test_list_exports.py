"""The admin's lists as files: whole, plain, typed, harmless to spreadsheets, and honest when they are not whole."""

import asyncio
import csv
import io
import json
import uuid

import pytest
from django.contrib.admin.models import LogEntry
from django.core.handlers.asgi import ASGIRequest

from conductor.place import schedule
from conductor.types import ScheduleRequest
from scheduler.types import Resource
from store import record_export
from store.failures import StoreUnavailable
from store.record_values import plain, said

HOSTS, CLAIMS = "/admin/providers/computerecord/", "/admin/claims/claimrecord/"
LISTS = ("providers/cellrecord", "providers/ownclassrecord", "providers/aggregaterecord", "providers/heartbeatrecord",
         "providers/maintenancerecord", "conductor/requestrecord", "events/eventrecord")  # fmt: skip


def text_of(answer):
    assert answer.status_code == 200, answer
    return b"".join(answer.streaming_content).decode()


def as_json(client, url, **asked):
    return json.loads(text_of(client.get(url, {**asked, "format": "json"})))


def as_csv(client, url, **asked):
    return list(csv.reader(io.StringIO(text_of(client.get(url, {**asked, "format": "csv"})))))


def test_all_pages_of_a_list_with_its_filters(host, cell, sign_in, monkeypatch):
    monkeypatch.setattr(record_export, "A_PAGE", 2)
    made = [host(heartbeat="none") for _ in range(5)]
    host(heartbeat="none", state="disabled")
    viewer = sign_in("viewer")
    found = as_json(viewer, HOSTS, cell=cell.name, state="enabled")
    assert (found["count"], found["complete"], "why" in found) == (5, True, False)
    assert {row["id"] for row in found["rows"]} == {str(own.id) for own in made}
    first = found["rows"][0]
    assert (first["vcpus"], first["available_vcpus"], first["claims"], first["cell"]) == (8, 8, 0, cell.name)
    lines = as_csv(viewer, HOSTS, cell=cell.name, state="enabled")
    assert lines[0] == found["columns"]
    assert [line[0] for line in lines[1:]] == [row["id"] for row in found["rows"]]
    entry = LogEntry.objects.get(change_message__contains="JSON")
    assert (entry.user.username, entry.object_repr) == ("viewer-0", "list of compute providers")
    assert entry.change_message == f"Exported as JSON: cell={cell.name}, state=enabled"
    page = viewer.get(HOSTS, {"cell": cell.name}).content.decode()
    assert f"?cell={cell.name}&amp;format=csv" in page
    assert "list of compute providers" in viewer.get("/admin/").content.decode()  # and it links to no record


def test_ids_are_whole_and_there_is_no_markup(host, cell, browser):
    own = host(heartbeat="none")
    resource = Resource("compute", {"vcpus": 2})
    asked = ScheduleRequest(
        consumer="<b>alice</b> & co", project="p1", resources=(resource,), body={}, username="tester", cell=cell.name
    )
    placed = schedule(asked)
    [row] = as_json(browser, CLAIMS, cell=cell.name)["rows"]
    assert row["claim"] == placed.claims[0]["id"]
    assert row["request"] == str(placed.request_id)
    assert (row["provider"], row["consumer"], row["keeps_it"]) == (own.row["name"], "<b>alice</b> & co", None)
    assert isinstance(row["age"], int)


@pytest.mark.parametrize("path", LISTS)
def test_every_list_has_both(host, browser, path):
    host()
    found = as_json(browser, f"/admin/{path}/")
    assert found["complete"] is True
    assert found["count"] == len(found["rows"])
    assert as_csv(browser, f"/admin/{path}/")[0] == found["columns"]


def test_a_cell_is_no_formula(host, cell, browser):
    for name in ("=1+1", "+1", "-1", "@x", "fine"):
        host(name, heartbeat="none")
    lines = as_csv(browser, HOSTS, cell=cell.name)
    names = {line[lines[0].index("name")] for line in lines[1:]}
    assert names == {"'=1+1", "'+1", "'-1", "'@x", "fine"}
    assert record_export._harmless("\tx") == "'\tx"
    assert record_export._harmless(-3) == -3  # a number is no text


def test_a_store_that_fails_in_the_middle_is_told(host, cell, browser, monkeypatch):
    monkeypatch.setattr(record_export, "A_PAGE", 2)
    for _ in range(4):
        host(heartbeat="none")
    from providers import provider_admin

    real, calls = provider_admin.list_providers, []

    def fails(*args):
        calls.append(args)
        if len(calls) % 2 == 0:
            raise StoreUnavailable("too few replicas alive")
        return real(*args)

    monkeypatch.setattr(provider_admin, "list_providers", fails)
    found = as_json(browser, HOSTS, cell=cell.name)
    assert (found["count"], found["complete"]) == (2, False)
    assert "too few replicas" in found["why"]
    lines = as_csv(browser, HOSTS, cell=cell.name)
    assert len(lines) == 4
    assert lines[-1] == ["INCOMPLETE: too few replicas alive; export it again"]
    calls.append(None)  # now the first page fails
    assert browser.get(HOSTS, {"cell": cell.name, "format": "csv"}).status_code == 503


def test_a_defect_in_the_middle_is_told_too(rf):
    def pages():
        yield [["a", 1]]
        raise KeyError("x")

    answer = record_export.respond(rf.get("/?format=json"), "things", ["name", "n"], pages())
    assert json.loads(text_of(answer)) == {
        "columns": ["name", "n"],
        "rows": [{"name": "a", "n": 1}],
        "count": 1,
        "complete": False,
        "why": "something went wrong; the portal's log says what",
    }


def test_there_is_a_limit(host, cell, browser, settings):
    settings.EXPORT_ROWS = 3
    for _ in range(3):
        host(heartbeat="none")
    assert as_json(browser, HOSTS, cell=cell.name)["complete"] is True
    host(heartbeat="none")
    found = as_json(browser, HOSTS, cell=cell.name)
    assert (found["count"], found["complete"]) == (3, False)
    assert "EXPORT_ROWS" in found["why"]


def test_bad_input_is_said(cell, browser, sign_in):
    answer = browser.get(HOSTS, {"format": "xlsx"})
    assert (answer.status_code, answer.content.decode()) == (400, "“xlsx” is no format of a list: csv or json\n")
    answer = browser.get(CLAIMS, {"format": "csv", "provider": "nonsense"})
    assert (answer.status_code, "is not an id" in answer.content.decode()) == (400, True)
    assert not LogEntry.objects.exists()
    assert sign_in("nobody").get(HOSTS, {"format": "csv"}).status_code == 403


def test_served_asynchronously_it_is_sent_as_it_is_read():
    """Django would read all of a synchronous iterator first."""
    read = []

    def pages():
        for number in range(3):
            read.append(number)
            yield [[number]]

    scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"format=csv", "headers": []}
    answer = record_export.respond(ASGIRequest(scope, io.BytesIO()), "numbers", ["n"], pages())

    async def follow():
        return [(chunk, len(read)) async for chunk in answer]

    assert asyncio.run(follow()) == [(b"n\r\n", 1), (b"0\r\n", 1), (b"1\r\n", 2), (b"2\r\n", 3)]


def test_what_a_value_stands_for():
    identifier = uuid.uuid4()
    assert plain(said("12…", 1234)) == 1234
    assert plain(identifier) == str(identifier)
    assert plain(frozenset({"b", "a"})) == ["a", "b"]
    assert plain(True) is True

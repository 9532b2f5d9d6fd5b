"""What the pages' scripts ask for beside the WebSocket: who may, bad questions, and the answers."""

import datetime as dt
import gzip
import json
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.test import Client

from api.tokens import issue
from conductor.place import schedule
from dashboard import checkpoints, follow, live
from dashboard.figures import Tally, figures
from dashboard.figures_table import STEP, put
from dashboard.follow import watch
from dashboard.snapshot import load
from events.tail import head_cursor
from providers import cells
from providers.cells import Cell
from providers.projection import projector
from providers.records import OwnRow
from store.record_roles import VIEWER
from tests.rooms.dashboard.cast import claim, request

pytestmark = pytest.mark.django_db(transaction=True)
Host = Callable[..., OwnRow]
KINDS = ("snapshot", "poll", "past", "figures", "events")


@pytest.fixture(autouse=True)
def ends() -> Iterator[None]:
    yield
    follow.end_all()


@pytest.fixture
def viewer(cassandra: Any) -> Client:
    user = get_user_model().objects.create_user(f"viewer-{uuid.uuid4().hex[:6]}")
    user.groups.add(Group.objects.get_or_create(name=VIEWER)[0])
    client = Client()
    client.force_login(user)
    return client


def ask(client: Client, path: str, status: int = 200, **query: str) -> dict[str, Any]:
    answer = client.get(f"/live/{path}", query)
    assert answer.status_code == status, answer.content
    assert answer["Content-Type"] == "application/json"
    assert "no-store" in answer["Cache-Control"]
    said: dict[str, Any] = json.loads(answer.content)
    return said


@pytest.mark.parametrize("kind", [*KINDS, "cells"])
def test_who_may_look(kind: str, cell: Cell, viewer: Client) -> None:
    path = "/live/cells" if kind == "cells" else f"/live/{kind}/{cell.name}"
    nobody = get_user_model().objects.create_user(f"nobody-{uuid.uuid4().hex[:6]}")
    without = Client()
    without.force_login(nobody)
    token = issue(nobody, "t")
    assert Client().get(path).status_code == 401
    assert Client(headers={"Authorization": f"Token {token}"}).get(path).status_code == 401  # programs have the API
    assert without.get(path).status_code == 403
    for method in ("post", "put", "delete"):
        answer = getattr(viewer, method)(path)
        assert (answer.status_code, answer["Allow"]) == (405, "GET")


@pytest.mark.parametrize("kind", KINDS)
def test_of_no_cell(kind: str, viewer: Client) -> None:
    for name in (f"none-{uuid.uuid4().hex}", "%00", "a/b/../c", "<b>"):
        said = ask(viewer, f"{kind}/{name}", 404)
        assert said["code"] == "not_found"


@pytest.mark.parametrize(
    ("kind", "query"),
    [
        ("poll", {"after": "nonsense"}),
        ("past", {"at": "yesterday"}),
        ("past", {"at": "2026-01-01T00:00:00"}),  # of which time zone?
        ("past", {"at": "0001-01-01T00:00:00+14:00"}),
        ("figures", {"since": "x"}),
        ("figures", {"since": "2026-01-02T00:00:00Z", "until": "2026-01-01T00:00:00Z"}),
        ("figures", {"since": "2001-01-01T00:00:00Z"}),
        ("events", {"type": "x"}),
        ("events", {"provider": "x"}),
        ("events", {"request": "\x00"}),
        ("events", {"after": "x"}),
        ("events", {"until": "x"}),
    ],
)
def test_bad_questions_are_answered(kind: str, query: dict[str, str], cell: Cell, viewer: Client) -> None:
    said = ask(viewer, f"{kind}/{cell.name}", 400, **query)
    assert said["code"] == "invalid"
    assert said["detail"]


def test_a_snapshot_comes_packed(cell: Cell, host: Host, viewer: Client) -> None:
    own = [host(f"h{n}") for n in range(4)]
    projector().drain()
    answer = viewer.get(f"/live/snapshot/{cell.name}", headers={"Accept-Encoding": "br, gzip"})
    assert (answer["Content-Encoding"], "Accept-Encoding" in answer["Vary"]) == ("gzip", True)
    said = json.loads(gzip.decompress(answer.content))
    assert (said["type"], said["seq"], said["cell"]) == ("snapshot", 0, cell.name)
    assert {one["id"] for one in said["hosts"]} == {str(one.id) for one in own}
    plain = ask(viewer, f"snapshot/{cell.name}")
    assert plain["hosts"] == said["hosts"]


def test_a_poll_brings_what_happens(cell: Cell, host: Host, viewer: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    own = host("h1")
    projector().drain()
    first = ask(viewer, f"poll/{cell.name}")
    assert first["type"] == "snapshot"
    monkeypatch.setattr(live, "WAIT", 30.0)
    threading.Timer(0.5, claim, [cell, 3]).start()
    until = time.monotonic() + 30
    cursor, free = first["cursor"], 8
    while free == 8 and time.monotonic() < until:
        said = ask(viewer, f"poll/{cell.name}", after=cursor)
        cursor = said["cursor"]
        hosts = {one["id"]: one for one in said["hosts"]}
        free = hosts[str(own.id)]["amounts"]["vcpus"]["available"] if str(own.id) in hosts else free
    assert free == 5


def test_a_quiet_poll_ends_and_leaves_nothing(
    cell: Cell, host: Host, viewer: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "WAIT", 0.5)
    monkeypatch.setattr("dashboard.kept.MARGIN", dt.timedelta(0))
    host("h1")
    projector().drain()
    cursor = ask(viewer, f"poll/{cell.name}")["cursor"]
    time.sleep(5.0)  # until nothing of the host's making is told any more
    cursor = ask(viewer, f"poll/{cell.name}", after=cursor)["cursor"]
    said = ask(viewer, f"poll/{cell.name}", after=cursor)
    assert said["type"] == "delta"
    assert not watch(cell.home).viewers
    assert live._polls._value == live.POLLS  # type: ignore[attr-defined]


def test_events_are_found_by_type_and_host(cell: Cell, host: Host, viewer: Client) -> None:
    own, other = host("h1"), host("h2", amounts={"vcpus": 1, "memory_mb": 1, "disk_gb": 1})
    claim(cell, 3)
    schedule(request(cell, 5000))
    projector().drain()
    lines = ask(viewer, f"events/{cell.name}")["events"]
    assert {"provider.created", "claim.claimed", "request.state"} <= {one["type"] for one in lines}
    assert [one["at"] for one in lines] == sorted((one["at"] for one in lines), reverse=True)
    (taken,) = ask(viewer, f"events/{cell.name}", type="claim.claimed")["events"]
    assert (taken["provider"], taken["data"]["amounts"]["vcpus"]) == (str(own.id), 3)
    assert {one["provider"] for one in ask(viewer, f"events/{cell.name}", provider=str(other.id))["events"]} == {
        str(other.id)
    }
    (refused,) = [one for one in lines if one["data"].get("state") == "failed"]
    assert (refused["data"]["reason"], refused["data"]["stage"]) == ("no_valid_host", "capacity")
    assert ask(viewer, f"events/{cell.name}", until="2020-01-01T00:00:00Z")["events"] == []


def test_the_past_is_a_snapshot(cell: Cell, host: Host, viewer: Client) -> None:
    own = host("h1")
    projector().drain()
    checkpoints.put(cell.home, load(cell.home), head_cursor(), dt.datetime.now(dt.UTC))
    claim(cell, 3)
    projector().drain()
    time.sleep(0.02)
    then = dt.datetime.now(dt.UTC)
    time.sleep(0.02)
    claim(cell, 2)
    projector().drain()
    said = ask(viewer, f"past/{cell.name}", at=then.isoformat())
    (shown,) = said["hosts"]
    assert (said["type"], shown["id"], shown["amounts"]["vcpus"]["available"]) == ("snapshot", str(own.id), 5)
    assert len(said["claims"]) == 1
    assert dt.datetime.fromisoformat(said["past"]) == then
    refused = ask(viewer, f"past/{cell.name}", 404, at="2020-01-01T00:00:00Z")
    assert "the first that is kept is of" in refused["detail"]


def test_all_cells_with_their_figures(cell: Cell, host: Host, viewer: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    empty = cells.create(f"empty-{uuid.uuid4().hex[:6]}")
    monkeypatch.setattr("dashboard.overview.cells.all_cells", lambda: [cell, empty])
    host("h1")
    claim(cell, 3)
    projector().drain()
    now = dt.datetime.now(dt.UTC)
    put(cell.home, figures(load(cell.home), Tally(), now, STEP))
    full, none = ask(viewer, "cells")["cells"]
    assert (full["health"]["level"], full["figures"]["claims"]["all"]) == ("good", 1)
    assert (none["health"]["level"], none["figures"]) == ("warn", None)
    assert "no conductor" in none["health"]["text"]
    said = viewer.get("/").content.decode()
    assert cell.name in said
    assert "all hosts are heard from" in said
    put(cell.home, figures(load(cell.home), Tally(), now - dt.timedelta(minutes=5), STEP))
    figures_now = ask(viewer, f"figures/{cell.name}")["figures"]
    assert [one["claims"]["all"] for one in figures_now] == [1, 1]


def test_old_figures_are_not_taken_for_new_ones(cell: Cell, viewer: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dashboard.overview.cells.all_cells", lambda: [cell])
    put(cell.home, figures(load(cell.home), Tally(), dt.datetime.now(dt.UTC) - dt.timedelta(seconds=90), STEP))
    (shown,) = ask(viewer, "cells")["cells"]
    assert shown["health"]["level"] == "bad"
    assert "old: no conductor keeps them" in shown["health"]["text"]

"""The admin's log as a list: found, searched, linked, exported, and changed by nobody."""

import json

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType

from providers.models import CellRecord, ComputeRecord
from store import admin as log_admin

LOG, HOSTS = "/admin/admin/logentry/", "/admin/providers/computerecord/"


def messages(client, **asked):
    answer = client.get(LOG, asked)
    assert answer.status_code == 200
    return [cells[5][0] for _, cells, _ in answer.context["rows"]]


@pytest.fixture
def entries(cassandra, db):
    """Three entries of two users: the messages are a, b and c."""
    users = [User.objects.create_user(name) for name in ("ann", "bob")]

    def add(user, model, key, flag, message):
        kind = ContentType.objects.get_for_model(model, for_concrete_model=False)
        values = {"object_id": key, "object_repr": key, "action_flag": flag, "change_message": message}
        return LogEntry.objects.create(user=user, content_type=kind, **values)

    return [
        add(users[0], ComputeRecord, "id-1", 1, "a"),
        add(users[1], ComputeRecord, "id-2", 2, "b"),
        add(users[0], CellRecord, "cell-x", 3, "c <b>"),
    ]


def test_what_is_done_is_found_with_who_and_links_to_it(host, sign_in, opened):
    own = host(heartbeat="none")
    operator = sign_in("operator")
    operator.post(
        f"{HOSTS}{own.id}/change/", opened(operator, f"{HOSTS}{own.id}/change/", state="draining", state_reason="x")
    )
    viewer = sign_in("viewer")
    answer = viewer.get(LOG, {"q": str(own.id)})
    [[url, cells, _]] = answer.context["rows"]
    assert [cell[0] for cell in cells][1:3] == ["operator-0", "compute provider"]
    assert f'href="{HOSTS}{own.id}/change/"' in answer.content.decode()
    assert "Changed" in str(cells[5][0])
    assert str(own.id) in viewer.get(url).content.decode()


def test_it_is_narrowed(entries, sign_in):
    viewer = sign_in("viewer")
    kind = ContentType.objects.get_for_model(CellRecord, for_concrete_model=False).pk
    assert messages(viewer) == ["c <b>", "b", "a"]
    assert messages(viewer, user="ann") == ["c <b>", "a"]
    assert messages(viewer, kind=kind) == ["c <b>"]
    assert messages(viewer, action=2) == ["b"]
    assert messages(viewer, q="ID-2") == ["b"]
    assert messages(viewer, q="<b>") == ["c <b>"]
    assert messages(viewer, user="nobody") == []
    assert messages(viewer, user="\x00bob", q="\x00b") == ["b"]
    assert "c &lt;b&gt;" in viewer.get(LOG).content.decode()


def test_pages_follow_each_other_and_look_through_a_stretch_each(entries, sign_in, monkeypatch):
    viewer = sign_in("viewer")
    monkeypatch.setattr("store.record_admin.RecordAdmin.page_size", 2)
    first = viewer.get(LOG)
    assert len(first.context["rows"]) == 2
    second = viewer.get(LOG + first.context["next_url"])
    assert [cells[5][0] for _, cells, _ in second.context["rows"]] == ["a"]
    monkeypatch.setattr(log_admin, "STRETCH", 1)
    found, url = [], f"{LOG}?q=id-1"
    while url:
        answer = viewer.get(url)
        found += answer.context["rows"]
        url = answer.context["next_url"] and LOG + answer.context["next_url"]
    assert len(found) == 1


def test_it_is_exported(entries, sign_in):
    viewer = sign_in("viewer")
    answer = viewer.get(LOG, {"format": "json", "user": "ann"})
    rows = json.loads(b"".join(answer.streaming_content))["rows"]
    assert [(row["object"], row["message"], row["action"]) for row in rows] == [
        ("cell-x", "c <b>", "Deletion"),
        ("id-1", "a", "Addition"),
    ]
    assert messages(viewer)[0] == "Exported as JSON: user=ann"  # which is in the log itself


def test_nobody_changes_it(entries, sign_in):
    admin, page = sign_in("admin"), f"{LOG}{entries[0].pk}"
    assert admin.get(f"{LOG}add/").status_code == 403
    assert admin.post(f"{page}/change/", {"change_message": "x"}).status_code == 403
    assert admin.post(f"{page}/delete/", {"post": "yes"}).status_code == 403
    assert LogEntry.objects.count() == 3
    assert sign_in("nobody").get(LOG).status_code == 403


@pytest.mark.parametrize("asked", [{"kind": "x"}, {"action": "²"}, {"next": "-1"}, {"kind": "9" * 30}, {"action": "9"}])
def test_bad_input_is_said(entries, sign_in, asked):
    answer = sign_in("viewer").get(LOG, asked)
    assert answer.status_code == 200
    assert "is not a" in answer.context["refusal"]


@pytest.mark.parametrize("key", ["0", "x", "²", "9" * 30])
def test_what_is_not_there_is_said(cassandra, browser, key):
    assert f"There is no log entry {key}" in browser.get(f"{LOG}{key}/change/", follow=True).content.decode()

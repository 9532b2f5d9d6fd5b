"""When a session is over, for pages, API and WebSockets: by time, by logout, by a new password, by a lost role."""

import datetime as dt
import os
import re
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest
from asgiref.sync import sync_to_async
from channels.testing import WebsocketCommunicator
from django.contrib.auth.models import Group, User
from django.contrib.sessions.models import Session
from django.test import Client

from dashboard import consumers, follow
from dashboard.sessions import BEGAN, SessionStore
from sched_portal.asgi import application
from tests.security.conftest import PASSWORD

ROOT = Path(__file__).resolve().parents[2]
NEW = "another-long-password"


def log_in(user, door="/login/"):
    client = Client()
    assert client.post(door, {"username": user.username, "password": PASSWORD}).status_code == 302
    return client


def is_in(client):
    pages = {client.get("/").status_code, client.get("/admin/").status_code}
    api = client.get("/api/cells").status_code
    assert (pages, api) in (({200}, 200), ({302}, 401)), (pages, api)
    return api == 200


def key_of(client):
    return client.cookies["sessionid"].value


def age(client, seconds):
    """As if it had begun earlier."""
    store = SessionStore(key_of(client))
    store[BEGAN] -= seconds
    store.save()


@pytest.fixture
def viewer_user(person, cassandra):
    return person("viewer")


@pytest.mark.parametrize("door", ["/login/", "/admin/login/"])
def test_a_login_gets_a_new_id_and_a_guarded_cookie(viewer_user, door):
    client = Client()
    client.cookies["sessionid"] = planted = "a" * 32
    client.post(door, {"username": viewer_user.username, "password": PASSWORD})
    cookie = client.cookies["sessionid"]
    assert cookie.value != planted
    assert (cookie["httponly"], cookie["samesite"], cookie["path"], cookie["domain"]) == (True, "Lax", "/", "")
    assert cookie["max-age"] == ""  # it goes with the browser
    first = cookie.value
    client.post("/admin/login/", {"username": viewer_user.username, "password": PASSWORD})
    assert key_of(client) != first
    assert not Session.objects.filter(pk=first).exists()


def test_logging_in_again_gets_another_id(viewer_user):
    client = log_in(viewer_user)
    first = key_of(client)
    client.force_login(viewer_user)
    assert key_of(client) != first
    stolen = Client()
    stolen.cookies["sessionid"] = first
    assert not is_in(stolen)


def test_logout_ends_it_on_the_server(viewer_user):
    client = log_in(viewer_user)
    stolen = Client()
    stolen.cookies["sessionid"] = key_of(client)
    assert is_in(stolen)
    client.post("/logout/")
    assert not is_in(stolen)


def test_it_ends_when_nobody_uses_it(viewer_user, settings):
    settings.SESSION_COOKIE_AGE = 300
    client = log_in(viewer_user)
    half = dt.timedelta(seconds=150)
    Session.objects.update(expire_date=Session.objects.get().expire_date - half)
    before = Session.objects.get().expire_date
    assert is_in(client)
    assert Session.objects.get().expire_date >= before + half * 0.9  # it was used
    settled = Session.objects.get().expire_date
    assert is_in(client)
    assert Session.objects.get().expire_date == settled  # and is not written again at once
    Session.objects.update(expire_date=settled - 2 * half)
    assert not is_in(client)


def test_it_ends_however_much_it_is_used(viewer_user, settings):
    client = log_in(viewer_user)
    age(client, settings.SESSION_LONGEST - 200)
    assert is_in(client)
    assert (Session.objects.get().expire_date.timestamp() - time.time()) <= 201
    age(client, 200)
    assert not is_in(client)


def test_a_new_password_ends_the_other_sessions(viewer_user):
    here, elsewhere = log_in(viewer_user), log_in(viewer_user)
    before = key_of(here)
    said = {"old_password": PASSWORD, "new_password1": NEW, "new_password2": NEW}
    assert here.post("/admin/password_change/", said).status_code == 302
    assert is_in(here)
    assert key_of(here) != before
    assert not is_in(elsewhere)


def test_one_who_was_switched_off_is_refused_at_once(viewer_user):
    client = log_in(viewer_user)
    assert is_in(client)
    User.objects.update(is_active=False)
    assert not is_in(client)


def test_one_who_lost_the_role_is_refused_at_once(viewer_user):
    client = log_in(viewer_user)
    viewer_user.groups.clear()
    assert client.get("/").status_code == 403
    assert client.get("/admin/providers/cellrecord/").status_code == 403
    assert client.get("/api/cells").status_code == 403


def test_with_https_cookies_are_secure_and_this_hosts_own(tmp_path):
    said = "import django; django.setup(); from django.conf import settings as s; print(s.SESSION_COOKIE_NAME, \
s.CSRF_COOKIE_NAME, s.SESSION_COOKIE_SECURE, s.CSRF_COOKIE_SECURE, s.SESSION_COOKIE_HTTPONLY, s.SECURE_SSL_REDIRECT)"
    environment = {**os.environ, "HTTPS_ONLY": "1", "DJANGO_SETTINGS_MODULE": "sched_portal.settings"}
    environment["SCHED_VAR"] = str(tmp_path)
    out = subprocess.run([sys.executable, "-c", said], env=environment, cwd=ROOT, capture_output=True, text=True)
    assert out.stdout.split() == ["__Host-sessionid", "__Host-csrftoken", *["True"] * 4], out.stderr


def lose_the_role(user, client):
    user.groups.clear()


def switch_off(user, client):
    User.objects.filter(pk=user.pk).update(is_active=False)


def change_the_password(user, client):
    user.set_password(NEW)
    user.save()


def outlive(user, client):
    age(client, 50_000)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("happens", "code"), [(lose_the_role, 4403), (switch_off, 4401), (change_the_password, 4401), (outlive, 4401)]
)
async def test_an_open_socket_is_closed_within_seconds(cell, happens, code, monkeypatch):
    """With the times that the portal has; only the cell's reading is hurried."""
    monkeypatch.setattr(consumers, "SILENCE", 0.05)
    user = await sync_to_async(User.objects.create_user)(f"viewer-{uuid.uuid4().hex[:6]}")
    await sync_to_async(lambda: user.groups.add(Group.objects.get_or_create(name="viewer")[0]))()
    client = Client()
    await sync_to_async(client.force_login)(user)
    headers = {"origin": "http://localhost:8000", "host": "localhost:8000", "cookie": f"sessionid={key_of(client)}"}
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    socket = WebsocketCommunicator(application, f"/ws/cells/{cell.name}/", raw)
    assert (await socket.connect(timeout=45))[0]
    assert re.search("snapshot", await socket.receive_from(timeout=45))
    await sync_to_async(happens)(user, client)
    began = time.monotonic()
    while (said := await socket.receive_output(timeout=45))["type"] != "websocket.close":
        pass
    assert said["code"] == code
    assert time.monotonic() - began < 8
    await socket.disconnect()
    await sync_to_async(follow.end_all)()

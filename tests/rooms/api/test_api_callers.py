"""Who calls: sessions with CSRF, users that were switched off, throttles, and the metrics of it all."""

import io
import time

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from api import tokens
from api.models import Token
from store.failures import StoreUnavailable
from tests.rooms.api.portal import Portal


@pytest.fixture
def browser(callers):
    """A logged-in operator."""
    user = get_user_model().objects.create_user("someone", password="a long enough one")
    user.groups.add(Group.objects.get(name="operator"))
    client = Client(enforce_csrf_checks=True)
    client.force_login(user)
    return client


def test_a_session_reads_and_needs_the_csrf_token_to_write(browser):
    assert browser.get("/api/cells").status_code == 200
    refused = browser.post("/api/schedule", {}, content_type="application/json")
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    assert "CSRF" in refused.json()["detail"]
    browser.cookies["csrftoken"] = "x" * 32
    allowed = browser.post("/api/schedule", {}, content_type="application/json", headers={"X-CSRFToken": "x" * 32})
    assert allowed.json()["code"] == "invalid"


def test_a_token_needs_no_csrf_and_wins_over_a_session(browser, callers):
    headers = {"Authorization": f"Token {callers['viewer'].token}"}
    assert browser.post("/api/schedule", {}, content_type="application/json", headers=headers).status_code == 403
    assert browser.get("/api/cells", headers={"Authorization": "Token wrong"}).status_code == 401


def test_a_superuser_is_an_admin_and_an_inactive_user_is_nobody(db, cassandra):
    user = get_user_model().objects.create_user("boss", is_superuser=True)
    portal = Portal(tokens.issue(user, "x"))
    assert portal.get("/api/cells").status == 200
    assert portal.post("/api/cells", {}).code == "invalid"
    user.is_active = False
    user.save()
    assert portal.get("/api/cells").code == "unauthenticated"


def test_a_revoked_token_is_worth_nothing(callers):
    assert tokens.revoke(digest=tokens.digest(callers["viewer"].token)) == 1
    assert callers["viewer"].get("/api/cells").code == "unauthenticated"


def test_use_is_noted_coarsely(callers):
    viewer = callers["viewer"]
    viewer.get("/api/cells")
    noted = Token.objects.get(digest=tokens.digest(viewer.token)).last_used_at
    assert timezone.now() - noted < tokens.USED_EVERY
    viewer.get("/api/cells")
    assert Token.objects.get(digest=tokens.digest(viewer.token)).last_used_at == noted


def test_a_caller_that_asks_too_much_waits(callers, settings):
    settings.THROTTLE_CALLER = 3
    settings.THROTTLE_WINDOW = 60
    answers = [callers["viewer"].get("/api/cells") for _ in range(8)]
    statuses = [answer.status for answer in answers]
    assert statuses.count(200) in (3, 4, 5, 6)  # six only across the edge of a window
    refused = next(answer for answer in answers if answer.status == 429)
    assert refused.code == "throttled"
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert callers["operator"].get("/api/cells").status == 200


def test_guessing_tokens_is_throttled_by_address(callers, settings):
    settings.THROTTLE_STRANGER = 3
    statuses = {Portal(f"guess-{n}").get("/api/cells").status for n in range(8)}
    assert statuses == {401, 429}
    assert callers["viewer"].get("/api/cells").status == 200


def test_cassandra_away_is_unavailable(callers, monkeypatch):
    def away(*args, **kwargs):
        raise StoreUnavailable("Cassandra cannot be reached")

    monkeypatch.setattr("providers.cells.read", away)
    answer = callers["viewer"].get("/api/cells")
    assert (answer.status, answer.code) == (503, "unavailable")
    assert int(answer.headers["Retry-After"]) > 0
    ready = callers["nobody"].get("/readyz")
    assert (ready.status, ready.code) == (503, "unavailable")
    assert "cassandra" in ready.body["detail"]


def test_a_mistake_of_ours_shows_nothing_of_its_inside(callers, monkeypatch, caplog):
    def broken(*args, **kwargs):
        raise KeyError("the secret inside")

    monkeypatch.setattr("providers.cells.read", broken)
    response = Client(raise_request_exception=False).get(
        "/api/cells", headers={"Authorization": f"Token {callers['viewer'].token}"}
    )
    body = response.json()
    assert (response.status_code, body["code"]) == (500, "internal")
    assert "secret" not in response.content.decode()
    assert body["request_id"] in caplog.text
    assert "the secret inside" in caplog.text


def test_the_process_says_how_it_is(callers):
    nobody = callers["nobody"]
    assert nobody.get("/healthz").body == {"status": "ok"}
    assert nobody.get("/readyz").body == {"status": "ready", "cassandra": "ok", "sql": "ok"}
    callers["viewer"].get("/api/providers/x")
    page = nobody.get("/metrics").body
    assert 'sched_http_requests_total{method="GET",route="/api/providers/<str:provider_id>",status="404"}' in page
    assert "sched_http_request_seconds_bucket" in page
    assert "sched_schedule_outcomes_total" in page


def test_the_schema_is_openapi(callers):
    as_json = callers["nobody"].get("/api/schema/?format=json").body
    assert as_json["openapi"].startswith("3.")
    assert {"token", "session"} == set(as_json["components"]["securitySchemes"])
    as_yaml = callers["nobody"].get("/api/schema/").body
    assert as_yaml.startswith("openapi: 3.")
    assert callers["nobody"].get("/api/schema/?format=xml").fields == {"format"}


def test_a_reader_waits_for_events_as_long_as_it_said(callers, cell_of_api):
    viewer = callers["viewer"]
    start = viewer.get(f"/api/events?cell={cell_of_api}&after=now").body["next"]
    time.sleep(0.6)  # the cell's own event is within the lag of the head
    start = viewer.get(f"/api/events?cell={cell_of_api}&after={start}").body["next"]
    began = time.monotonic()
    answer = viewer.get(f"/api/events?cell={cell_of_api}&after={start}&wait=1")
    assert 0.9 < time.monotonic() - began < 10
    assert (answer.body["results"], answer.body["next"]) == ([], start)


def test_tokens_by_command(db, capsys, monkeypatch):
    with pytest.raises(CommandError, match="no user"):
        call_command("issue_token", "robot")
    call_command("issue_token", "robot", "--role", "viewer")
    first = capsys.readouterr().out.strip()
    assert tokens.are_valid([first])
    call_command("issue_token", "robot", "--role", "operator", "--rotate")
    second = capsys.readouterr().out.strip()
    assert not tokens.are_valid([first])
    assert tokens.find(second).groups == {"operator"}
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{second}\n"))
    call_command("revoke_token", "--stdin")
    assert not tokens.are_valid([second])
    with pytest.raises(CommandError, match="no such token"):
        call_command("revoke_token", "--user", "robot")


def test_tokens_are_seen_and_revoked_in_the_admin(admin_client, callers):
    viewer = callers["viewer"]
    token = Token.objects.get(digest=tokens.digest(viewer.token))
    page = admin_client.get("/admin/api/token/")
    assert page.status_code == 200
    assert viewer.token not in page.content.decode()
    assert admin_client.get(f"/admin/api/token/{token.pk}/change/").status_code == 200
    chosen = {"action": "revoke", "_selected_action": [token.pk]}
    assert admin_client.post("/admin/api/token/", chosen, follow=True).status_code == 200
    assert viewer.get("/api/cells").code == "unauthenticated"

"""Requests that another page, another host or an old token sends: CSRF, redirects, paths, host names, tokens."""

import json
import uuid

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from api import tokens
from api.models import Token
from tests.rooms.api.cast import request_for
from tests.rooms.api.test_api_bad_input import GUARDED
from tests.security.conftest import PASSWORD
from tests.security.test_bad_texts import NASTY
from tests.security.test_who_may_what import is_of_no_record, table

ELSEWHERE = (
    *("https://evil.example/", "//evil.example", "///evil.example", "/\\evil.example", "\\\\evil.example"),
    *("http:evil.example", "javascript:alert(1)", "https:/evil.example", "/%0d%0aSet-Cookie:x=1\r\nX: y"),
    *("https://localhost:8000@evil.example/", "\x00//evil.example", "data:text/html,x"),
)


@pytest.fixture
def forger(cassandra, person):
    """A superuser's session, used by a page that does not know the CSRF token."""
    client = Client(enforce_csrf_checks=True, raise_request_exception=False)
    client.force_login(person("nobody", is_superuser=True))
    return client


def test_no_form_of_the_admin_is_taken_without_its_csrf_token(forger):
    for name in table():
        url = reverse(f"admin:{name}", args=[] if is_of_no_record(name) else [str(uuid.uuid4())])
        assert forger.post(url, {"post": "yes", "reason": "x"}).status_code == 403, url
    for url in ("/admin/password_change/", "/admin/logout/", "/logout/", "/login/", "/admin/login/"):
        assert forger.post(url).status_code == 403, url
    assert forger.get("/api/cells").status_code == 200  # still logged in


def test_no_route_of_the_api_is_taken_with_a_session_alone(forger):
    for method, path, _ in GUARDED:
        if method != "GET":
            for media in ("application/json", "text/plain", "application/x-www-form-urlencoded"):
                answer = forger.generic(
                    method, path, "{}", content_type=media, headers={"OpenStack-API-Version": "scheduling 1.2"}
                )
                assert answer.status_code == 403, (method, path)
                assert "CSRF" in answer.json()["detail"]


def test_another_sites_origin_is_refused_even_with_the_token(person):
    client = Client(enforce_csrf_checks=True)
    client.cookies["csrftoken"] = "x" * 32
    body = {"username": person("viewer").username, "password": PASSWORD, "csrfmiddlewaretoken": "x" * 32}
    assert client.post("/login/", body, headers={"Origin": "https://evil.example"}).status_code == 403
    assert client.post("/login/", body, headers={"Origin": "null"}).status_code == 403
    assert client.post("/login/", body, headers={"Origin": "http://testserver"}).status_code == 302


@pytest.mark.parametrize("target", ELSEWHERE)
@pytest.mark.parametrize("door", ["/login/", "/admin/login/"])
def test_a_login_leads_nowhere_else(person, door, target):
    user = person("viewer")
    answer = Client().post(door, {"username": user.username, "password": PASSWORD, "next": target})
    assert answer.status_code == 302
    # What is left is a path here, with its line breaks escaped.
    assert answer["Location"] in ("/", "/admin/") or answer["Location"].startswith("/%0d%0a")
    assert not set("\r\n") & set(answer["Location"])
    client = Client()
    client.force_login(user)
    for path in ("/login/", "/logout/"):
        answer = client.generic("POST" if "logout" in path else "GET", path, QUERY_STRING="")
        assert "evil" not in answer.headers.get("Location", "")


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "localhost@evil.example", "localhost:80/x", "", "a b"]
)
def test_a_host_name_that_is_not_ours_is_refused_on_every_page(db, host):
    for path in ("/", "/login/", "/admin/login/", "/healthz", "/api/"):
        answer = Client(raise_request_exception=False).get(path, headers={"Host": host, "X-Forwarded-Host": host})
        assert answer.status_code in ((400,) if host else (200, 302, 400)), path
        assert "evil" not in answer.headers.get("Location", "")


@pytest.mark.parametrize(
    "path",
    [
        "../settings.py",
        "..%2f..%2fsched_portal/settings.py",
        "%2e%2e/%2e%2e/manage.py",
        "/etc/passwd",
        "dashboard/..%5c..%5cmanage.py",
        "%00",
        "dashboard/page.js%00.css",
    ],
)
def test_files_are_given_from_their_directory_alone(db, path):
    answer = Client(raise_request_exception=False).get(f"/static/{path}")
    assert answer.status_code in (400, 404)
    for name in ("/.git/config", "/var/admin-password", "/manage.py", "/static/", "/admin/../var/secret-key"):
        assert Client(raise_request_exception=False).get(name).status_code in (302, 404), name


def test_a_token_is_taken_in_its_header_alone(callers, cell_of_api):
    token = callers["admin"].token
    for query in (f"token={token}", f"access_token={token}", f"Authorization=Token {token}"):
        assert Client().get(f"/api/cells?{query}").status_code == 401
    client = Client()
    client.cookies["token"] = client.cookies["sessionid"] = token
    assert client.get("/api/cells").status_code == 401
    for header in (
        f"Bearer {token}",
        f"Token {token}x",
        f"Token {token[:-1]}",
        f"Token {token.upper()}",
        f"Token {tokens.digest(token)}",
    ):
        assert callers["nobody"].get("/api/cells", Authorization=header).status == 401, header


def test_a_revoked_token_and_one_of_a_user_who_is_gone_are_nobodys(callers):
    admin = callers["admin"]
    assert admin.get("/api/cells").status == 200
    Token.objects.filter(digest=tokens.digest(admin.token)).update(revoked_at="2026-01-01T00:00:00Z")
    assert admin.get("/api/cells").status == 401
    operator = callers["operator"]
    User.objects.filter(username__startswith="operator").delete()
    assert operator.get("/api/cells").status == 401


def test_no_token_is_in_a_log_an_answer_or_a_list(callers, cell_of_api, caplog, sign_in):
    caplog.set_level("DEBUG")
    admin = callers["admin"]
    said = [
        admin.get("/api/cells"),
        admin.post("/api/cells", {"name": 5}),
        admin.get("/api/nothing"),
        admin.get("/metrics"),
    ]
    assert admin.token not in caplog.text + str(said)
    page = sign_in("admin").get("/admin/api/token/").content.decode()
    assert admin.token not in page
    assert tokens.digest(admin.token) not in page


def test_an_agent_does_nothing_for_another_host(operator, agent_of, new_host, cell_of_api):
    victim = new_host()
    placed = operator.post("/api/schedule", request_for(cell_of_api)).body
    stranger = agent_of(new_host(cell=cell_of_api))
    claim_id = placed["claims"][0]["id"]
    assert operator.get(f"/api/claims/{claim_id}").body["provider"] == victim["id"]
    bodies = {"failed": {"reason": "x"}, "building": {}, "consume": {}}
    for verb, body in bodies.items():
        assert stranger.post(f"/api/claims/{claim_id}/{verb}", body).status in (403, 404), verb
    for what in ("heartbeat", "report"):
        assert stranger.post(f"/api/providers/{victim['id']}/{what}").status == 403
    assert stranger.get(f"/api/providers/{victim['id']}/claims").status == 403
    assert stranger.post(f"/api/requests/{placed['request_id']}/destroyed", {"claim": claim_id}).status in (
        400,
        403,
        404,
    )
    assert operator.get(f"/api/claims/{claim_id}").body["state"] == "claimed"


@pytest.mark.parametrize("text", NASTY)
def test_headers_that_are_attacks(callers, text):
    clean = text.replace("\x00", "").replace("\r", "").replace("\n", "")[:4000]
    safe = clean.encode().decode("latin-1")
    for name in ("User-Agent", "Referer", "X-Request-Id", "X-Forwarded-For", "Accept", "Cookie", "If-None-Match"):
        for path in ("/login/", "/api/cells"):
            answer = Client(headers={name: safe}, raise_request_exception=False).get(path)
            assert answer.status_code in (200, 401), (name, path)
            assert "<script>alert" not in answer.content.decode()
            assert "alert" not in json.dumps(dict(answer.items()))

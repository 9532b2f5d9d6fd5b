"""Bad input on every route, enumerated from the URLconf: the documented error, never a 5xx, nothing written."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from django.urls import URLPattern

from api.authenticate import AGENT
from api.microversions import NEWEST
from api.urls import urlpatterns
from api.view import ANYONE
from providers.projection import projector
from store.record_roles import ADMIN, OPERATOR, ROLES, VIEWER
from store.session import session
from tests.rooms.api.portal import Answer, Portal, document

VERSIONS = {
    "scheduling 99.0": "version_unsupported",
    "scheduling 0.9": "version_unsupported",
    "scheduling": "invalid",
    "scheduling banana": "invalid",
    "1.0": "invalid",
    "": "invalid",
    "scheduling 1.0.0": "invalid",
    "scheduling -1.0": "invalid",
    "compute 2.1": "invalid",
    "scheduling 1.0, scheduling 1.0": "invalid",
    "scheduling 1" + "0" * 500 + ".0": "invalid",
    "scheduling \u00b9.0": "invalid",
}
GARBLED = ("x", "0", "%00", "%F0%28%8C%28", "None", "1" * 300, "..%2f..", "\u00fc")
NO_ROUTES = (
    "/api/nothing",
    "/api/cells/x/y/../z",
    "/api/providers/",
    "/api//",
    "/api/schedule/",
    "/api/providers/a/b",
)
NOWHERE = str(uuid4())
# What stands for each part of a path: something well-formed that is not there.
NAMES = {
    "name": "nothing_like_it",
    "provider_id": NOWHERE,
    "request_id": NOWHERE,
    "claim_id": NOWHERE,
    "version": "999999",
    "window_id": NOWHERE,
}


def routes() -> Iterator[tuple[str, str, str]]:
    """Method, path and the role it needs, of every route there is."""
    for pattern in urlpatterns:
        assert isinstance(pattern, URLPattern)
        if pattern.name == "unknown":
            continue
        path = "/api/" + re.sub(r"<\w+:(\w+)>", lambda found: NAMES[found.group(1)], str(pattern.pattern))
        for method, role in pattern.callback.view_class.roles.items():
            yield method, path, role


ROUTES = list(routes())
WRITING = [(method, path, role) for method, path, role in ROUTES if method in ("POST", "PATCH")]
GUARDED = [(method, path, role) for method, path, role in ROUTES if role != ANYONE]
BY_ROLE = [one for one in GUARDED if one[1] != "/api/whoami"]  # which tells anybody with a token whose it is


def names(cases: list[tuple[str, str, str]]) -> list[str]:
    return [f"{method} {path.replace(NOWHERE, '*')}" for method, path, _ in cases]


def refused(answer: Answer, *codes: str) -> None:
    assert answer.code in codes, answer
    assert 400 <= answer.status < 500


@pytest.fixture
def callers(callers: dict[str, Portal]) -> dict[str, Portal]:
    """They ask for the newest version, which has every route."""
    return {role: replace(caller, version=str(NEWEST)) for role, caller in callers.items()}


@pytest.fixture
def written_meanwhile() -> list[str]:
    return []


@pytest.fixture
def unchanged(
    callers: dict[str, Portal], monkeypatch: pytest.MonkeyPatch, written_meanwhile: list[str]
) -> Iterator[None]:
    """Nothing but SELECTs may reach Cassandra."""
    written = written_meanwhile

    def spied(run: Callable[..., Any]) -> Callable[..., Any]:
        def call(query: Any, *args: Any, **kwargs: Any) -> Any:
            prepared = getattr(query, "prepared_statement", None)
            text = prepared.query_string if prepared is not None else type(query).__name__
            if not text.lstrip().upper().startswith("SELECT"):
                written.append(text)
            return run(query, *args, **kwargs)

        return call

    projector().drain()  # what the cast wrote in the background
    for name in ("execute", "execute_async"):
        monkeypatch.setattr(session(), name, spied(getattr(session(), name)))
    yield
    assert not written


def test_the_list_of_routes_is_the_contracts():
    paths = set(document()["paths"])
    assert {
        "/api/",
        "/api/cells",
        "/api/cells/{name}",
        "/api/resource-classes",
        "/api/resource-classes/{name}",
        "/api/providers",
        "/api/providers/{provider_id}",
        "/api/providers/{provider_id}/claims",
        "/api/providers/{provider_id}/heartbeat",
        "/api/providers/{provider_id}/report",
        "/api/providers/{provider_id}/token",
        "/api/whoami",
        "/api/providers/{provider_id}/instances",
        "/api/providers/{provider_id}/history",
        "/api/providers/{provider_id}/drain",
        "/api/providers/{provider_id}/maintenance",
        "/api/providers/{provider_id}/maintenance/{window_id}",
        "/api/providers/{provider_id}/decommission",
        "/api/explain",
        "/api/requests/{request_id}/explain",
        "/api/schedule",
        "/api/schedule/commit",
        "/api/requests",
        "/api/requests/{request_id}",
        "/api/requests/{request_id}/destroyed",
        "/api/claims",
        "/api/claims/{claim_id}",
        "/api/claims/{claim_id}/building",
        "/api/claims/{claim_id}/consume",
        "/api/claims/{claim_id}/failed",
        "/api/aggregates",
        "/api/aggregates/{name}",
        "/api/aggregates/{name}/members",
        "/api/policy",
        "/api/policy/versions",
        "/api/policy/versions/{version}",
        "/api/policy/versions/{version}/restore",
        "/api/policy/shadow",
        "/api/policy/differences",
        "/api/inventory",
        "/api/capacity",
        "/api/events",
        "/api/headroom",
        "/api/schema/",
    } == paths
    assert len(ROUTES) > len(paths)


@pytest.mark.parametrize(("method", "path", "role"), GUARDED, ids=names(GUARDED))
def test_without_a_token_with_a_bad_one_and_without_a_role(callers, method, path, role):
    for token in ("", "sched_wrong", "x" * 5000):
        answer = Portal(token, str(NEWEST)).call(method, path, {})
        assert (answer.status, answer.code) == (401, "unauthenticated")
        assert answer.headers["WWW-Authenticate"].startswith("Token")
    for header in ("Bearer abc", "Token", "Token  ", "Basic YTpi"):
        assert Portal("", str(NEWEST)).call(method, path, {}, Authorization=header).code == "unauthenticated"
    if (method, path, role) in BY_ROLE:
        assert callers["stranger"].call(method, path, {}).code == "forbidden"


def test_a_version_before_a_route_does_not_have_it(admin, unchanged):
    for pattern in urlpatterns:
        since, path = pattern.callback.view_class.since, re.sub(r"<\w+:\w+>", "x", str(pattern.pattern))
        if since:
            answer = admin.get(f"/api/{path}", OpenStack_API_Version="scheduling 1.0")
            assert answer.code == "not_found"
            assert since in answer.body["detail"]


@pytest.mark.parametrize(("method", "path", "role"), BY_ROLE, ids=names(BY_ROLE))
def test_another_role_is_refused_before_anything_is_read(callers, agent_of, new_host, method, path, role):
    needed = ADMIN if role == AGENT else role
    for lower in ROLES[: ROLES.index(needed)]:
        answer = callers[lower].call(method, path, raw=b"{not json")
        assert (answer.status, answer.code) == (403, "forbidden"), lower
    for enough in ROLES[ROLES.index(needed) :]:
        assert callers[enough].call(method, path, raw=b"{not json").code != "forbidden"
    agent = replace(agent_of(new_host()), version=str(NEWEST)).call(method, path, raw=b"{not json")
    if role == AGENT or (path.endswith("/claims") and "providers/" in path):
        assert agent.code in ("forbidden", "invalid", "not_found")  # another provider's
    else:
        assert agent.code == "forbidden"


@pytest.mark.parametrize(("method", "path", "role"), WRITING, ids=names(WRITING))
def test_bodies_that_cannot_be_read(admin, unchanged, method, path, role):
    def bad(raw: bytes, *codes: str, **headers: str) -> None:
        answer = admin.call(method, path, raw=raw, **headers)
        if answer.code == "not_found" and NOWHERE in path:
            return  # what is changed is looked up first where the body is compared with it
        refused(answer, *codes)

    for raw in (
        b"{", b"nothing", b"{'a': 1}", b'{"a": NaN}', b'{"a": Infinity}', b'{"a": 1,}', b"[]", b"5", b'"text"', b"null",
        b"\xff\xfe", b'{"a": "\xc3"}', b"\xef\xbb\xbf{}", b'{"a": 1} trailing', b'{"name": "a", "name": "b"}',
        b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", b'{"a": ' + b"9" * 5000 + b"}", b'{"a": 1e999}', b"\x00",
        b'{"a": "\x00"}', b'{"\\u0000": 1}', b'{"\\ud800": 1}', b'{"a b c d e f": {"x": []}}',
    ):  # fmt: skip
        bad(raw, "invalid")
    bad(b"a=1", "unsupported_media_type", Content_Type="application/x-www-form-urlencoded")
    bad(b"{}", "unsupported_media_type", Content_Type="text/plain")
    bad(b"{}", "unsupported_media_type", Content_Type="application/json; charset=latin-1")
    bad(b'{"a": "' + b"x" * 2_700_000 + b'"}', "too_large")


@pytest.mark.parametrize(("method", "path", "role"), WRITING, ids=names(WRITING))
def test_bodies_of_the_wrong_shape(admin, unchanged, method, path, role):
    shape = document()["paths"]
    template = next(t for t in shape if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", t), path))
    schema = shape[template][method.lower()]["requestBody"]["content"]["application/json"]["schema"]
    fields = document()["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]].get("properties", {})
    wrong = [True, -1, 2**53, 1.5, 10**300, "", "a\u0000b", "x" * 2_700, [], {}, [[]], {"a": {"b": {}}}, ["\u0007"]]
    for field in [*fields, "unknown_field"]:
        for value in wrong:
            answer = admin.call(method, path, {field: value})
            if answer.status < 300:  # a few are right by accident: an empty report, an empty reason, a flag
                assert value in (True, "", [], {}, 2**53, -1, "x" * 2_700) or field == "reason", (field, value, answer)
                assert path.endswith(("/report", "/destroyed", "/failed")), (field, value, answer)
            else:
                refused(answer, "invalid", "not_found")


@pytest.mark.parametrize(("method", "path", "role"), ROUTES, ids=names(ROUTES))
def test_unknown_parameters_and_versions(admin, unchanged, method, path, role):
    answer = admin.call(method, f"{path}?colour=blue", {})
    assert "colour" in answer.fields or answer.code == "not_found", answer
    answer = admin.call(method, f"{path}?%00=%ff&limit=%00", {})
    refused(answer, "invalid", "not_found")
    for header, code in VERSIONS.items():
        answer = admin.call(method, path, {}, OpenStack_API_Version=header)
        assert answer.code == code, (header, answer)
        if code == "version_unsupported":
            assert (answer.status, answer.body["min_version"], answer.body["max_version"]) == (406, "1.0", str(NEWEST))


PARTS = [(method, path, role) for method, path, role in ROUTES if NOWHERE in path or "nothing_like_it" in path]


@pytest.mark.parametrize(("method", "path", "role"), PARTS, ids=names(PARTS))
def test_ids_that_name_nothing(admin, unchanged, method, path, role):
    body = {"reason": "x"} if path.endswith(("/failed", "/destroyed")) else {}
    if method == "PATCH":
        body = {"state": "disabled"} if "cells" in path else {"state": "disabled", "state_version": 1}
    for garbled in (NOWHERE, "{" + NOWHERE + "}", *GARBLED):
        path_with = path.replace(NOWHERE, garbled).replace("nothing_like_it", garbled)
        answer = admin.call(method, path_with, body)
        assert answer.code in ("not_found", "invalid"), (path_with, answer)
        assert answer.status in (400, 404)


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"])
def test_paths_and_methods_that_are_none(callers, method):
    for path in NO_ROUTES:
        answer = callers["nobody"].call(method, path, {})
        assert answer.status in (404, 405, 401), (path, answer)
        assert answer.headers["Content-Type"] == "application/problem+json"
    answer = callers["admin"].call(method, "/api/schedule", raw=b"")
    if method != "POST":
        assert (answer.status, answer.code) == (405, "method_not_allowed")
        assert answer.headers["Allow"] == "POST"


def test_a_host_name_that_is_not_ours(callers):
    answer = callers["admin"].get("/api/cells", Host="evil.example")
    assert (answer.status, answer.code) == (400, "invalid")


def test_the_spy_sees_a_write(admin, unchanged, written_meanwhile):
    """Else `nothing written` would be said by a spy that is blind."""
    assert admin.post("/api/cells", {"name": f"spied-{uuid4().hex[:6]}"}).status == 201
    assert any("cells" in text for text in written_meanwhile)
    written_meanwhile.clear()


def test_every_method_says_who_may_call_it():
    for pattern in urlpatterns:
        view = pattern.callback.view_class
        for method in ("get", "post", "patch", "delete", "put"):
            assert hasattr(view, method) == (method.upper() in view.roles), f"{view.__name__}.{method}"
        assert set(view.roles.values()) <= {ANYONE, AGENT, VIEWER, OPERATOR, ADMIN}

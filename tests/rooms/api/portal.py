"""A client of the portal for the tests: every answer is held against the OpenAPI document before a test sees it."""

import json
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import jsonschema
from django.test import Client
from django.urls import Resolver404, resolve
from drf_spectacular.generators import SchemaGenerator

JSON = "application/json"


@lru_cache(maxsize=1)
def document() -> dict[str, Any]:
    return SchemaGenerator().get_schema(request=None, public=True)


@lru_cache(maxsize=1)
def client() -> Client:
    """One for all: each loads the middleware anew. It keeps no session, because nobody logs in with it."""
    return Client(raise_request_exception=False)


def template_of(path: str) -> str | None:
    """`/api/cells/x` -> `/api/cells/{name}`; None for what is no route of the document."""
    try:
        match = resolve(path)
    except Resolver404:
        return None
    template = "/" + re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", match.route)
    return template if template in document()["paths"] else None


@dataclass(frozen=True)
class Answer:
    status: int
    body: Any
    headers: dict[str, str]

    @property
    def code(self) -> str:
        return str(self.body.get("code", "")) if isinstance(self.body, dict) else ""

    @property
    def fields(self) -> set[str]:
        """Where the mistakes are."""
        return {error["field"] for error in self.body.get("errors", [])}


@dataclass(frozen=True)
class Portal:
    """`token` empty: nobody. `version` is asked for unless a call names another; empty: none is."""

    token: str = ""
    version: str = ""

    def call(self, method: str, path: str, body: Any = None, *, raw: bytes | None = None, **headers: str) -> Answer:
        content = raw if raw is not None else b"" if body is None else json.dumps(body).encode()
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.token:
            sent.setdefault("Authorization", f"Token {self.token}")
        if self.version:
            sent.setdefault("OpenStack-API-Version", f"scheduling {self.version}")
        media = sent.pop("Content-Type", JSON)
        response = Client(headers=sent, raise_request_exception=False).generic(
            method, path, content, content_type=media
        )
        answer = Answer(response.status_code, _json(response), dict(response.items()))
        check(method, path.partition("?")[0], answer)
        return answer

    def get(self, path: str, **headers: str) -> Answer:
        return self.call("GET", path, **headers)

    def post(self, path: str, body: Any = None, **headers: str) -> Answer:
        return self.call("POST", path, {} if body is None else body, **headers)

    def patch(self, path: str, body: Any) -> Answer:
        return self.call("PATCH", path, body)

    def delete(self, path: str) -> Answer:
        return self.call("DELETE", path)

    def all(self, path: str) -> list[dict[str, Any]]:
        """Every result of a list, page by page."""
        results: list[dict[str, Any]] = []
        cursor = ""
        joint = "&" if "?" in path else "?"
        while True:
            answer = self.get(path + (f"{joint}next={cursor}" if cursor else ""))
            assert answer.status == 200, answer
            results += answer.body["results"]
            cursor = answer.body["next"]
            if cursor is None:
                return results


def check(method: str, path: str, answer: Answer) -> None:
    """Whatever the portal answers is what its document says."""
    assert "X-Request-Id" in answer.headers
    if not path.startswith("/api/"):
        return
    assert "OpenStack-API-Version" in answer.headers["Vary"]
    assert re.fullmatch(r"scheduling \d+\.\d+", answer.headers["OpenStack-API-Version"])
    is_problem = answer.headers.get("Content-Type") == "application/problem+json"
    assert is_problem == (answer.status >= 400 or answer.code == "unknown_outcome"), answer
    if is_problem:
        _valid(answer.body, {"$ref": "#/components/schemas/Problem"})
        assert answer.body["status"] == answer.status
        assert answer.body["request_id"] == answer.headers["X-Request-Id"]
        assert bool(answer.body.get("errors")) == (answer.body["code"] == "invalid"), answer
    template = template_of(path)
    operation = document()["paths"].get(template or "", {}).get(method.lower())
    if operation is None:
        assert answer.status in (400, 404, 405, 406), (
            f"{method} {path} is not in the document and answered {answer.status}"
        )
        return
    if answer.status == 500:
        raise AssertionError(f"{method} {path}: {answer.body}")
    described = operation["responses"].get(str(answer.status))
    assert described is not None, f"{method} {template} answered {answer.status}, which its document does not know"
    for media in described.get("content", {}).values():
        if template != "/api/schema/":
            _valid(answer.body, media["schema"])


def _valid(instance: Any, schema: dict[str, Any]) -> None:
    _validator(json.dumps(schema)).validate(instance)


@lru_cache(maxsize=200)
def _validator(schema: str) -> jsonschema.Draft202012Validator:
    whole = {**json.loads(schema), "components": document()["components"]}
    return jsonschema.Draft202012Validator(whole, format_checker=jsonschema.FormatChecker())


def _json(response: Any) -> Any:
    if not response.content:
        return None
    try:
        return json.loads(response.content)
    except ValueError:
        return response.content.decode()

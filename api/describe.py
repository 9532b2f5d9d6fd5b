"""The OpenAPI document: what each route takes and answers, said beside the route, in the shapes of api/shapes/."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from django.http import HttpResponse
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.renderers import OpenApiJsonRenderer, OpenApiYamlRenderer
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request

from api.authenticate import AGENT
from api.microversions import HEADER, SERVICE
from api.paging import LIMIT, MOST
from api.problems import KINDS
from api.shapes import SHAPES, ref
from api.view import ANYONE, View

F = TypeVar("F", bound=Callable[..., HttpResponse])
ALWAYS = ("invalid", "version_unsupported", "unavailable")
WITH_TOKEN = ("unauthenticated", "forbidden", "throttled")
WITH_BODY = ("too_large", "unsupported_media_type")
Kind = str | range | Iterable[str]


def describes(
    summary: str,
    *,
    answers: Mapping[int, str | None],
    body: str = "",
    errors: Iterable[str] = (),
    paged: bool = False,
    parameters: Mapping[str, Kind] | None = None,
    headers: Mapping[str, str] | None = None,
    open_to_all: bool = False,
) -> Callable[[F], F]:
    """Says what a method takes and answers, by the names of shapes. `errors` are codes of problems; those that every
    route has come by themselves."""
    codes = [*ALWAYS, *errors, *(() if open_to_all else WITH_TOKEN), *(WITH_BODY if body else ())]
    asked = [_query(name, kind) for name, kind in (parameters or {}).items()]
    if paged:
        asked += [_query("limit", range(1, MOST + 1)), _query("next", "the cursor of the page before")]
    asked += [_header(name, text) for name, text in (headers or {}).items()]
    asked.append(_header(HEADER, f"`{SERVICE} X.Y` or `{SERVICE} latest`; without it the oldest version answers"))
    decorate: Callable[[F], F] = extend_schema(
        summary=summary,
        request={"application/json": ref(body)} if body else None,
        responses=_answers(answers) | _problems(codes, taken=answers),
        parameters=asked,
    )
    return decorate


def _answers(answers: Mapping[int, str | None]) -> dict[Any, Any]:
    found: dict[Any, Any] = {}
    for status, shape in answers.items():
        if shape is None:
            found[status] = OpenApiResponse(description="Done")
        else:
            media = "application/problem+json" if shape == "Problem" else "application/json"
            found[(status, media)] = OpenApiResponse(ref(shape), description=_title(status))
    return found


def _problems(codes: Iterable[str], taken: Iterable[int]) -> dict[Any, Any]:
    by_status: dict[int, list[str]] = {}
    for kind in KINDS:
        if kind.code in codes and kind.status not in taken:
            by_status.setdefault(kind.status, []).append(f"`{kind.code}`")
    return {
        (status, "application/problem+json"): OpenApiResponse(ref("Problem"), description=" or ".join(names))
        for status, names in by_status.items()
    }


def _title(status: int) -> str:
    return {200: "As it is", 201: "Made", 202: "Not done yet"}.get(status, "")


def _query(name: str, kind: Kind) -> OpenApiParameter:
    described = ""
    shape: dict[str, Any] = {"type": "string", "minLength": 1, "maxLength": 255}
    if isinstance(kind, range):
        shape = {"type": "integer", "minimum": kind.start, "maximum": kind.stop - 1}
        if name == "limit":
            described = f"How many at the most ({LIMIT} unless said)" if kind.stop == MOST + 1 else ""
    elif kind == "uuid":
        shape = {"type": "string", "format": "uuid"}
    elif isinstance(kind, str):
        described = "" if kind == "label" else kind
        if name in ("next", "after"):
            shape = {"type": "string", "minLength": 1}
    else:
        shape = {"type": "string", "enum": list(kind)}
    return OpenApiParameter(name, shape, OpenApiParameter.QUERY, description=described)


def _header(name: str, text: str) -> OpenApiParameter:
    return OpenApiParameter(name, str, OpenApiParameter.HEADER, description=text)


def finish(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:
    """drf-spectacular's last hook: puts in the shapes, and the way to say who calls."""
    components = result.setdefault("components", {})
    components["schemas"] = dict(sorted(SHAPES.items()))
    components["securitySchemes"] = {
        "token": {"type": "apiKey", "in": "header", "name": "Authorization", "description": "`Token <token>`"},
        "session": {"type": "apiKey", "in": "cookie", "name": "sessionid"},
    }
    return result


class RouteSchema(AutoSchema):
    """What drf-spectacular cannot know: who may call a method, and good names."""

    def _role(self) -> str:
        return str(self.view.roles[self.method])

    def get_operation_id(self) -> str:
        words = re.findall(r"[A-Z][a-z]+", type(self.view).__name__)
        return "_".join([self.method.lower(), *words]).lower()

    def get_description(self) -> str:
        since = f" Since version {self.view.since}." if self.view.since else ""
        role = self._role()
        if role == ANYONE:
            return f"Needs no token.{since}"
        return f"For the provider's agent (or an admin).{since}" if role == AGENT else f"Needs the role {role}.{since}"

    def get_tags(self) -> list[str]:
        return [self.path.removeprefix("/api/").split("/")[0] or "versions"]

    def get_operation(self, *args: Any) -> dict[str, Any] | None:
        operation: dict[str, Any] | None = super().get_operation(*args)
        if operation is not None and self.view.since:  # older versions do not have the route
            problem = {"content": {"application/problem+json": {"schema": ref("Problem")}}}
            operation["responses"].setdefault("404", {**problem, "description": "`not_found`"})
        return operation

    def get_auth(self) -> list[dict[str, Any]]:
        return [] if self._role() == ANYONE else [{"token": []}, {"session": []}]


class OpenApi(View):
    """`/api/schema/`: YAML, or JSON with `?format=json` or `Accept: application/json`."""

    roles = {"GET": ANYONE}

    @describes("This document", answers={200: "OpenApi"}, parameters={"format": ("json", "yaml")}, open_to_all=True)
    def get(self, request: Request) -> HttpResponse:
        query = self.query()
        wish = query.choice("format", ("json", "yaml"), "")
        query.done()
        accepted = request.META.get("HTTP_ACCEPT", "")
        as_json = wish == "json" or (not wish and "json" in accepted and "yaml" not in accepted)
        renderer = OpenApiJsonRenderer() if as_json else OpenApiYamlRenderer()
        document = SchemaGenerator().get_schema(request=None, public=True)
        media = "application/vnd.oai.openapi+json" if as_json else "application/vnd.oai.openapi"
        return HttpResponse(renderer.render(document, renderer_context={}), content_type=f"{media}; charset=utf-8")

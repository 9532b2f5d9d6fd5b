"""Microversions: a client opts in to a version per request by header; without it the oldest one answers.

A new version is a line in VERSIONS, a release note in releasenotes/ and a line in docs/api-versions.md (a test
compares the three). Views ask `at_least(request, "1.x")`; old versions keep answering as they did.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse

from api.problems import INVALID, VERSION_UNSUPPORTED, FieldError, Problem, Refused, respond

HEADER = "OpenStack-API-Version"
SERVICE = "scheduling"
_WELL_FORMED = re.compile(r"([a-z][a-z-]{0,62}) +(?:([0-9]{1,6})\.([0-9]{1,6})|latest)")


@dataclass(frozen=True, order=True, slots=True)
class Version:
    major: int
    minor: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}"


# Every version there is, oldest first, each with what it brought.
VERSIONS: tuple[tuple[Version, str], ...] = (
    (Version(1, 0), "The first version: cells, resource classes, providers, scheduling, claims, requests, events."),
    (
        Version(1, 1),
        "Scheduling: conditions on properties, any-of traits, the same and other hosts, spread over places; "
        "aggregates, policies, headroom, plans that are looked at first and committed later, and what would make a "
        "refused request fit.",
    ),
    (Version(1, 2), "The life of requests and hosts: every attempt of a request, and what operators do to a host."),
)
OLDEST, NEWEST = VERSIONS[0][0], VERSIONS[-1][0]
KNOWN = frozenset(version for version, _ in VERSIONS)


def asked_for(header: str | None) -> Version:
    """The version that a header names. Raises Refused: malformed, or not offered."""
    if header is None:
        return OLDEST
    wanted = [_parse(part) for part in header.split(",")]
    ours = [version for service, version in wanted if service == SERVICE]
    if len(ours) != 1:
        raise _malformed(f"names {SERVICE} {len(ours)} times; once is right")
    if ours[0] not in KNOWN:
        range_ = {"min_version": str(OLDEST), "max_version": str(NEWEST)}
        detail = f"Version {ours[0]} is not offered: {OLDEST} to {NEWEST} are"
        raise Refused(Problem(VERSION_UNSUPPORTED, detail, members=range_))
    return ours[0]


def at_least(request: HttpRequest, version: str) -> bool:
    """Whether the client asked for this version or a newer one."""
    major, _, minor = version.partition(".")
    return bool(request.microversion >= Version(int(major), int(minor)))  # type: ignore[attr-defined]


def _parse(part: str) -> tuple[str, Version]:
    text = part.strip()
    if text == "latest":
        return SERVICE, NEWEST
    found = _WELL_FORMED.fullmatch(text)
    if found is None:
        raise _malformed(f"must be `{SERVICE} X.Y` or `{SERVICE} latest`")
    service, major, minor = found.groups()
    return service, NEWEST if major is None else Version(int(major), int(minor))


def _malformed(message: str) -> Refused:
    return Refused(Problem(INVALID, f"{HEADER}: {message}", (FieldError(HEADER, message),)))


class MicroversionMiddleware:
    """Reads the version before anything else looks at a request, and says on every answer which one was used.

    The innermost middleware, and synchronous: see api/exchange.py.
    """

    sync_capable, async_capable = True, False

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not request.path.startswith("/api/"):
            return self._get_response(request)
        used = OLDEST
        try:
            used = asked_for(request.headers.get(HEADER))
        except Refused as refused:
            response = respond(request, refused.problem)
        else:
            request.microversion = used  # type: ignore[attr-defined]
            response = self._get_response(request)
        say(response, used)
        return response


def say(response: HttpResponse, used: Version = OLDEST) -> None:
    """Says on an answer which version it is in, and that another one might differ."""
    response[HEADER] = f"{SERVICE} {used}"
    known = [name.strip() for name in response.get("Vary", "").split(",") if name.strip()]
    if HEADER.lower() not in (name.lower() for name in known):
        response["Vary"] = ", ".join([HEADER, *known])

"""Every problem the API can answer with: its code, status and title. docs/api.md explains each (a test compares)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.http import HttpRequest, HttpResponse

from api.answers import PROBLEM, answer

TYPE = "urn:sched-portal:problem:"  # a name, not an address: docs/api.md explains each


@dataclass(frozen=True, slots=True)
class Kind:
    """One code: stable, documented, always with the same status."""

    code: str
    status: int
    title: str
    retry_after: int | None = None  # seconds


INVALID = Kind("invalid", 400, "The request is not valid")
UNAUTHENTICATED = Kind("unauthenticated", 401, "Say who you are")
FORBIDDEN = Kind("forbidden", 403, "Not allowed")
NOT_FOUND = Kind("not_found", 404, "There is no such thing")
METHOD_NOT_ALLOWED = Kind("method_not_allowed", 405, "This route does not have that method")
VERSION_UNSUPPORTED = Kind("version_unsupported", 406, "This version of the API is not offered")
CONFLICT = Kind("conflict", 409, "It is not in a state that allows this")
NO_VALID_HOST = Kind("no_valid_host", 409, "No host fits")
IDEMPOTENCY_MISMATCH = Kind("idempotency_mismatch", 409, "The id was used for another request")
TOO_LARGE = Kind("too_large", 413, "The body is too large")
UNSUPPORTED_MEDIA_TYPE = Kind("unsupported_media_type", 415, "The body is not JSON")
THROTTLED = Kind("throttled", 429, "Too many requests")
INTERNAL = Kind("internal", 500, "The portal made a mistake")
CONTENDED = Kind("contended", 503, "Every try was lost to others", retry_after=1)
UNAVAILABLE = Kind("unavailable", 503, "The database or the cell cannot be reached", retry_after=2)
UNKNOWN_OUTCOME = Kind("unknown_outcome", 202, "The outcome is not known yet")

KINDS: tuple[Kind, ...] = (
    INVALID,
    UNAUTHENTICATED,
    FORBIDDEN,
    NOT_FOUND,
    METHOD_NOT_ALLOWED,
    VERSION_UNSUPPORTED,
    CONFLICT,
    NO_VALID_HOST,
    IDEMPOTENCY_MISMATCH,
    TOO_LARGE,
    UNSUPPORTED_MEDIA_TYPE,
    THROTTLED,
    INTERNAL,
    CONTENDED,
    UNAVAILABLE,
    UNKNOWN_OUTCOME,
)


@dataclass(frozen=True, slots=True)
class FieldError:
    """Where (dotted: `resources.0.amounts.vcpus`; empty for the body as a whole) and what is wrong there."""

    field: str
    message: str


@dataclass(frozen=True, slots=True)
class Problem:
    kind: Kind
    detail: str
    errors: Sequence[FieldError] = ()
    members: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


class Refused(Exception):
    """Raised by the API's own checks; carries what to answer."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.detail)
        self.problem = problem


def invalid(errors: Sequence[FieldError]) -> Refused:
    """The detail repeats the first mistake, for people who read only one line."""
    first = errors[0]
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    where = f"{first.field}: " if first.field else ""
    return Refused(Problem(INVALID, f"{where}{first.message}{more}", tuple(errors)))


def respond(request: HttpRequest, problem: Problem) -> HttpResponse:
    """The problem as an answer (RFC 9457). `request_id` names this exchange; the X-Request-Id header repeats it."""
    kind = problem.kind
    body: dict[str, Any] = {
        "type": TYPE + kind.code,
        "title": kind.title,
        "status": kind.status,
        "detail": problem.detail,
        "code": kind.code,
        "request_id": getattr(request, "exchange_id", ""),
    }
    if problem.errors:
        body["errors"] = [{"field": e.field, "message": e.message} for e in problem.errors]
    body |= {name: value for name, value in problem.members.items() if name not in body}
    headers = dict(problem.headers)
    if kind.retry_after is not None:
        headers.setdefault("Retry-After", str(kind.retry_after))
    response = answer(body, kind.status, headers, PROBLEM)
    response._has_been_logged = True  # type: ignore[attr-defined]  # else Django logs a line for every 4xx
    return response

"""The one place where an error of the domain, of Django or of DRF becomes an HTTP answer."""

import logging
from typing import Any

import django.db
from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation, TooManyFilesSent
from django.http import Http404, HttpRequest, HttpResponse
from rest_framework import exceptions as drf

from api.problems import (
    CONFLICT,
    CONTENDED,
    FORBIDDEN,
    INTERNAL,
    INVALID,
    METHOD_NOT_ALLOWED,
    NOT_FOUND,
    THROTTLED,
    TOO_LARGE,
    UNAUTHENTICATED,
    UNAVAILABLE,
    UNSUPPORTED_MEDIA_TYPE,
    FieldError,
    Kind,
    Problem,
    Refused,
    respond,
)
from conductor.force import HostAlive
from conductor.progress import ClaimGone
from events.tail import BadCursor
from providers.decommission import NotEmpty
from providers.refusals import Busy, Conflict, Invalid, NotFound, Undecided
from store.failures import SchemaMissing, StoreUnavailable

log = logging.getLogger("sched_portal.api")

OF_DRF: tuple[tuple[type[Exception], Kind], ...] = (
    (drf.NotAuthenticated, UNAUTHENTICATED),
    (drf.AuthenticationFailed, UNAUTHENTICATED),
    (drf.PermissionDenied, FORBIDDEN),
    (drf.MethodNotAllowed, METHOD_NOT_ALLOWED),
    (drf.UnsupportedMediaType, UNSUPPORTED_MEDIA_TYPE),
    (drf.Throttled, THROTTLED),
    (drf.NotFound, NOT_FOUND),
    (drf.APIException, INVALID),
)


def problem_of(error: Exception) -> Problem:
    """What to answer to an error; anything nobody thought of is `internal`, with nothing of its inside shown."""
    match error:
        case Refused():
            return error.problem
        case Invalid():
            return Problem(INVALID, str(error), (FieldError(error.field, error.message),))
        case BadCursor():
            return Problem(INVALID, f"after: is {error}", (FieldError("after", f"is {error}"),))
        case NotFound() | Http404():
            return Problem(NOT_FOUND, str(error) or "There is nothing under this path")
        case ClaimGone():
            return Problem(CONFLICT, str(error), members={"claim_state": error.claim_state})
        case NotEmpty():
            return Problem(CONFLICT, str(error), members={"left": error.left})
        case HostAlive():
            return Problem(CONFLICT, str(error), members={"alive": error.alive})
        case Conflict():
            return Problem(CONFLICT, str(error), members={} if error.current is None else {"current": error.current})
        case Busy():
            return Problem(CONTENDED, str(error))
        case Undecided() | StoreUnavailable() | SchemaMissing():
            return Problem(UNAVAILABLE, str(error))
        case django.db.OperationalError():
            return Problem(UNAVAILABLE, "The SQL database does not answer; try again")
        case RequestDataTooBig() | TooManyFilesSent():
            return Problem(TOO_LARGE, str(error))
        case PermissionDenied():
            return Problem(FORBIDDEN, str(error) or "Not allowed")
        case SuspiciousOperation():
            return Problem(INVALID, "The request cannot be read", (FieldError("", "the request cannot be read"),))
        case drf.APIException():
            return _of_drf(error)
    return Problem(INTERNAL, "Something went wrong here; the log has it under this request_id")


def _of_drf(error: drf.APIException) -> Problem:
    kind = next(kind for known, kind in OF_DRF if isinstance(error, known))
    headers: dict[str, str] = {}
    if getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = error.auth_header
    if isinstance(error, drf.Throttled) and error.wait is not None:
        headers["Retry-After"] = str(max(1, int(error.wait + 0.999)))
    detail = str(error.detail)
    return Problem(kind, detail, (FieldError("", detail),) if kind is INVALID else (), headers=headers)


def handle(error: Exception, context: dict[str, Any]) -> HttpResponse:
    """DRF's exception handler."""
    request = getattr(context["request"], "_request", context["request"])
    response = tell(request, error)
    if isinstance(error, drf.MethodNotAllowed):
        response["Allow"] = ", ".join(context["view"].roles)
    return response


def tell(request: HttpRequest, error: Exception) -> HttpResponse:
    """The answer to an error, and a line in the log when it is ours."""
    problem = problem_of(error)
    where = (getattr(request, "exchange_id", "-"), request.method, request.path)
    if problem.kind is INTERNAL:
        log.error("%s %s %s failed", *where, exc_info=error)
    elif problem.kind.status >= 500:
        log.warning("%s %s %s: %s", *where, problem.detail)
    else:
        log.debug("%s %s %s: %s %s", *where, problem.kind.code, problem.detail)
    return respond(request, problem)

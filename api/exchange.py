"""One HTTP exchange, from outside: its id, its time, its line in the metrics. Wraps everything else."""

import time
from collections.abc import Callable
from uuid import uuid4

from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest, HttpResponse

from api import metrics, microversions
from api.errors import tell
from api.problems import INTERNAL, NOT_FOUND, Problem, respond

HEADER = "X-Request-Id"


class ExchangeMiddleware:
    """Gives each exchange an id (in every problem, in the log, in X-Request-Id) and measures it.

    Synchronous on purpose: with it and the innermost one the whole chain runs in one thread, where a chain of
    asynchronous and synchronous middleware hops between threads a dozen times a request.
    """

    sync_capable, async_capable = True, False

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        began = time.perf_counter()
        request.exchange_id = str(uuid4())  # type: ignore[attr-defined]
        response = self._get_response(request)
        if request.path.startswith("/api/") and response.get("Content-Type", "").startswith("text/html"):
            response = _as_problem(request, response)
            microversions.say(response)
        response[HEADER] = request.exchange_id  # type: ignore[attr-defined]
        metrics.observe(request, response.status_code, time.perf_counter() - began)
        return response


def _as_problem(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """Django's own pages (a host name that is not allowed, a path that cannot be read) in the API's form."""
    if response.status_code == 404:
        return respond(request, Problem(NOT_FOUND, f"There is no {request.path}"))
    if response.status_code == 400:
        return tell(request, SuspiciousOperation("unreadable"))
    if response.status_code == 500:
        return respond(request, Problem(INTERNAL, "Something went wrong here; the log says what"))
    return response

"""`/healthz` and `/readyz`: for whatever restarts processes and balances load. No token: they tell nothing."""

import logging

from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from api.answers import answer
from api.problems import UNAVAILABLE, Problem, respond
from providers import cells
from store.failures import SchemaMissing, StoreUnavailable

log = logging.getLogger("sched_portal.api")


@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """The process is up."""
    return answer({"status": "ok"})


@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """Cassandra (with our tables) and SQL answer."""
    wrong = {"cassandra": _cassandra(), "sql": _sql()}
    if not any(wrong.values()):
        return answer({"status": "ready", "cassandra": "ok", "sql": "ok"})
    detail = "; ".join(f"{name}: {message}" for name, message in wrong.items() if message)
    return respond(request, Problem(UNAVAILABLE, detail))


def _cassandra() -> str:
    try:
        cells.all_cells()
    except (StoreUnavailable, SchemaMissing) as error:
        return str(error)
    return ""


def _sql() -> str:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM api_token LIMIT 1")
    except DatabaseError as error:
        return type(error).__name__
    return ""

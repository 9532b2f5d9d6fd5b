"""Browsers' sessions, in SQL: one ends after SESSION_IDLE without a request, and SESSION_LONGEST after its login.

The cookie itself goes with the browser; when a session is over is decided here, for pages, API and WebSockets alike. An
open WebSocket is no request: who only looks is asked for the password as well.
"""

import datetime as dt
import time
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends import db
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

BEGAN = "began"  # seconds since the epoch
NOTED_EVERY = 60.0  # seconds: how coarse it is known when a session was used last; a write per request costs more


class SessionStore(db.SessionStore):
    """Django's, with two ends: `expire_date` in SQL is the earlier one."""

    read_until: dt.datetime | None = None  # when it ends, as it was read

    def _get_session_from_db(self) -> Any:
        row = super()._get_session_from_db()
        if row is None:
            return None
        data = self.decode(row.session_data)
        if SESSION_KEY in data and time.time() >= data.get(BEGAN, 0) + settings.SESSION_LONGEST:
            self._session_key = None  # as Django says that there is none
            return None
        self.read_until = row.expire_date
        return row

    def get_session_cookie_age(self) -> int:
        idle: int = settings.SESSION_COOKIE_AGE
        began = self.get(BEGAN)
        return idle if began is None else max(0, min(idle, int(began + settings.SESSION_LONGEST - time.time())))

    def prolong(self) -> None:
        """Notes that it is used. In SQL alone: saving it could undo what another request just changed."""
        ends = timezone.now() + dt.timedelta(seconds=self.get_session_cookie_age())
        if self.read_until is not None and (ends - self.read_until).total_seconds() >= NOTED_EVERY:
            self.model.objects.filter(session_key=self.session_key).update(expire_date=ends)


class SessionInUse:
    """Middleware: a request prolongs its user's session, if it still has one afterwards."""

    sync_capable, async_capable = True, False

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self._get_response(request)
        if settings.SESSION_COOKIE_NAME in request.COOKIES and SESSION_KEY in request.session:
            request.session.prolong()  # type: ignore[attr-defined]
        return response


def begin(request: HttpRequest, **_: Any) -> None:
    """At a login. Django gives the session a new id, but not when the same user logs in again."""
    if BEGAN in request.session:
        request.session.cycle_key()
    request.session[BEGAN] = int(time.time())

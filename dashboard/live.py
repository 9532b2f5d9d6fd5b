"""What the pages' scripts ask for beside the WebSocket: a snapshot, long polls, figures, events, and the past. JSON.

For a browser's session only: programs have the WebSocket with a token, and the API. Every answer is about one cell, and
bounded.
"""

import datetime as dt
import functools
import gzip
import json
import threading
from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.utils.cache import patch_vary_headers
from django.utils.dateparse import parse_datetime

from dashboard.apply import line_of
from dashboard.figures_table import between
from dashboard.follow import NotReady, watch
from dashboard.message import DELTA, SNAPSHOT, Head, Message, encode, units, whole
from dashboard.overview import overview
from dashboard.past import cell_at
from dashboard.permit import FORBIDDEN, UNAUTHENTICATED, refusal
from events.look_back import Wanted, look
from events.tail import BadCursor
from events.types import TYPES
from providers import cells
from providers.refusals import Invalid, NotFound
from store.failures import SchemaMissing, StoreUnavailable
from store.home import Home
from store.record_roles import role_of

WAIT = 10.0  # seconds that a poll waits for something to tell
POLLS = 200  # that wait at once; each has a thread that only waits
A_PAGE = 100  # lines of events
LONGEST = 31 * 86400  # seconds of figures in one answer
_polls = threading.BoundedSemaphore(POLLS)
View = Callable[..., HttpResponse]


def for_scripts(view: View) -> View:
    """Who may look gets an answer; everybody else a code and what to do."""

    @functools.wraps(view)
    def respond(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        refused = refusal((role_of(request.user) or "") if request.user.is_authenticated else None)
        if refused == UNAUTHENTICATED:
            return _problem(401, "unauthenticated", "log in on /login/")
        if refused == FORBIDDEN:
            return _problem(403, "forbidden", "your user has no role yet: an admin gives it one")
        if request.method != "GET":
            return _problem(405, "method_not_allowed", "these are only read: GET")
        try:
            return view(request, *args, **kwargs)
        except NotFound as error:
            return _problem(404, "not_found", str(error))
        except (Invalid, BadCursor) as error:
            return _problem(400, "invalid", str(error))
        except (NotReady, StoreUnavailable, SchemaMissing) as error:
            return _problem(503, "unavailable", f"{error}; try again")

    return respond


@for_scripts
def cells_now(request: HttpRequest) -> HttpResponse:
    return _json(request, {"at": _now().isoformat(), "cells": overview(), "units": units()})


@for_scripts
def snapshot(request: HttpRequest, name: str) -> HttpResponse:
    """As the WebSocket's first message: it comes packed, and is made once for all who ask at the same time."""
    return _packed(request, watch(_home(name)).snapshot().text(0), _pack_once)


@for_scripts
def poll(request: HttpRequest, name: str) -> HttpResponse:
    """What was missed since the cursor, as soon as there is something: one message, as over the WebSocket."""
    after = request.GET.get("after") or None
    followed = watch(_home(name))
    waiting = _Waiting()
    first = followed.join_in(waiting, after)
    try:
        if first.type == SNAPSHOT or _tells(first) or not _polls.acquire(blocking=False):
            return _packed(request, first.text(0))
        try:
            connection.close()  # who waits needs no SQL connection
            waiting.rung.wait(WAIT)
        finally:
            _polls.release()
        return _packed(request, (waiting.message or first).text(1))
    finally:
        followed.leave(waiting)


@for_scripts
def past(request: HttpRequest, name: str) -> HttpResponse:
    """The cell as it was at the instant `at`, as a snapshot."""
    found = cell_at(_home(name), _instant(request, "at", _now()))
    said = {**whole(name, found.state, found.lines), "past": found.at.isoformat(), "since": found.since.isoformat()}
    return _packed(request, encode(SNAPSHOT, Head("", 0.0), said).text(0))


@for_scripts
def figures(request: HttpRequest, name: str) -> HttpResponse:
    """The cell's figures from `since` until `until`."""
    until = _instant(request, "until", _now())
    since = _instant(request, "since", until - dt.timedelta(minutes=15))
    if not 0 < (until - since).total_seconds() <= LONGEST:
        raise Invalid("since", f"must be before until, by {LONGEST // 86400} days at most")
    return _json(request, {"cell": name, "figures": between(_home(name), since, until)})


@for_scripts
def events(request: HttpRequest, name: str) -> HttpResponse:
    """The cell's events, newest first: a page, and the cursor of the next."""
    kind, cursor = request.GET.get("type", ""), request.GET.get("after") or None
    if kind and kind not in TYPES:
        raise Invalid("type", f"must be one of {', '.join(TYPES)}")
    wanted = Wanted(
        type=kind,
        provider_id=_id(request, "provider"),
        request_id=_id(request, "request"),
        until=_instant(request, "until", None),
    )
    found, following = look([_home(name)], wanted, A_PAGE, cursor)
    return _json(request, {"events": [line_of(event) for event in found], "next": following})


class _Waiting:
    """A poll's place in the audience: the first message is all it waits for."""

    gone = False

    def __init__(self) -> None:
        self.rung = threading.Event()
        self.message: Message | None = None

    def offer(self, message: Message) -> None:
        if self.message is None and (_tells(message) or message.type == SNAPSHOT):
            self.message = message
            self.rung.set()

    def restart(self) -> None:
        self.message = None


def _tells(message: Message) -> bool:
    return message.type != DELTA or not message.is_empty


def _home(name: str) -> Home:
    return cells.find(name).home


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def _instant(request: HttpRequest, name: str, otherwise: Any) -> Any:
    given = request.GET.get(name)
    if not given:
        return otherwise
    try:
        found = parse_datetime(given)
        at = found.astimezone(dt.UTC) if found is not None and found.tzinfo is not None else None
    except (ValueError, OverflowError):
        at = None
    if at is None or not 2000 <= at.year <= 9000:
        raise Invalid(name, "must be an instant such as 2026-01-31T12:00:00Z")
    return at


def _id(request: HttpRequest, name: str) -> UUID | None:
    given = request.GET.get(name)
    if not given:
        return None
    try:
        return UUID(given)
    except ValueError as error:
        raise Invalid(name, "must be an id") from error


def _json(request: HttpRequest, said: Mapping[str, Any]) -> HttpResponse:
    return _packed(request, json.dumps(said, separators=(",", ":"), default=str))


def _pack(text: str) -> bytes:
    return gzip.compress(text.encode(), 4)


_pack_once = functools.lru_cache(maxsize=4)(_pack)  # a snapshot is asked for by many at the same time


def _packed(request: HttpRequest, text: str, pack: Callable[[str], bytes] = _pack) -> HttpResponse:
    is_packed = "gzip" in request.headers.get("Accept-Encoding", "") and len(text) > 1000
    response = HttpResponse(pack(text) if is_packed else text, content_type="application/json")
    if is_packed:
        response["Content-Encoding"] = "gzip"
    patch_vary_headers(response, ["Accept-Encoding", "Cookie"])
    return response


def _problem(status: int, code: str, detail: str) -> HttpResponse:
    said = json.dumps({"code": code, "detail": detail})
    response = HttpResponse(said, status=status, content_type="application/json")
    if status == 405:
        response["Allow"] = "GET"
    return response

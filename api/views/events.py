"""`/api/events`: the durable log, read on from a cursor; with `wait` the answer comes when there is something."""

import threading
import time
from collections.abc import Sequence

from django.db import connection
from django.http import HttpResponse
from rest_framework.request import Request

from api.answers import answer
from api.describe import describes
from api.images import event_image
from api.paging import CURSOR, LIMIT, MOST, page
from api.view import View
from api.wait_for_events import news_of
from events.tail import decode_cursor, head_cursor, read_after, settled_cursor
from events.types import Event
from providers import cells
from providers.refusals import Invalid, NotFound
from store.home import Home
from store.record_roles import VIEWER

LONGEST_WAIT = 60  # seconds
LOOK_ANYWAY = 5.0  # seconds: as often a waiting reader looks for itself, should the bell be broken
WAITING_AT_ONCE = 200  # each holds a thread of its own, never one that others need; more than these do not wait
NOW = "now"
_waiting = threading.BoundedSemaphore(WAITING_AT_ONCE)


class Events(View):
    roles = {"GET": VIEWER}

    @describes(
        "Read events after a cursor",
        answers={200: "EventPage"},
        parameters={
            "cell": "label",
            "after": "the cursor to go on from; `now` for what comes from here on; without it the oldest kept",
            "limit": range(1, MOST + 1),
            "wait": range(LONGEST_WAIT + 1),
        },
    )
    def get(self, request: Request) -> HttpResponse:
        query = self.query()
        name = query.label("cell", "")
        after = query.label("after", None, most=CURSOR)
        limit = query.count("limit", LIMIT, 1, MOST)
        wait = query.count("wait", 0, 0, LONGEST_WAIT)
        query.done()
        settled = settled_cursor()
        if after == NOW:
            after = head_cursor()
        elif after is not None:
            decode_cursor(after)
        found, cursor = _read(_homes(name), after, limit, wait)
        # Without any event there is no last one to name: what had settled before the reading began is.
        return answer(page(map(event_image, found), cursor or settled))


def _read(homes: Sequence[Home], after: str | None, limit: int, wait: int) -> tuple[list[Event], str | None]:
    until = time.monotonic() + wait
    found, cursor = read_after(homes, after, limit)
    if found or not wait or not _waiting.acquire(blocking=False):
        return found, cursor
    connection.close()  # whoever waits for a minute needs no SQL connection meanwhile
    try:
        with news_of(homes) as bell:
            while not found and time.monotonic() < until:
                bell.clear()
                found, cursor = read_after(homes, after, limit)
                if not found:
                    bell.wait(min(LOOK_ANYWAY, max(0.0, until - time.monotonic())))
        return found, cursor
    finally:
        _waiting.release()


def _homes(name: str) -> list[Home]:
    if not name:
        return [cell.home for cell in cells.all_cells()]
    try:
        return [cells.find(name).home]
    except NotFound as error:
        raise Invalid("cell", str(error)) from error

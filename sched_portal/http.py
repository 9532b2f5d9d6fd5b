"""Serves HTTP from threads that stay.

Django's own ASGI handler starts a thread for every request and hops between it and the event loop at every turn: half
of a request's CPU time, and an SQL connection opened and closed each time. All of this portal's views are synchronous
(what Cassandra's driver and the ORM are), so each request runs from start to end in one thread of a pool instead. This
can go when Django's handler keeps its threads.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.core import signals
from django.core.exceptions import RequestAborted
from django.core.handlers.asgi import ASGIHandler, get_script_prefix
from django.http import HttpResponseBase
from django.urls import set_script_prefix

Message = Mapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

THREADS = 64  # requests at work at once in one process; more wait in line
WAITING_THREADS = 256  # readers of events, who only wait: they must not stand in anybody's way
WAITING_PATHS = ("/api/events", "/live/poll/")


class ThreadedHandler(ASGIHandler):
    """An ASGI application whose whole middleware chain is synchronous."""

    def __init__(self) -> None:
        super().__init__()
        self.load_middleware(is_async=False)
        self._working = ThreadPoolExecutor(THREADS, "http")
        self._waiting = ThreadPoolExecutor(WAITING_THREADS, "http-waiting")

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        try:
            body = await self.read_body(receive)
        except RequestAborted:
            return
        pool = self._waiting if scope["path"].startswith(WAITING_PATHS) else self._working
        loop = asyncio.get_running_loop()
        # A client that goes away meanwhile changes nothing: what it asked for is done, and the answer is dropped.
        response = await loop.run_in_executor(pool, self._respond, scope, body)
        try:
            await self.send_response(response, send)
        finally:
            if response.streaming:
                await loop.run_in_executor(pool, response.close)
            body.close()

    def _respond(self, scope: dict[str, Any], body: Any) -> HttpResponseBase:
        """In a thread of the pool. The signals are sent here too: they look after this thread's SQL connection."""
        set_script_prefix(get_script_prefix(scope))
        signals.request_started.send(sender=type(self), scope=scope)
        request, refusal = self.create_request(scope, body)
        response = self.get_response(request) if request is not None else refusal
        assert response is not None  # Django gives one of the two
        response._handler_class = type(self)  # type: ignore[attr-defined]
        if not response.streaming:
            response.close()  # its content stays readable; this ends the request for Django
        return response

"""A viewer's WebSocket: a snapshot of the cell, then what changes. What the messages are: docs/dashboard.md."""

import asyncio
import contextlib
import json
import time
from typing import Any

from channels.generic.websocket import AsyncWebsocketConsumer

from dashboard.follow import NotReady, Watch, watch
from dashboard.message import SNAPSHOT, Message, error
from dashboard.permit import NOT_FOUND, TRY_AGAIN, refusal
from dashboard.viewer import UNREAD, Viewer
from events.tail import BadCursor, decode_cursor
from providers import cells
from providers.refusals import NotFound
from store.failures import SchemaMissing, StoreUnavailable
from store.home import Home

SILENCE = 0.25  # seconds that the first message may take; who says nothing gets a snapshot
LOOK_AGAIN = 3.0  # seconds between two looks at whether the viewer still may
LONGEST = 4096  # characters of a client's message


class Invalid(Exception):
    """The client's message is not one of those there are."""


class CellConsumer(AsyncWebsocketConsumer):
    """One task sends; `receive` only notes what the client wants and wakes it."""

    serving: asyncio.Task[None] | None = None

    async def connect(self) -> None:
        await self.accept()
        code = refusal(self.scope.get("role"))
        if code is not None:
            await self.close(code)
            return
        self.viewer = Viewer(asyncio.get_running_loop())
        self.seq = 0
        self.looked = time.monotonic()
        self.acknowledged: int | None = None
        self.wanted: str | None = None  # the cursor to resume after; "" asks for a snapshot
        self.asked = asyncio.Event()
        self.serving = asyncio.create_task(self._serve())

    async def disconnect(self, code: int) -> None:
        if self.serving is not None:
            self.serving.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self.serving

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if self.serving is None:
            return
        try:
            self._note(_understand(text_data))
        except (Invalid, BadCursor) as problem:
            await self.send(error("invalid", str(problem)))

    def _note(self, said: dict[str, Any]) -> None:
        if said["type"] == "ack":
            self.acknowledged = said["seq"]
        else:
            self.wanted = said["after"] or ""
            self.asked.set()
        self.viewer.woken.set()

    async def _serve(self) -> None:
        followed: Watch | None = None
        try:
            home = await asyncio.to_thread(_home, self.scope["url_route"]["kwargs"]["name"])
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.asked.wait(), SILENCE)
            followed = await asyncio.to_thread(watch, home)
            await self._begin(followed)
            while not await self._is_unwelcome():
                await self.viewer.woken.wait()
                self.viewer.woken.clear()
                await self._send_what_waits(followed)
        except NotFound:
            await self.close(NOT_FOUND)
        except (NotReady, StoreUnavailable, SchemaMissing):
            await self.close(TRY_AGAIN)
        finally:
            if followed is not None:
                followed.leave(self.viewer)

    async def _is_unwelcome(self) -> bool:
        """Whether the user was logged out, or the token revoked, since; closes the connection then."""
        role_now = self.scope.get("role_now")
        if role_now is None or time.monotonic() - self.looked < LOOK_AGAIN:
            return False
        self.looked = time.monotonic()
        code = refusal(await role_now())
        if code is not None:
            await self.close(code)
        return code is not None

    async def _begin(self, followed: Watch) -> None:
        """What was missed since the cursor that the client named, or a snapshot."""
        after, self.wanted = self.wanted or None, None
        await self._send(await asyncio.to_thread(followed.join_in, self.viewer, after))

    async def _send_what_waits(self, followed: Watch) -> None:
        if self.wanted is not None:
            await self._begin(followed)
        if self.acknowledged is not None and self.seq - self.acknowledged >= UNREAD:
            return  # let it read first; what waits too long becomes a snapshot
        messages, missed = self.viewer.take()
        if missed:
            await self._begin(followed)
        for message in messages:
            await self._send(message)

    async def _send(self, message: Message) -> None:
        self.seq = 0 if message.type == SNAPSHOT else self.seq + 1
        if self.seq == 0 and self.acknowledged is not None:
            self.acknowledged = 0
        await self.send(message.text(self.seq))


def _home(name: str) -> Home:
    return cells.find(name).home


def _understand(text: str | None) -> dict[str, Any]:
    """`resume` and `ack`. Raises Invalid, BadCursor."""
    if text is None or len(text) > LONGEST:
        raise Invalid(f"a message is JSON text of at most {LONGEST} characters")
    try:
        said = json.loads(text)
    except (ValueError, RecursionError) as problem:
        raise Invalid("not JSON") from problem
    kind = said.get("type") if isinstance(said, dict) else None
    if kind == "resume" and "after" in said and (said["after"] is None or isinstance(said["after"], str)):
        if said["after"]:
            decode_cursor(said["after"])
        return {"type": kind, "after": said["after"]}
    if kind == "ack" and isinstance(said.get("seq"), int) and not isinstance(said["seq"], bool):
        return {"type": kind, "seq": said["seq"]}
    raise Invalid('say {"type": "resume", "after": cursor} or {"type": "ack", "seq": n}')

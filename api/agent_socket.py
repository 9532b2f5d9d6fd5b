"""The agents' WebSocket: by token only, told when there may be orders. What the messages are: docs/api.md.

Nothing is decided here. An agent that is told asks for its claims as ever, and one that is not told asks later.
"""

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any
from uuid import UUID

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.db import DatabaseError
from rest_framework.exceptions import AuthenticationFailed

from agents.notify import Listener, homes_of, leave, listen
from agents.protocol import (
    ADDED,
    CLOSE_FORBIDDEN,
    CLOSE_TRY_AGAIN,
    CLOSE_UNAUTHENTICATED,
    DROPPED,
    ERROR,
    HELLO,
    ORDERS,
    SOCKET_TOKENS,
    ProtocolError,
    parse_add,
)
from api import tokens
from api.authenticate import Caller, TokenAuthentication
from store.failures import SchemaMissing, StoreUnavailable
from store.home import Home

log = logging.getLogger("sched_portal.api")

LOOK_AGAIN = 30.0  # seconds between two looks at whether the tokens are still valid
AWAY = (DatabaseError, StoreUnavailable, SchemaMissing)


class AgentSocket(AsyncWebsocketConsumer):
    """`receive` takes tokens up; one task sends what is told of their providers."""

    serving: asyncio.Task[None] | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """However the connection ends, nothing of it stays."""
        self.listener = Listener(asyncio.get_running_loop())
        self.held: dict[str, UUID] = {}  # a token's digest -> its provider
        self.homes: dict[UUID, Home] = {}
        try:
            await super().__call__(scope, receive, send)
        finally:
            leave(self.listener, self.homes)
            if self.serving is not None:
                self.serving.cancel()

    async def connect(self) -> None:
        await self.accept()
        header = dict(self.scope["headers"]).get(b"authorization", b"").decode("latin1")
        try:
            caller = await _caller(header)
            if caller is None or caller.provider_id is None:
                await self.close(CLOSE_UNAUTHENTICATED if caller is None else CLOSE_FORBIDDEN)
                return
            if await self._take_up([header.partition(" ")[2].strip()]):  # revoked or removed since
                await self.close(CLOSE_UNAUTHENTICATED)
                return
        except AWAY:
            await self.close(CLOSE_TRY_AGAIN)
            return
        await self._say(HELLO, providers=list(self.homes))
        self.serving = asyncio.create_task(self._serve())

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if self.serving is None:
            return
        try:
            more = parse_add(text_data)
            if len({*self.held, *map(tokens.digest, more)}) > SOCKET_TOKENS:
                raise ProtocolError(f"one connection speaks for at most {SOCKET_TOKENS} tokens: open another one")
            before = set(self.homes)
            refused = await self._take_up(more)
        except ProtocolError as problem:
            await self._say(ERROR, code="invalid", detail=str(problem))
        except AWAY:
            await self._say(ERROR, code="unavailable", detail="a database does not answer: say it again later")
        else:
            await self._say(ADDED, providers=[one for one in self.homes if one not in before], refused=refused)

    async def _take_up(self, more: Sequence[str]) -> list[dict[str, Any]]:
        """Listens for these tokens' providers too. Answers with those it does not, by position and code."""
        digests = [tokens.digest(token) for token in more]
        bound = await _bound(digests)
        homes = await asyncio.to_thread(homes_of, set(bound.values()))
        taken = {digest: provider_id for digest, provider_id in bound.items() if provider_id in homes}
        listen(self.listener, homes)
        self.held.update(taken)
        self.homes.update(homes)
        return [
            {"token": position, "code": "not_found" if digest in bound else "unauthenticated"}
            for position, digest in enumerate(digests)
            if digest not in taken
        ]

    async def _serve(self) -> None:
        looked = time.monotonic()
        while self.held:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, looked + LOOK_AGAIN - time.monotonic())):
                    await self.listener.woken.wait()
            self.listener.woken.clear()
            if time.monotonic() - looked >= LOOK_AGAIN:
                looked = time.monotonic()
                await self._drop_revoked()
            told, missed = self.listener.take()
            if missed:
                await self._say(HELLO, providers=missed & self.homes.keys())
            if told:
                await self._say(ORDERS, providers=told & self.homes.keys())
        await self.close(CLOSE_UNAUTHENTICATED)

    async def _drop_revoked(self) -> None:
        asked = list(self.held)
        try:
            valid = await _bound(asked)
        except DatabaseError as error:
            log.warning("agents' tokens cannot be looked at now: %s", error)
            return
        for digest in set(asked) - valid.keys():
            del self.held[digest]
        gone = self.homes.keys() - set(self.held.values())
        leave(self.listener, {provider_id: self.homes.pop(provider_id) for provider_id in gone})
        if gone:
            await self._say(DROPPED, providers=gone)

    async def _say(self, kind: str, **members: Any) -> None:
        if "providers" in members:
            members["providers"] = sorted(map(str, members["providers"]))
        await self.send(json.dumps({"type": kind, **members}))


@database_sync_to_async
def _caller(header: str) -> Caller | None:
    """Whose token the Authorization header has, as in the API; None: nobody's."""
    asked: Any = SimpleNamespace(META={"HTTP_AUTHORIZATION": header})
    try:
        found = TokenAuthentication().authenticate(asked)
    except AuthenticationFailed:
        return None
    return found[0] if found else None


@database_sync_to_async
def _bound(digests: Sequence[str]) -> dict[str, UUID]:
    return tokens.bound(digests)

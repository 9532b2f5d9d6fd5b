"""The agents' WebSocket: by token only, told when there may be orders. What the messages are: docs/api.md.

Nothing is decided here. An agent that is told asks for its claims as ever, and one that is not told asks later.
"""

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any
from uuid import UUID

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.db import DatabaseError
from rest_framework.exceptions import AuthenticationFailed

from agents.notify import Listener, leave, listen, places_of
from agents.read_fields import ProtocolError
from agents.socket_protocol import (
    ADDED,
    CLOSE_FORBIDDEN,
    CLOSE_TRY_AGAIN,
    CLOSE_UNAUTHENTICATED,
    DROPPED,
    ERROR,
    HEARD,
    HELLO,
    ORDERS,
    SOCKET_TOKENS,
    Add,
    Beat,
    parse_said,
)
from api import tokens
from api.authenticate import Caller, TokenAuthentication
from providers.heartbeat import Rhythm, beat_together, rhythm
from providers.records import Location
from store.failures import SchemaMissing, StoreUnavailable
from store.home import Home

log = logging.getLogger("sched_portal.api")

LOOK_AGAIN = 10.0  # seconds between two looks at whether the tokens are still valid
AWAY = (DatabaseError, StoreUnavailable, SchemaMissing)


class AgentSocket(AsyncWebsocketConsumer):
    """`receive` takes tokens up; one task sends what is told of their providers."""

    serving: asyncio.Task[None] | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """However the connection ends, nothing of it stays."""
        self.listener = Listener(asyncio.get_running_loop())
        self.held: dict[str, UUID] = {}  # a token's digest -> its provider
        self.places: dict[UUID, Location] = {}
        try:
            await super().__call__(scope, receive, send)
        finally:
            leave(self.listener, _homes(self.places))
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
        await self._say(HELLO, providers=list(self.places), heartbeats=True)
        self.serving = asyncio.create_task(self._serve())

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if self.serving is None:
            return
        try:
            said = parse_said(text_data)
            await (self._add(said) if isinstance(said, Add) else self._beat(said))
        except ProtocolError as problem:
            await self._say(ERROR, code="invalid", detail=str(problem))

    async def _add(self, said: Add) -> None:
        if len({*self.held, *map(tokens.digest, said.tokens)}) > SOCKET_TOKENS:
            raise ProtocolError(f"one connection speaks for at most {SOCKET_TOKENS} tokens: open another one")
        before = set(self.places)
        try:
            refused = await self._take_up(said.tokens)
        except AWAY:
            await self._say(ERROR, code="unavailable", detail="a database does not answer: say it again later")
        else:
            await self._say(ADDED, providers=[one for one in self.places if one not in before], refused=refused)

    async def _beat(self, said: Beat) -> None:
        """Those that this connection does not speak for are not heard. Without an answer the agent says it over REST,
        and is told there what is wrong."""
        heard = [self.places[one] for one in dict.fromkeys(said.providers) if one in self.places]
        try:
            rhythms = await asyncio.to_thread(_beat_together, heard)
        except AWAY as error:
            log.info("heartbeats of %d providers are not written: %s", len(heard), error)
            return
        for how, providers in rhythms.items():
            await self._say(HEARD, providers=providers, ttl=how.ttl, interval=how.interval)

    async def _take_up(self, more: Sequence[str]) -> list[dict[str, Any]]:
        """Listens for these tokens' providers too. Answers with those it does not, by position and code."""
        digests = [tokens.digest(token) for token in more]
        bound = await _bound(digests)
        places = await asyncio.to_thread(places_of, set(bound.values()))
        taken = {digest: provider_id for digest, provider_id in bound.items() if provider_id in places}
        listen(self.listener, _homes(places))
        self.held.update(taken)
        self.places.update(places)
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
                await self._say(HELLO, providers=missed & self.places.keys(), heartbeats=True)
            if told:
                await self._say(ORDERS, providers=told & self.places.keys())
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
        gone = self.places.keys() - set(self.held.values())
        leave(self.listener, _homes({provider_id: self.places.pop(provider_id) for provider_id in gone}))
        if gone:
            await self._say(DROPPED, providers=gone)

    async def _say(self, kind: str, **members: Any) -> None:
        if "providers" in members:
            members["providers"] = sorted(map(str, members["providers"]))
        await self.send(json.dumps({"type": kind, **members}))


def _homes(places: Mapping[UUID, Location]) -> dict[UUID, Home]:
    return {provider_id: place.home for provider_id, place in places.items()}


def _beat_together(places: Sequence[Location]) -> dict[Rhythm, list[UUID]]:
    """Whose agents are to say it how often."""
    beat_together(places)
    found: dict[Rhythm, list[UUID]] = {}
    for place in places:
        found.setdefault(rhythm(place.home), []).append(place.provider_id)
    return found


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

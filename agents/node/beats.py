"""Heartbeats of this process's hosts over the sockets that are open, many in one message.

A heartbeat over REST costs the portal a request with all that belongs to one; here a fleet of a thousand is a message
every fifth of a second. Whatever is wrong with a socket, the host says it over REST instead.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Iterable

from agents.protocol import HeartbeatAnswer
from agents.socket_protocol import BEAT

GATHER = 0.2
"""Seconds that a heartbeat waits for others."""

ANSWER = 8.0
"""Seconds that an answer is waited for."""

TRIES = 3
"""How often it is said before REST is tried: a portal that has much to do has no need of a request more."""

Send = Callable[[str], Awaitable[None]]


class Beats:
    def __init__(self) -> None:
        self._ways: dict[str, Send] = {}
        self._waiting: dict[str, asyncio.Future[HeartbeatAnswer | None]] = {}
        self._gathering: asyncio.Task[None] | None = None
        self._to_say: set[str] = set()

    def open(self, providers: Iterable[str], send: Send) -> None:
        """From now on what these say goes there."""
        self._ways.update(dict.fromkeys(providers, send))

    def close(self, providers: Iterable[str]) -> None:
        """No longer; whoever waits for an answer there gets none."""
        for provider_id in providers:
            self._ways.pop(provider_id, None)
            self._settle(provider_id, None)

    def heard(self, providers: Iterable[str], answer: HeartbeatAnswer) -> None:
        for provider_id in providers:
            self._settle(provider_id, answer)

    async def say(self, provider_id: str) -> HeartbeatAnswer | None:
        """The portal's answer; None when there is no socket for it, or no answer on it."""
        for _ in range(TRIES):
            if provider_id not in self._ways or provider_id in self._waiting:
                return None
            if (answer := await self._say_once(provider_id)) is not None:
                return answer
        return None

    async def _say_once(self, provider_id: str) -> HeartbeatAnswer | None:
        future: asyncio.Future[HeartbeatAnswer | None] = asyncio.get_running_loop().create_future()
        self._waiting[provider_id] = future
        self._to_say.add(provider_id)
        if self._gathering is None:
            self._gathering = asyncio.create_task(self._gather())
        try:
            async with asyncio.timeout(ANSWER):
                return await future
        except TimeoutError:
            return None
        finally:
            self._waiting.pop(provider_id, None)
            self._to_say.discard(provider_id)

    async def _gather(self) -> None:
        await asyncio.sleep(GATHER)
        self._gathering = None
        by_way: dict[Send, list[str]] = {}
        for provider_id in self._to_say:
            if (way := self._ways.get(provider_id)) is not None:
                by_way.setdefault(way, []).append(provider_id)
        self._to_say.clear()
        for send, providers in by_way.items():
            with contextlib.suppress(Exception):  # a socket that is being lost: `close` follows
                await send(json.dumps({"type": BEAT, "providers": providers}))

    def _settle(self, provider_id: str, answer: HeartbeatAnswer | None) -> None:
        waiting = self._waiting.get(provider_id)
        if waiting is not None and not waiting.done():
            waiting.set_result(answer)

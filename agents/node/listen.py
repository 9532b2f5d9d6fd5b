"""Listens on the portal's socket, so that a host looks for its orders when there are some and not every two seconds.

What is heard is a hint, and whatever is lost here costs time alone: a host that is not told polls as if there were no
socket, and one that is told still looks by itself now and then.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import math
import random
import ssl
from collections.abc import Sequence

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from agents.node.beats import Beats
from agents.node.configuration import Configuration
from agents.node.host import Host
from agents.node.journal import Journal
from agents.node.portal import FIRST_RETRY, SLOW_RETRY, SLOWEST_RETRY, is_loopback
from agents.read_fields import ProtocolError
from agents.socket_protocol import (
    ADD,
    ADDED,
    CLOSE_FORBIDDEN,
    CLOSE_UNAUTHENTICATED,
    DROPPED,
    ERROR,
    HEARD,
    HELLO,
    ORDERS,
    ROUTE_SOCKET,
    SocketMessage,
    parse_socket_message,
)

REFUSALS = (CLOSE_UNAUTHENTICATED, CLOSE_FORBIDDEN)


class Listening:
    """One connection for up to SOCKET_TOKENS hosts of this process, made again whenever it is lost."""

    def __init__(self, hosts: Sequence[Host], configuration: Configuration, beats: Beats, journal: Journal) -> None:
        self._hosts = {host.provider_id: host for host in hosts}
        self._openers = itertools.cycle(hosts)
        self._url = "ws" + configuration.portal.removeprefix("http") + ROUTE_SOCKET
        is_tls = self._url.startswith("wss:")
        self._tls = ssl.create_default_context(cafile=configuration.ca_file or None) if is_tls else None
        self._longest = configuration.retry_longest
        self._journal = journal.bind(socket=self._url)
        self._beats = beats
        self._takes_beats = False
        self._is_listening = False
        self._said = ""

    async def run(self) -> None:
        tries = 0
        while True:
            self._is_listening = False
            # Another host's token opens it the next time, so that a revoked one silences its own host only.
            opener = next(self._openers)
            try:
                await self._listen(opener)
                reason, most = "the portal closed the connection", math.inf
            except Exception as error:  # whatever it is, the hosts poll meanwhile
                reason, most = _what_it_means(error, len(self._hosts))
            self._beats.close(self._hosts)
            for host in self._hosts.values():
                host.hear_nothing()
            tries = 1 if self._is_listening else tries + 1
            self._complain(reason, is_passing=most == math.inf)
            await asyncio.sleep(_pause(tries, most, self._longest))

    async def _listen(self, opener: Host) -> None:
        others = [host for host in self._hosts.values() if host is not opener]
        async with connect(
            self._url,
            additional_headers={"Authorization": f"Token {opener.token}"},
            ssl=self._tls,
            proxy=None if is_loopback(self._url) else True,  # as for HTTP
            compression=None,
        ) as socket:
            await self._greet(socket, others)
            async for message in socket:
                self._hear(parse_socket_message(message), others, socket)

    async def _greet(self, socket: ClientConnection, others: Sequence[Host]) -> None:
        hello = parse_socket_message(await socket.recv())
        self._takes_beats = hello.takes_beats
        self._hear(hello, others, socket)
        if others:
            await socket.send(json.dumps({"type": ADD, "tokens": [host.token for host in others]}))
            # A host that was greeted may have been heard already.
            while (heard := parse_socket_message(await socket.recv())).type not in (ADDED, ERROR):
                self._hear(heard, others, socket)
            self._hear(heard, others, socket)
        self._is_listening, self._said = True, ""
        self._journal.info("listening for orders", providers=len(self._hosts))

    def _hear(self, heard: SocketMessage, others: Sequence[Host], socket: ClientConnection) -> None:
        if heard.type == ERROR:
            raise ProtocolError(heard.detail)
        if heard.type == HEARD:
            self._beats.heard(heard.providers, heard.heartbeat)
        elif heard.type in (HELLO, ADDED) and self._takes_beats:
            self._beats.open(set(heard.providers) & self._hosts.keys(), socket.send)
        elif heard.type == DROPPED:
            self._beats.close(heard.providers)
        for host in [self._hosts[one] for one in heard.providers if one in self._hosts]:
            if heard.type in (HELLO, ADDED):
                host.hear()
            elif heard.type == ORDERS:
                host.look_now()
            elif heard.type == DROPPED:
                host.hear_nothing()
        refused = [others[position].name for position in heard.refused if 0 <= position < len(others)]
        if refused:
            self._journal.error("the portal refuses tokens: it does not tell these hosts", hosts=", ".join(refused))

    def _complain(self, reason: str, is_passing: bool) -> None:
        """Once, until it is listening again: a portal that is away is tried for hours."""
        kind = "lost" if is_passing else reason
        if kind != self._said:
            self._said = kind
            self._journal.warning("not told of orders, polling", reason=reason)


def _what_it_means(error: Exception, openers: int) -> tuple[str, float]:
    """In words, and the number of tries in a row after which trying again soon is of no use."""
    if isinstance(error, InvalidStatus) and error.response.status_code < 500:
        return f"the portal has no socket for agents (HTTP {error.response.status_code})", 1
    if isinstance(error, ConnectionClosed) and error.rcvd is not None and error.rcvd.code in REFUSALS:
        return "the portal refuses the token on its socket", openers
    return str(error) or type(error).__name__, math.inf


def _pause(tries: int, most: float, longest: float) -> float:
    """Seconds until the next try, never the same for two agents: those of a restarted portal all come back."""
    doubled = FIRST_RETRY * 2.0 ** min(tries - 1, 10)
    seconds = min(doubled, longest) if tries < most else min(SLOW_RETRY * 2.0 ** min(tries - most, 10), SLOWEST_RETRY)
    return seconds * random.uniform(0.5, 1.0)

"""What portal and agent say to each other on the agents' socket. As agents/protocol.py: the standard library alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from agents.protocol import HeartbeatAnswer, parse_heartbeat
from agents.read_fields import ProtocolError, list_in, mapping_of, read_json, text_in

ROUTE_SOCKET = "/ws/agent/"

SOCKET_TOKENS = 1000
"""Most tokens that one connection speaks for; a larger fleet opens several."""

SOCKET_LONGEST = 100_000
"""Longest message of an agent, in characters: that many tokens in one `add`."""

HELLO, ADDED, ORDERS, DROPPED, HEARD, ERROR = "hello", "added", "orders", "dropped", "heard", "error"
ADD, BEAT = "add", "beat"
CLOSE_UNAUTHENTICATED, CLOSE_FORBIDDEN, CLOSE_TRY_AGAIN = 4401, 4403, 1013
USAGE = 'say {"type": "add", "tokens": ["...", ...]} or {"type": "beat", "providers": ["...", ...]}'


@dataclass(frozen=True)
class Add:
    """An agent's connection is to speak for these tokens too."""

    tokens: tuple[str, ...]


@dataclass(frozen=True)
class Beat:
    """These providers of an agent's connection are alive."""

    providers: tuple[UUID, ...]


@dataclass(frozen=True)
class SocketMessage:
    """What the portal says. `refused`: position in the `add` it answers, and why. `takes_beats` stands in `hello`: the
    portal hears heartbeats here. `heartbeat` is of `heard`: how often to say it."""

    type: str
    providers: tuple[str, ...]
    refused: Mapping[int, str]
    detail: str
    takes_beats: bool
    heartbeat: HeartbeatAnswer


def parse_said(text: str | None) -> Add | Beat:
    """What an agent says. Raises ProtocolError."""
    if text is None or len(text) > SOCKET_LONGEST:
        raise ProtocolError(f"a message is JSON text of at most {SOCKET_LONGEST} characters")
    body = mapping_of(read_json(text), "message")
    kind = body.get("type")
    if kind == BEAT:
        providers = list_in(body, "providers")
        if not providers or len(providers) > SOCKET_TOKENS:
            raise ProtocolError(USAGE)
        return Beat(tuple(_provider(one) for one in providers))
    tokens = list_in(body, "tokens")
    if kind != ADD or not tokens or not all(isinstance(one, str) and one.isascii() for one in tokens):
        raise ProtocolError(USAGE)
    return Add(tuple(map(str, tokens)))


def parse_socket_message(text: str | bytes) -> SocketMessage:
    """What the portal says. Raises ProtocolError."""
    body = mapping_of(read_json(text), "message")
    refused = [mapping_of(one, "refused") for one in list_in(body, "refused")]
    return SocketMessage(
        type=text_in(body, "type"),
        providers=tuple(map(str, list_in(body, "providers"))),
        refused={position: text_in(one, "code") for one in refused if isinstance(position := one.get("token"), int)},
        detail=text_in(body, "detail"),
        takes_beats=body.get("heartbeats") is True,
        heartbeat=parse_heartbeat(body),
    )


def _provider(said: object) -> UUID:
    try:
        return UUID(said) if isinstance(said, str) else UUID(bytes=b"")
    except ValueError as error:
        raise ProtocolError(USAGE) from error

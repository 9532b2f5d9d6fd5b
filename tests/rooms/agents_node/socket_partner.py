"""The other end of the agents' socket: says hello, notes the tokens that are added, and says what a test wants said."""

from __future__ import annotations

import json
import socket
import threading
from http.server import BaseHTTPRequestHandler
from typing import Any

from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.server import ServerProtocol

UNKNOWN = "revoked"  # a token that is refused


class SocketPartner:
    """`owners`: token -> provider. Connections are served in their HTTP server's threads."""

    def __init__(self) -> None:
        self.owners: dict[str, str] = {}
        self.takes_beats, self.answers_beats = False, True
        self.beats: list[list[str]] = []
        self.openers: list[str] = []
        self._open: list[tuple[socket.socket, ServerProtocol]] = []
        self._lock = threading.RLock()

    def serve(self, handler: BaseHTTPRequestHandler) -> None:
        protocol = ServerProtocol()
        head = "".join(f"{name}: {value}\r\n" for name, value in handler.headers.items())
        protocol.receive_data(f"{handler.requestline}\r\n{head}\r\n".encode())
        (request,) = protocol.events_received()
        assert isinstance(request, Request)
        protocol.send_response(protocol.accept(request))
        line, token = (handler.connection, protocol), handler.headers["Authorization"].removeprefix("Token ")
        with self._lock:
            self.openers.append(token)
            if token == UNKNOWN:
                protocol.send_close(4401)
                return self._send(line)
            self._open.append(line)
            hello = {"type": "hello", "providers": [self.owners[token]]}
            self._say(line, {**hello, "heartbeats": True} if self.takes_beats else hello)
        while data := _receive(handler.connection):
            protocol.receive_data(data)
            for event in protocol.events_received():
                if isinstance(event, Frame) and event.opcode == Opcode.TEXT:
                    self._hear(line, json.loads(event.data))
            self._send(line)
            if protocol.close_expected():
                break
        with self._lock:
            self._open.remove(line)

    def tell(self, kind: str, *providers: str) -> None:
        """To everybody."""
        with self._lock:
            for line in self._open:
                self._say(line, {"type": kind, "providers": list(providers)})

    def listening(self) -> int:
        return len(self._open)

    def close(self, code: int) -> None:
        with self._lock:
            for line in self._open:
                line[1].send_close(code)
                self._send(line)

    def _hear(self, line: Any, said: dict[str, Any]) -> None:
        if said["type"] == "add":
            return self._add(line, said["tokens"])
        self.beats.append(said["providers"])
        if self.answers_beats:
            self._say(line, {"type": "heard", "providers": said["providers"], "ttl": 3, "interval": 0.3})

    def _add(self, line: Any, tokens: list[str]) -> None:
        refused = [{"token": n, "code": "unauthenticated"} for n, one in enumerate(tokens) if one == UNKNOWN]
        added = [self.owners[one] for one in tokens if one != UNKNOWN]
        self._say(line, {"type": "added", "providers": added, "refused": refused})

    def _say(self, line: Any, message: dict[str, Any]) -> None:
        line[1].send_text(json.dumps(message).encode())
        self._send(line)

    def _send(self, line: Any) -> None:
        connection, protocol = line
        try:
            connection.sendall(b"".join(protocol.data_to_send()))
        except OSError:
            return


def _receive(connection: socket.socket) -> bytes:
    try:
        return connection.recv(65536)
    except OSError:
        return b""

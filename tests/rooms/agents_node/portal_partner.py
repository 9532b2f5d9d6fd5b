"""The other end of the agent's line: a small HTTP server that keeps the portal's side of the contract.

A partner in a protocol, not a stand-in for a database: it holds claims in a dict, answers as the contract says, writes
down every call, and can be told to stop, to kill the caller or to answer badly.
"""

from __future__ import annotations

import json
import re
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from agents.socket_protocol import ROUTE_SOCKET
from tests.rooms.agents_node.socket_partner import SocketPartner

TOKEN = "agent-token"
Answer = tuple[int, dict[str, Any]]


def problem(status: int, code: str, **members: Any) -> Answer:
    return status, {"type": "about:blank", "title": code, "status": status, "detail": code, "code": code, **members}


class PortalPartner:
    """`before` is asked about every call first: an answer replaces the contract's, None lets it through. Without a
    `socket` it is a portal that has none."""

    def __init__(self, port: int = 0, interval: float = 1.0, socket: SocketPartner | None = None) -> None:
        self.socket = socket
        self.claims: dict[str, dict[str, Any]] = {}
        self.destroy: dict[str, dict[str, Any]] = {}
        self.ended: set[str] = set()  # consumed claims that are instances no more
        self.ttl = 30.0
        self.bound: dict[str, str] | None = None  # the provider that the token is of
        self.calls: list[tuple[str, str, dict[str, Any]]] = []
        self.unauthorized: list[str] = []
        self.parents: dict[str, str] = {}  # of children, whose orders go to their root
        self.before: Callable[[str, str], Answer | None] = lambda method, path: None
        self.after: Callable[[str, str], None] = lambda method, path: None
        self.page_size = 100
        self.interval = interval
        self.retry_after = ""
        self._lock = threading.RLock()
        self._server = _Server(("127.0.0.1", port), _handler(self))
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.close_everything()
        self._server.server_close()

    def claim(self, provider: str, image: str | None = "sleep", request: str = "", **more: Any) -> str:
        claim_id = str(uuid.uuid4())
        amounts = more.pop("amounts", {"vcpus": -1, "memory_mb": -512, "disk_gb": -1})
        instance = None if image is None else {"name": "web", "image": image, "metadata": {"colour": "blue"}}
        self.claims[claim_id] = {
            "id": claim_id, "request_id": request or str(uuid.uuid4()), "provider": provider, "consumer": "alice",
            "project": "p", "resource_class": "compute", "amounts": amounts, "state": "claimed", "expires_at": None,
            "instance": instance, "release_requested": False, **more,
        }  # fmt: skip
        return claim_id

    def order_destroy(self, claim_id: str, claim: dict[str, Any] | None = None) -> None:
        claim = claim or self.claims[claim_id]
        fields = ("request_id", "provider", "consumer", "amounts", "instance")
        self.destroy[claim_id] = {"claim_id": claim_id, **{field: claim[field] for field in fields}}

    def state(self, claim_id: str) -> str:
        return str(self.claims[claim_id]["state"])

    @contextmanager
    def unlocked(self) -> Iterator[None]:
        """For a `before` that takes its time: others are answered meanwhile."""
        self._lock.release()
        try:
            yield
        finally:
            self._lock.acquire()

    def said(self, end: str) -> list[dict[str, Any]]:
        """The bodies of all calls whose path ends so, in order."""
        return [body for method, path, body in list(self.calls) if path.endswith(end) and method == "POST"]

    def wait(self, condition: Callable[[], object], seconds: float = 90.0) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"waited {seconds} s in vain; calls: {self.calls[-12:]}"
            time.sleep(0.02)

    def answer(self, method: str, path: str, query: str, body: dict[str, Any], token: str) -> Answer:
        with self._lock:
            self.calls.append((method, path, body))
            prepared = self.before(method, path)
            if prepared is not None:
                return prepared
            if not token.startswith(f"Token {TOKEN}"):
                self.unauthorized.append(path)
                return problem(401, "unauthenticated")
            if path == "/api/whoami":
                return 200, {"username": "agent", "role": "agent", "provider": self.bound}
            for pattern, respond in self._routes():
                found = re.fullmatch(pattern, path)
                if found:
                    answer = respond(found.group(1), query, body)
                    self.after(method, path)
                    return answer
            return problem(404, "not_found")

    def _routes(self) -> list[tuple[str, Callable[[str, str, dict[str, Any]], Answer]]]:
        return [
            (r"/api/providers/([^/]+)/report", self._report),
            (r"/api/providers/([^/]+)/heartbeat", self._heartbeat),
            (r"/api/providers/([^/]+)/claims", self._orders),
            (r"/api/providers/([^/]+)/instances", self._instances),
            (r"/api/claims/([^/]+)/building", self._building),
            (r"/api/claims/([^/]+)/consume", self._consume),
            (r"/api/claims/([^/]+)/failed", self._failed),
            (r"/api/requests/([^/]+)/destroyed", self._destroyed),
        ]

    def _report(self, provider: str, query: str, body: dict[str, Any]) -> Answer:
        is_whole = set(body) - {"traits", "children"} == {"totals", "properties"}
        return (200, {"id": provider}) if is_whole else problem(400, "invalid")

    def _heartbeat(self, provider: str, query: str, body: dict[str, Any]) -> Answer:
        return 200, {"ttl": self.ttl, "interval": self.interval}

    def _orders(self, provider: str, query: str, body: dict[str, Any]) -> Answer:
        shown = [c for c in self._of(provider, self.claims) if c["state"] not in ("consumed", "gone")]
        start = int(query.removeprefix("next=") or 0)
        more = start + self.page_size < len(shown)
        destroy = [] if start else self._of(provider, self.destroy)
        page = shown[start : start + self.page_size]
        return 200, {"results": page, "next": str(start + self.page_size) if more else None, "destroy": destroy}

    def _instances(self, provider: str, query: str, body: dict[str, Any]) -> Answer:
        running = [c for c in self._of(provider, self.claims) if c["state"] == "consumed" and c["id"] not in self.ended]
        fields = ("request_id", "provider", "consumer", "project", "amounts", "instance")
        results = [
            {
                "claim_id": c["id"], "state": "destroying" if c["id"] in self.destroy else "active",
                **{field: c[field] for field in fields},
            }
            for c in sorted(running, key=lambda c: c["id"])
        ]  # fmt: skip
        # After an id, as the portal: one that goes between two pages must not take another's place with it.
        after = query.removeprefix("next=")
        left = [one for one in results if one["claim_id"] > after]
        page = left[: self.page_size]
        return 200, {"results": page, "next": page[-1]["claim_id"] if len(left) > len(page) else None}

    def forget(self, claim_id: str) -> None:
        """Its request was deleted by force: nobody waits for the host, and nobody knows the claim any more."""
        self.claims[claim_id]["state"] = "released"

    def _of(self, root: str, records: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
        return [one for one in records.values() if self.parents.get(one["provider"], one["provider"]) == root]

    def _building(self, claim_id: str, query: str, body: dict[str, Any]) -> Answer:
        claim = self.claims.get(claim_id)
        if claim is None:
            return problem(404, "not_found")
        if claim["state"] not in ("claimed", "notified", "building"):
            return problem(409, "conflict", claim_state=claim["state"])
        claim["state"] = "building"
        return 200, {}

    def _consume(self, claim_id: str, query: str, body: dict[str, Any]) -> Answer:
        claim = self.claims.get(claim_id)
        if claim is None:
            return problem(404, "not_found")
        if claim["state"] != "building":
            return problem(409, "conflict", claim_state=claim["state"])
        claim["state"] = "consumed"
        return 200, {}

    def _failed(self, claim_id: str, query: str, body: dict[str, Any]) -> Answer:
        claim = self.claims.get(claim_id)
        if claim is None or claim["state"] == "consumed":
            return problem(409, "conflict")
        claim["state"] = "gone"
        return 200, {}

    def _destroyed(self, request_id: str, query: str, body: dict[str, Any]) -> Answer:
        for claim_id in [key for key, order in self.destroy.items() if order["request_id"] == request_id]:
            del self.destroy[claim_id]
        self.ended.update(one["id"] for one in self.claims.values() if one["request_id"] == request_id)
        return 200, {}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, *args: Any) -> None:
        self.open: set[Any] = set()
        super().__init__(*args)

    def process_request(self, request: Any, client_address: Any) -> None:
        self.open.add(request)
        super().process_request(request, client_address)

    def close_everything(self) -> None:
        """A portal that goes away takes its idle connections with it."""
        for connection in self.open:
            try:
                connection.shutdown(2)
            except OSError:
                continue

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Callers that are killed in the middle of a call are what these tests are about."""


def _handler(portal: PortalPartner) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            self._respond()

        def do_POST(self) -> None:
            self._respond()

        def _respond(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            path, _, query = self.path.partition("?")
            token = self.headers.get("Authorization", "")
            if path == ROUTE_SOCKET:
                return self._upgrade()
            status, answer = portal.answer(self.command, path, query, json.loads(body or b"{}"), token)
            content = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/problem+json" if status >= 400 else "application/json")
            self.send_header("Content-Length", str(len(content)))
            if portal.retry_after and status >= 400:
                self.send_header("Retry-After", portal.retry_after)
            self.end_headers()
            self.wfile.write(content)

        def _upgrade(self) -> None:
            self.close_connection = True
            if portal.socket is None:
                self.send_error(404)
            else:
                portal.socket.serve(self)

        def log_message(self, format: str, *args: Any) -> None:
            return None

    return Handler

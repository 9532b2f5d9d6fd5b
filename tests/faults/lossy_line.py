"""An HTTP line between an agent and the portal that loses one message, or delivers it twice, where it is told to."""

import socket
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

NOT_SENT = "not sent"  # the connection breaks, and the portal heard nothing
NOT_ANSWERED = "not answered"  # the portal has done it; the connection breaks before the answer
TWICE = "twice"  # the portal hears it twice at once; the second answer comes back
LATE = "late again"  # the portal hears it once more, some seconds later
FAULTS = (NOT_SENT, NOT_ANSWERED, TWICE, LATE)
LATER = 2.0  # seconds
PASSED_ON = ("authorization", "content-type", "accept", "openstack-api-version")
ANSWER_HEADERS = ("content-type", "retry-after", "openstack-api-version")


class LossyLine:
    """`plant` aims at the first call whose path ends so; `struck` is set when it was met. It has no WebSocket."""

    def __init__(self, portal: str) -> None:
        self._client = httpx.Client(base_url=portal, timeout=30, trust_env=False)
        self._lock = threading.Lock()
        self._call = self._fault = ""
        self.struck = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def plant(self, call: str, fault: str) -> None:
        with self._lock:
            self._call, self._fault = call, fault
            self.struck.clear()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._client.close()

    def pass_on(self, method: str, path: str, headers: dict[str, str], body: bytes) -> httpx.Response | None:
        """The answer; None when the caller is to hear nothing."""
        fault = self._fault_of(path)
        if fault == NOT_SENT:
            return None

        def send() -> httpx.Response:
            return self._client.request(method, path, headers=headers, content=body)

        def send_late() -> None:
            time.sleep(LATER)
            with suppress(httpx.HTTPError, RuntimeError):  # the test may be over
                send()

        answer = send()
        if fault == TWICE:
            answer = send()
        if fault == LATE:
            threading.Thread(target=send_late, daemon=True).start()
        return None if fault == NOT_ANSWERED else answer

    def _fault_of(self, path: str) -> str:
        with self._lock:
            if not self._fault or not path.partition("?")[0].endswith(self._call):
                return ""
            fault, self._fault = self._fault, ""
        self.struck.set()
        return fault


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """An agent that is killed breaks its connections off: nothing to say."""


def _handler(line: LossyLine) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            kept = {name: value for name, value in self.headers.items() if name.lower() in PASSED_ON}
            try:
                answer = None if "Upgrade" in self.headers else line.pass_on(self.command, self.path, kept, body)
            except httpx.HTTPError:
                answer = None
            if answer is None:
                self.close_connection = True
                with suppress(OSError):
                    self.connection.shutdown(socket.SHUT_RDWR)
                return
            self.send_response(answer.status_code)
            for name in ANSWER_HEADERS:
                if name in answer.headers:
                    self.send_header(name, answer.headers[name])
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        do_GET = do_POST = do_DELETE = do_PATCH = _serve

        def log_message(self, *args: Any) -> None:
            """Says nothing."""

    return Handler

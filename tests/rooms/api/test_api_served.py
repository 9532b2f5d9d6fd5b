"""The portal as it is run: daphne, its own SQL database, real sockets, many clients at once."""

import asyncio
import os
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from sched_portal.http import THREADS

ROOT = Path(__file__).resolve().parents[3]
pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Served:
    port: int
    token: str

    def client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{self.port}",
            headers={"Authorization": f"Token {self.token}"},
            limits=httpx.Limits(max_connections=500),
            timeout=60,
            trust_env=False,
        )

    def raw(self, head: str, *headers: str, body: bytes = b"") -> tuple[int, bytes]:
        """Status and answer to bytes that no library would send. 0: the connection was closed without one."""
        lines = [head, "Connection: close", f"Authorization: Token {self.token}", *headers]
        with socket.create_connection(("127.0.0.1", self.port), timeout=60) as connection:
            connection.sendall("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body)
            answer = b""
            while chunk := connection.recv(65536):
                answer += chunk
        return int(answer.split(b" ", 2)[1]) if answer else 0, answer


@pytest.fixture(scope="module")
def served(cassandra: object, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    var = tmp_path_factory.mktemp("served")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, "SCHED_VAR": str(var), "PORTAL_PORT": str(port), "LOG_LEVEL": "WARNING"}
    for command in (["migrate", "--noinput"], ["create_admin"]):
        subprocess.run(
            [sys.executable, "manage.py", *command], cwd=ROOT, env=environment, check=True, capture_output=True
        )
    daphne = [
        sys.executable,
        "-m",
        "daphne",
        "-v",
        "0",
        "-b",
        "127.0.0.1",
        "-p",
        str(port),
        "sched_portal.asgi:application",
    ]
    with (var / "log").open("wb") as log:
        process = subprocess.Popen(daphne, cwd=ROOT, env=environment, stdout=log, stderr=log)
    try:
        until = time.monotonic() + 120
        while True:
            try:
                assert httpx.get(f"http://127.0.0.1:{port}/readyz", trust_env=False).status_code == 200
                break
            except httpx.TransportError:
                assert time.monotonic() < until, (var / "log").read_text()
                assert process.poll() is None, (var / "log").read_text()
                time.sleep(0.2)
        yield Served(port, (var / "admin-token").read_text().strip())
    finally:
        process.terminate()
        process.wait(20)


SCHEDULE = "POST /api/schedule HTTP/1.1"
JSON = "Content-Type: application/json"


@pytest.mark.parametrize(
    ("head", "headers", "body"),
    [
        ("GET /api/providers/%ff HTTP/1.1", ["Host: localhost"], b""),
        ("GET /api/providers/\xff HTTP/1.1", ["Host: localhost"], b""),
        ("GET /api/providers?name=%ff%00 HTTP/1.1", ["Host: localhost"], b""),
        ("GET /api/cells/%2e%2e%2f%00 HTTP/1.1", ["Host: localhost"], b""),
        (f"GET /api/cells/{'x' * 20_000} HTTP/1.1", ["Host: localhost"], b""),
        (f"GET /api/cells?a{'&a' * 3000} HTTP/1.1", ["Host: localhost"], b""),
        ("GET /api/cells/x HTTP/1.1", ["Host: a\xffb"], b""),
        ("GET /api/cells/x HTTP/1.1", ["Host: localhost", "OpenStack-API-Version: \xff"], b""),
        ("GET /api/cells/x HTTP/1.1", ["Host: localhost", "Cookie: sessionid=\xff; csrftoken=\xfe"], b""),
        (
            "POST /api/schedule HTTP/1.1",
            ["Host: localhost", JSON, "Content-Length: 2", "Idempotency-Key: \xe9\x01"],
            b"{}",
        ),
        ("POST /api/schedule HTTP/1.1", ["Host: localhost", JSON, "Content-Length: -1"], b"{}"),
        (
            "POST /api/schedule HTTP/1.1",
            ["Host: localhost", JSON, "Transfer-Encoding: chunked"],
            b"2\r\n{}\r\n0\r\n\r\n",
        ),
        ("POST /api/schedule HTTP/1.1", ["Host: localhost", "Content-Type: \xff/x", "Content-Length: 2"], b"{}"),
        (
            "POST /api/schedule HTTP/1.1",
            ["Host: localhost", "Content-Type: multipart/form-data", "Content-Length: 2"],
            b"{}",
        ),
        ("OPTIONS * HTTP/1.1", ["Host: localhost"], b""),
        ("PROPFIND /api/cells HTTP/1.1", ["Host: localhost"], b""),
        ("GET /api/cells/x HTTP/9.9", ["Host: localhost"], b""),
        ("nothing", [], b""),
    ],
)
def test_what_no_library_would_send(served, head, headers, body):
    status, answer = served.raw(head, *headers, body=body)
    assert status == 0 or 400 <= status < 500, answer


async def test_readers_who_wait_stand_in_nobodys_way(served):
    async with served.client() as client:
        await client.post("/api/cells", json={"name": "waited-for"})
        start = (await client.get("/api/events?cell=waited-for&after=now")).json()["next"]
        url = f"/api/events?cell=waited-for&after={start}"
        while (page := (await client.get(f"{url}&wait=5")).json())["results"]:
            url = f"/api/events?cell=waited-for&after={page['next']}"
            if not (await client.get(url)).json()["results"]:
                break
        waiting = [asyncio.create_task(client.get(f"{url}&wait=40")) for _ in range(THREADS + 16)]
        await asyncio.sleep(2)
        assert not any(task.done() for task in waiting)
        for _ in range(5):
            began = time.monotonic()
            assert (await client.get("/api/cells?limit=1")).status_code == 200
            assert time.monotonic() - began < 10
        assert not any(task.done() for task in waiting)
        # And all of them hear of what happens.
        await client.patch("/api/cells/waited-for", json={"description": "changed"})
        pages = [answer.json()["results"] for answer in await asyncio.gather(*waiting)]
        assert {tuple(event["type"] for event in events) for events in pages} == {("cell.changed",)}


async def test_the_default_throttles_admit_32_busy_clients(served):
    statuses: Counter[int] = Counter()
    until = time.monotonic() + 4
    async with served.client() as client:
        await client.post("/api/cells", json={"name": "busy"})
        host = {
            "name": "h",
            "cell": "busy",
            "resource_class": "compute",
            "heartbeat": "none",
            "amounts": {"vcpus": 10**6},
        }
        for _ in range(4):
            assert (await client.post("/api/providers", json=host)).status_code == 201
        body = {"consumer": "c", "cell": "busy", "resources": [{"resource_class": "compute", "amounts": {"vcpus": 1}}]}

        async def busy() -> None:
            while time.monotonic() < until:
                statuses[(await client.post("/api/schedule", json=body)).status_code] += 1

        await asyncio.gather(*(busy() for _ in range(32)))
        capacity = await client.get("/api/providers?cell=busy")
        taken = sum(10**6 - provider["available"]["vcpus"] for provider in capacity.json()["results"])
    assert set(statuses) == {201}
    assert taken <= statuses[201]  # the projection of the last claims may lag; it never runs ahead


async def test_files_and_pages_are_served_by_the_same_threads(served):
    async with served.client() as client:
        style = await client.get("/static/admin/css/base.css")
        assert (style.status_code, style.headers["Content-Type"]) == (200, 'text/css; charset="utf-8"')
        assert (await client.get("/admin/login/")).status_code == 200
        assert (await client.head("/api/cells")).content == b""

"""A portal as it is run, for an agent that is run as well: daphne, an SQL database of its own, a free port."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx

ROOT = Path(__file__).resolve().parents[3]


class ServedPortal:
    """`client` calls it as its admin."""

    def __init__(self, var: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = var / "portal.log"
        self._environment = {**os.environ, "SCHED_VAR": str(var), "PORTAL_PORT": str(self.port)}
        prepare = "import django; django.setup(); from django.core.management import call_command as call\n"
        prepare += "call('migrate', interactive=False, verbosity=0); call('create_admin')"
        subprocess.run(
            [sys.executable, "-c", prepare], cwd=ROOT, env=self._environment, check=True, capture_output=True
        )
        token = (var / "admin-token").read_text().strip()
        headers = {"Authorization": f"Token {token}"}
        self.client = httpx.Client(base_url=self.url, headers=headers, timeout=90, trust_env=False)
        self.start()

    def start(self) -> None:
        program = [sys.executable, "-m", "daphne", "-v", "0", "-b", "127.0.0.1", "-p", str(self.port)]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*program, "sched_portal.asgi:application"], cwd=ROOT, env=self._environment, stdout=log, stderr=log
            )
        until = time.monotonic() + 120
        while True:
            try:
                self.client.get("/healthz").raise_for_status()
                return
            except httpx.TransportError:
                assert time.monotonic() < until, self.log.read_text()
                assert self._process.poll() is None, self.log.read_text()
                time.sleep(0.2)

    def stop(self) -> None:
        self._process.kill()
        self._process.wait(20)

    def post(self, path: str, **body: object) -> dict[str, object]:
        answer = self.client.post(path, json=body)
        assert answer.is_success, answer.text
        made: dict[str, object] = answer.json()
        return made

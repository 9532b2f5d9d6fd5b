"""A real portal (daphne, in a process of its own) on the test's keyspace, and a real Chromium that looks at it."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

ROOT = Path(__file__).resolve().parent.parent.parent
PATIENCE = 90_000  # ms: the overview has every cell that the tests before this one made
PASSWORD = "a-password-for-tests"
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


class Portal:
    """Daphne as a process that can be killed and started again."""

    def __init__(self, var: Path) -> None:
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._log = var / "daphne.log"
        self._environment = {
            **os.environ,
            "SCHED_VAR": str(var),
            "DJANGO_SETTINGS_MODULE": "sched_portal.settings",
            "TEST_PASSWORD": PASSWORD,
            "PYTHONPATH": str(ROOT),
        }
        self._process: subprocess.Popen[bytes] | None = None
        script = ROOT / "tests" / "browser" / "make_ready.py"
        made = subprocess.run(
            [sys.executable, str(script)], env=self._environment, cwd=ROOT, capture_output=True, text=True
        )
        assert made.returncode == 0, made.stderr
        self.token = made.stdout.strip()

    def start(self) -> None:
        command = [sys.executable, "-m", "daphne", "-v", "0", "-b", "127.0.0.1", "-p", str(self.port)]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*command, "sched_portal.asgi:application"], env=self._environment, cwd=ROOT, stdout=log, stderr=log
            )
        deadline = time.monotonic() + 120
        while not self._answers():
            assert self._process.poll() is None, self._log.read_text()
            assert time.monotonic() < deadline, self._log.read_text()
            time.sleep(0.1)

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/login/", timeout=20).status_code == 200
        except httpx.HTTPError:
            return False

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def call(self, method: str, path: str, **body: object) -> httpx.Response:
        headers = {"Authorization": f"Token {self.token}"}
        return httpx.request(method, self.url + path, json=body or None, headers=headers, timeout=90)


@pytest.fixture(scope="module")
def portal(cassandra: SimpleNamespace, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Portal]:
    made = Portal(tmp_path_factory.mktemp("portal"))
    made.start()
    yield made
    made.kill()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = shutil.which("chromium")
    # Of the module, not of the session: Playwright keeps an event loop in this thread, and asyncio.run() of other
    # rooms' tests refuses to start beside it.
    expect.set_options(timeout=30_000)  # a machine may be slow; who is wrong is so for ever
    assert path, "the browser tests need Debian's chromium: make setup-dev brings it"
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield launched
        launched.close()


@pytest.fixture
def complaints() -> list[str]:
    """What the page's console complained of."""
    return []


@pytest.fixture(scope="module")
def logged_in(portal: Portal, browser: Browser) -> Any:
    """The cookies of a user who logged in on the portal's own page."""
    context = browser.new_context()
    context.set_default_navigation_timeout(PATIENCE)
    page = context.new_page()
    page.goto(f"{portal.url}/")
    page.fill("#id_username", "admin")
    page.fill("#id_password", PASSWORD)
    page.click("form.login button")
    page.wait_for_url(f"{portal.url}/")
    state = context.storage_state()
    context.close()
    return state


@pytest.fixture
def page(portal: Portal, browser: Browser, logged_in: Any, complaints: list[str]) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1440, "height": 900}, storage_state=logged_in)
    context.set_default_navigation_timeout(PATIENCE)
    made = context.new_page()
    made.on("console", lambda m: complaints.append(f"{m.type}: {m.text}") if m.type in ("error", "warning") else None)
    made.on("pageerror", lambda error: complaints.append(str(error)))
    yield made
    context.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port

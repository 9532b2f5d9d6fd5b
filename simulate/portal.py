"""Starts what `make run` starts, without its agents, when no portal answers: Cassandra, a portal, a conductor."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from simulate import SimulationError
from simulate.fleet import Say

ROOT = Path(__file__).resolve().parent.parent
LEFT_OUT = ("agent:", "fleet:")
READY_SECONDS = 300.0
STOP_SECONDS = 60.0


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", timeout=5, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


@contextmanager
def started(url: str, var: Path, say: Say) -> Iterator[None]:
    """While the body runs a portal answers there. Raises SimulationError."""
    if answers(url):
        yield
        return
    var.mkdir(parents=True, exist_ok=True)
    procfile, log = var / "Procfile", var / "portal.log"
    lines = (ROOT / "Procfile").read_text().splitlines(keepends=True)
    procfile.write_text("".join(line for line in lines if not line.startswith(LEFT_OUT)))
    say(f"  no portal answers at {url}: starting Cassandra, a portal and a conductor ({log})")
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "setup.run", "--procfile", str(procfile)],
            cwd=ROOT,
            env={**os.environ, "SIMULATED_HOSTS": "0"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,  # Ctrl-C ends the workload first
        )
    try:
        _wait(url, process, log)
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            say("  the portal does not stop: `make stop`")


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + READY_SECONDS
    while not answers(url):
        if process.poll() is not None or time.monotonic() > until:
            last = (log.read_text(errors="replace").strip().splitlines() or ["it said nothing"])[-1]
            raise SimulationError(f"the portal did not start: {last}")
        time.sleep(0.5)

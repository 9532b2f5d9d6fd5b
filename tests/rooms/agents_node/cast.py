"""The cast of the agent's tests: an agent in a process of its own, its images, and a view on what really runs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import psutil

from tests.rooms.agents_node.portal_partner import TOKEN, PortalPartner
from tests.rooms.agents_node.served_portal import ServedPortal

ROOT = Path(__file__).resolve().parents[3]
CRASHING = Path(__file__).with_name("crashing_agent.py")

HOG = "import time\nd=[]\nfor _ in range(300):\n d.append(b'x'*2**20)\n time.sleep(0.002)\ntime.sleep(60)"
IMAGES = {
    "sleep": {"command": ["sleep", "3600"], "ready_after": 0.2},
    "slow": {"command": ["sleep", "3600"], "ready_after": 2.0},
    "children": {"command": ["sh", "-c", "sleep 3601 & setsid sleep 3602 & sleep 3603"], "ready_after": 0.2},
    "stubborn": {"command": ["sh", "-c", "trap '' TERM; while :; do sleep 0.1; done"], "ready_after": 0.2},
    "broken": {"command": ["sh", "-c", "echo first; echo no such disk >&2; exit 3"], "ready_after": 2.0},
    "short": {"command": ["sh", "-c", "sleep 0.8; echo bye; exit 0"], "ready_after": 0.2},
    "hog": {"command": [sys.executable, "-c", HOG], "ready_after": 30.0},
    "late-hog": {"command": [sys.executable, "-c", f"import time; time.sleep(0.7)\n{HOG}"], "ready_after": 0.1},
    "later-hog": {"command": [sys.executable, "-c", f"import time; time.sleep(2.2)\n{HOG}"], "ready_after": 0.1},
    "says-started": {"command": ["sh", "-c", "echo started; exec sleep 3600"], "ready_after": 0.2},
    "escape": {"command": ["sh", "-c", "(env -i setsid sleep 3604 &); exec sleep 3605"], "ready_after": 0.2},
    "forks": {"command": ["sh", "-c", "for i in $(seq 50); do sleep 30 & done; wait"], "max_processes": 10},
    "absent": {"command": ["/no/such/program"]},
    "environment": {"command": ["sh", "-c", "env; pwd; sleep 3600"], "ready_after": 0.2},
}


class Agent:
    """One agent's configuration, and its process, started and killed as often as a test wants."""

    def __init__(self, directory: Path, portal: PortalPartner | ServedPortal) -> None:
        self.provider = str(uuid.uuid4())
        self.state_dir = directory / "state"
        self.config = directory / "agent.json"
        self.log = directory / "agent.log"
        self.processes: list[subprocess.Popen[bytes]] = []
        self.configure(portal)

    def configure(self, portal: PortalPartner | ServedPortal, **changes: Any) -> None:
        body = {
            "portal": portal.url, "builder": "process", "state_dir": str(self.state_dir), "poll_interval": 0.1,
            "heartbeat_interval": 1, "destroy_grace": 0.6, "retry_longest": 0.6, "images": IMAGES,
            "default_image": "sleep", "providers": [{"id": self.provider, "token": TOKEN, "name": "host1"}],
        }  # fmt: skip
        self.config.write_text(json.dumps({**body, **changes}))

    def start(self, *more: str, crash: str = "") -> subprocess.Popen[bytes]:
        """With `crash`, the agent kills itself at the place of that name (crashing_agent.py)."""
        program = [str(CRASHING), crash] if crash else ["-m", "agents.node"]
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, *program, "--config", str(self.config), *more],
                cwd=ROOT, stdout=log, stderr=log, env={**os.environ, "PYTHONPATH": str(ROOT)},
            )  # fmt: skip
        self.processes.append(process)
        return process

    def kill(self) -> None:
        self.processes[-1].send_signal(signal.SIGKILL)
        self.processes[-1].wait(10)

    def stop(self) -> int:
        self.processes[-1].send_signal(signal.SIGTERM)
        return self.processes[-1].wait(10)

    def record(self, claim_id: str) -> dict[str, Any]:
        return json.loads(self.path(claim_id).read_text())

    def path(self, claim_id: str) -> Path:
        return self.state_dir / self.provider / f"{claim_id}.json"


def processes_of(claim_id: str) -> list[psutil.Process]:
    """The instance's living processes, found from outside by the mark in their environment."""
    found = []
    for process in psutil.process_iter():
        try:
            marked = process.environ().get("SCHED_INSTANCE_ID") == claim_id
            if marked and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found


def processes_in(directory: Path) -> list[psutil.Process]:
    """Everything that an agent with this state ever started, however it hides: nothing else works in there."""
    working = psutil.process_iter(["cwd", "status"])
    inside = [one for one in working if (one.info["cwd"] or "").startswith(f"{directory}/")]
    return [one for one in inside if one.info["status"] != psutil.STATUS_ZOMBIE]


def sessions_of(claim_id: str) -> list[psutil.Process]:
    return [process for process in processes_of(claim_id) if os.getsid(process.pid) == process.pid]

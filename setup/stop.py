"""`make stop`: ends the `make run` of this var directory, also one that was killed and left its processes behind."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

import psutil

from cluster.launch import LaunchError, ring_that_runs, settings_from_environment
from cluster.pidfile import RunningNode, read_pidfile

ROOT = Path(__file__).resolve().parent.parent
VAR = Path(os.environ.get("SCHED_VAR") or ROOT / "var").absolute()
GRACE_SECONDS = 60.0  # Cassandra's 30 and honcho's 15, and some


def main() -> int:
    stopped = stop_runner() + stop_left_behind()
    settings = settings_from_environment(os.environ)
    if not settings.elsewhere:
        stopped += [f"Cassandra {node.name}" for node in ring_that_runs(settings, print).stop()]
    print(f"stopped {', '.join(stopped)}" if stopped else "nothing was running")
    return 0


def stop_runner() -> list[str]:
    """The `make run` itself, which then stops what it started."""
    running = read_pidfile(VAR / "run.pid")
    process = running.process() if running else None
    if process is None:
        return []
    process.send_signal(signal.SIGTERM)
    process.wait(GRACE_SECONDS)
    return ["make run"]


def stop_left_behind() -> list[str]:
    """What a runner that was killed has left: process groups it wrote down. Workloads of the agents have their own."""
    record = VAR / "run-processes.json"
    if not record.exists():
        return []
    left = {
        name: process
        for name, (pid, create_time) in json.loads(record.read_text()).items()
        if (process := RunningNode(pid, create_time, "", 0).process())
    }
    for process in left.values():
        os.killpg(process.pid, signal.SIGTERM)
    _, alive = psutil.wait_procs(list(left.values()), timeout=GRACE_SECONDS)
    for process in alive:
        os.killpg(process.pid, signal.SIGKILL)
    record.unlink()
    return list(left)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (LaunchError, psutil.Error) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)

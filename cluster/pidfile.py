"""Which process is the node, said so that a recycled pid is never taken for it.

A pid alone is not enough: after a reboot, or a long time, it belongs to somebody else. Pid and start time together
name one process for ever.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

# The kernel keeps start times in ticks of 10 ms, and psutil adds a boot time that may shift by clock corrections.
_SAME_START_SECONDS = 2.0


@dataclass(frozen=True)
class RunningNode:
    """What the pid file holds: the process and where it was told to listen."""

    pid: int
    create_time: float
    address: str
    port: int

    def process(self) -> psutil.Process | None:
        """The process if it is the very one that was started and is alive (a zombie is not), else None."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.create_time) < _SAME_START_SECONDS
            return process if same and process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.NoSuchProcess:
            return None


def read_pidfile(path: Path) -> RunningNode | None:
    """The node that the file names, or None when there is no readable file or it was cut short by a crash."""
    try:
        return RunningNode(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError):
        return None


def write_pidfile(path: Path, node: RunningNode) -> None:
    """Write beside and rename, so that a reader never sees half a file."""
    unfinished = path.with_suffix(".new")
    unfinished.write_text(json.dumps(asdict(node)))
    unfinished.replace(path)

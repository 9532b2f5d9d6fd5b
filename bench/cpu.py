"""CPU-seconds that processes spend while something is measured, from /proc/<pid>/stat."""

import os
import time
from collections.abc import Mapping
from pathlib import Path

import psutil

TICK = 1.0 / os.sysconf("SC_CLK_TCK")


def spent(pid: int) -> float:
    """User and system CPU-seconds of the process so far, all its threads, ended ones too."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * TICK


class Meter:
    """Starts when made; `read()` gives what each named process spent since."""

    def __init__(self, pids: Mapping[str, int]) -> None:
        self._pids = pids
        self._before = {name: spent(pid) for name, pid in pids.items()}

    def read(self) -> dict[str, float]:
        return {name: spent(pid) - self._before[name] for name, pid in self._pids.items()}


def wait_until_idle(pid: int | None, share: float = 0.1, at_most: float = 30.0) -> None:
    """Until the process uses less than this share of a CPU: Cassandra writes and compacts for a while after a load."""
    until = time.monotonic() + at_most
    while pid is not None and time.monotonic() < until:
        before = spent(pid)
        time.sleep(1.0)
        if spent(pid) - before < share:
            return


def listener(address: str, port: int) -> int | None:
    """The process that listens there, when it is on this machine: a Cassandra that was not started by this run."""
    for found in psutil.net_connections(kind="tcp"):
        if found.status == psutil.CONN_LISTEN and found.laddr == (address, port):
            return found.pid
    return None

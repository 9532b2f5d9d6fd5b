"""Where the CPU goes: agents, portal, conductors, Cassandra and the tool itself, as far as they are on this machine."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from urllib.parse import urlsplit

import psutil

from bench.cpu import listener, spent

SAME = ("CASSANDRA_HOSTS", "CASSANDRA_KEYSPACE", "SCHED_VAR")


def portal_pids(url: str) -> dict[str, list[int]]:
    """The portal's process and the conductors that work for the same databases; empty when it is on another machine."""
    parts = urlsplit(url)
    with suppress(OSError, psutil.Error):
        address = socket.gethostbyname(parts.hostname or "")
        pid = listener(address, parts.port or 80) or listener("0.0.0.0", parts.port or 80)
        if pid is not None:
            return {"portal": [pid], "conductor": _conductors_beside(psutil.Process(pid))}
    return {}


def cassandra_pids(address: str, port: int) -> dict[str, list[int]]:
    with suppress(OSError, psutil.Error):
        pid = listener(address, port)
        return {"Cassandra": [pid]} if pid is not None else {}
    return {}


def _conductors_beside(portal: psutil.Process) -> list[int]:
    wanted = _databases(portal)
    found = []
    for process in psutil.process_iter(["cmdline"]):
        with suppress(psutil.Error):
            is_one = "run_conductor" in (process.info["cmdline"] or ()) and "manage.py" in process.info["cmdline"]
            if is_one and _databases(process) == wanted:
                found.append(process.pid)
    return found


def _databases(process: psutil.Process) -> tuple[str, ...]:
    environment = process.environ()
    return (process.cwd(), *(environment.get(name, "") for name in SAME))


class Costs:
    """Starts when made; `read` gives CPU-seconds since, by name."""

    def __init__(self, pids: Mapping[str, list[int]], agents: Callable[[], float]) -> None:
        self._pids = {name: some for name, some in pids.items() if some}
        self._agents = agents
        self._before = self._now()

    def read(self) -> dict[str, float]:
        return {name: used - self._before[name] for name, used in self._now().items()}

    def _now(self) -> dict[str, float]:
        own = psutil.Process().cpu_times()
        of_others = {name: sum(map(_spent, some)) for name, some in self._pids.items()}
        return {"agents": self._agents(), **of_others, "simulate": own.user + own.system}


def _spent(pid: int) -> float:
    """0 for a process that is gone."""
    with suppress(OSError):
        return spent(pid)
    return 0.0

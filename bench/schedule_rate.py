"""(b) POST /api/schedule through a real daphne process: requests a second, how long each took, what each cost."""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

from bench.cpu import Meter
from bench.give_back import give_back
from bench.surroundings import Portal, make_hosts

HOSTS = (100, 1000)
CLIENTS = (1, 8, 32)
WARM, SECONDS = 3.0, 8.0


@dataclass(frozen=True)
class Measured:
    hosts: int
    clients: int
    requests: int
    seconds: float
    p50: float
    p95: float
    statuses: dict[str, int]
    cpu: dict[str, float] = field(default_factory=dict)

    def each(self, name: str) -> float:
        """CPU-ms of one request in that process."""
        return self.cpu.get(name, float("nan")) / self.requests * 1000


def measure(portal: Portal, cassandra: int | None) -> list[Measured]:
    measured = []
    for hosts in HOSTS:
        cell, own_rows = make_hosts(f"schedule{hosts}", hosts)
        _load(portal, cell.name, 8, 2 * WARM)
        for clients in CLIENTS:
            _load(portal, cell.name, clients, WARM)
            measured.append(_measure(portal, cassandra, cell.name, hosts, clients))
            give_back(cell.home, [own.id for own in own_rows])
    return measured


def _measure(portal: Portal, cassandra: int | None, cell: str, hosts: int, clients: int) -> Measured:
    meter = Meter({"portal": portal.pid} | ({"cassandra": cassandra} if cassandra else {}))
    seen = _load(portal, cell, clients, SECONDS)
    cpu = meter.read() | {"client": seen["cpu"]}
    times = sorted(seen["times"])
    p50, p95 = times[len(times) // 2], times[int(len(times) * 0.95)]
    return Measured(hosts, clients, len(times), seen["seconds"], p50, p95, seen["statuses"], cpu)


def _load(portal: Portal, cell: str, clients: int, seconds: float) -> dict:
    resources = [{"resource_class": "compute", "amounts": {"vcpus": 2, "memory_mb": 4096, "disk_gb": 20}}]
    config = {
        "address": portal.address,
        "port": portal.port,
        "token": portal.token,
        "clients": clients,
        "seconds": seconds,
        "body": {"consumer": "bench", "cell": cell, "resources": resources},
    }
    command = [sys.executable, "-m", "bench.load", json.dumps(config)]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def rows(measured: Sequence[Measured]) -> list[tuple[str, ...]]:
    """Hosts, clients, requests/s, p50 and p95 in ms, CPU-ms per request by process and in all, what was answered."""
    return [
        (
            str(m.hosts),
            str(m.clients),
            f"{m.requests / m.seconds:.1f}",
            f"{m.p50 * 1000:.0f}",
            f"{m.p95 * 1000:.0f}",
            *(f"{m.each(name):.1f}" for name in ("portal", "cassandra", "client")),
            f"{(m.each('portal') + m.each('cassandra')) / 1000:.4f}",
            " ".join(f"{count}x{status}" for status, count in sorted(m.statuses.items())),
        )
        for m in measured
    ]

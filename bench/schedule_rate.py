"""POST /api/schedule through a real daphne process: requests a second, how long each took, what each cost."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from bench import load
from bench.callers import Measured
from bench.cpu import Meter
from bench.give_back import give_back
from bench.surroundings import Portal, Surroundings, make_hosts, portal

HOSTS = (100, 1000)
CLIENTS = (1, 8, 32)
WARM, SECONDS = 3.0, 8.0
TITLE = "POST /api/schedule: one daphne process, one client process, connections kept"
COLUMNS = (
    *("hosts", "clients", "req/s", "p50 ms", "p95 ms", "portal CPU-ms", "Cassandra", "client"),
    *("portal+Cassandra CPU-s", "answers".rjust(9)),
)


def measure(around: Surroundings) -> Iterator[tuple[str, ...]]:
    with portal(around.var) as started:
        for hosts in (size for size in HOSTS if size <= around.most_hosts):
            cell, own_rows = make_hosts(f"schedule{hosts}", hosts)
            ids = [own.id for own in own_rows]
            post(started, around.cassandra, cell.name, 8, 2 * WARM)
            for clients in CLIENTS:
                post(started, around.cassandra, cell.name, clients, WARM)
                yield _row(hosts, *post(started, around.cassandra, cell.name, clients, SECONDS))
                give_back(cell.home, ids)


def post(
    portal: Portal, cassandra: int | None, cell: str, clients: int, seconds: float
) -> tuple[Measured, dict[str, int]]:
    """A turn of the load client, and how often the portal gave which status."""
    resources = [{"resource_class": "compute", "amounts": {"vcpus": 2, "memory_mb": 4096, "disk_gb": 20}}]
    config = {
        "address": portal.address,
        "port": portal.port,
        "token": portal.token,
        "clients": clients,
        "seconds": seconds,
        "body": {"consumer": "bench", "cell": cell, "resources": resources},
    }
    meter = Meter({"portal": portal.pid} | ({"cassandra": cassandra} if cassandra else {}))
    command = [sys.executable, str(Path(load.__file__)), json.dumps(config)]
    seen = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    cpu = meter.read() | {"client": seen["cpu"]}
    failed = sum(count for status, count in seen["statuses"].items() if status != "201")
    return Measured(clients, seen["times"], failed, seen["seconds"], cpu), Counter(seen["statuses"])


def _row(hosts: int, turn: Measured, statuses: dict[str, int]) -> tuple[str, ...]:
    return (
        str(hosts),
        str(turn.callers),
        f"{turn.per_second:.1f}",
        f"{turn.milliseconds(0.5):.0f}",
        f"{turn.milliseconds(0.95):.0f}",
        *(f"{turn.cpu_ms(name):.1f}" for name in ("portal", "cassandra", "client")),
        f"{(turn.cpu_ms('portal') + turn.cpu_ms('cassandra')) / 1000:.4f}",
        " ".join(f"{count}x{status}" for status, count in sorted(statuses.items())),
    )

"""What a measurement needs around it: a Cassandra, a keyspace of its own, hosts, a portal process."""

import os
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from django.conf import settings

from bench.cpu import listener
from cluster.launch import private_ring
from providers import cells
from providers.cells import Cell
from providers.inventory import Inventory
from providers.records import OwnRow
from providers.register import NewProvider, register
from store.apply_schema import apply_schema
from store.session import disconnect, keyspace, session

AMPLE = {"vcpus": 10**9, "memory_mb": 10**12, "disk_gb": 10**11}  # never full, however long it runs
AT_ONCE = 16  # registrations
TOLD_EVERY = 15.0  # seconds


@dataclass(frozen=True)
class Surroundings:
    var: Path
    cassandra: int | None  # its pid, when it is on this machine
    most_hosts: int = 0  # measurements with more are left out

    @property
    def processes(self) -> Mapping[str, int]:
        """Name -> pid, of those that an operation of this process costs something."""
        return {"client": os.getpid()} | ({"cassandra": self.cassandra} if self.cassandra else {})


@contextmanager
def surroundings(var: Path, most_hosts: int) -> Iterator[Surroundings]:
    """Cassandra with the schema in a fresh keyspace."""
    with cassandra(var) as pid, fresh_keyspace(var):
        yield Surroundings(var, pid, most_hosts)


@contextmanager
def cassandra(var: Path) -> Iterator[int | None]:
    """One node of this run's own, unless CASSANDRA_HOSTS names one; its pid, when it is on this machine."""
    if os.environ.get("CASSANDRA_HOSTS"):
        yield listener(os.environ["CASSANDRA_HOSTS"].split(",")[0], int(os.environ.get("CASSANDRA_PORT", "9042")))
        return
    with private_ring(var / "cassandra", heap="1G") as ring:
        node = ring.nodes[0]
        os.environ.update(CASSANDRA_HOSTS=node.address, CASSANDRA_PORT=str(node.port))
        process = node.process()
        yield process.pid if process else None


@contextmanager
def fresh_keyspace(var: Path) -> Iterator[None]:
    """The environment is for the processes that are started; the settings may have been read before it."""
    name = f"bench_{uuid.uuid4().hex[:8]}"
    os.environ.update(SCHED_VAR=str(var), CASSANDRA_KEYSPACE=name)
    hosts, port = os.environ["CASSANDRA_HOSTS"].split(","), int(os.environ.get("CASSANDRA_PORT", "9042"))
    settings.CASSANDRA.update(keyspace=name, hosts=hosts, port=port)
    apply_schema(lambda line: None)
    try:
        yield
    finally:
        for space in (keyspace(), keyspace("dc1")):
            session().execute(f"DROP KEYSPACE IF EXISTS {space}", timeout=60)
        disconnect()


def make_hosts(name: str, count: int) -> tuple[Cell, list[OwnRow]]:
    """A cell with hosts that need no agent, each with more than will ever be claimed."""
    cell = cells.create(name)
    inventory = {column: Inventory(total) for column, total in AMPLE.items()}
    properties = {"cpu_arch": "x86_64"}
    return cell, register_all(
        [
            NewProvider(f"{name}-{number}", name, "compute", inventory, properties=properties, heartbeat="none")
            for number in range(count)
        ]
    )


def register_all(new: Sequence[NewProvider]) -> list[OwnRow]:
    """Through the domain's own function, several at a time; says on standard error how far it is."""
    rows: list[OwnRow] = []
    began = told = time.monotonic()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for _, own in pool.map(register, new):
            rows.append(own)
            now = time.monotonic()
            if now - told > TOLD_EVERY:
                told = now
                rate = len(rows) / (now - began)
                print(f"  registered {len(rows)} of {len(new)}, {rate:.0f}/s", file=sys.stderr, flush=True)
    return rows


@dataclass(frozen=True)
class Portal:
    address: str
    port: int
    token: str
    pid: int


@contextmanager
def portal(var: Path) -> Iterator[Portal]:
    """One daphne process, with a token of an admin, as `make run` would start it."""
    (var / "static").mkdir(exist_ok=True)
    for command in ("migrate", "create_admin"):
        subprocess.run([sys.executable, "manage.py", command], check=True, stdout=subprocess.DEVNULL)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    daphne = [sys.executable, "-m", "daphne", "-v", "0", "-b", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen([*daphne, "sched_portal.asgi:application"])
    try:
        made = Portal("127.0.0.1", port, (var / "admin-token").read_text().strip(), process.pid)
        _wait_until_it_answers(made, process)
        yield made
    finally:
        process.terminate()
        process.wait(30)


def _wait_until_it_answers(made: Portal, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 180  # a busy machine takes its time
    while True:
        try:
            headers = {"Authorization": f"Token {made.token}"}
            httpx.get(f"http://{made.address}:{made.port}/api/cells", headers=headers, timeout=10).raise_for_status()
            return
        except httpx.HTTPError as error:
            if process.poll() is not None or time.monotonic() > until:
                raise SystemExit(f"the portal does not answer: {error}") from error
            time.sleep(0.3)

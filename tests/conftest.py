"""What all tests share: one real Cassandra for the session, one fresh keyspace for the run, and ways to make a cast.

No truncation between tests: every test makes cells, providers and requests of its own, with fresh ids.
"""

import itertools
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
from django.conf import settings
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from cluster.launch import private_ring
from conductor import policies
from providers import cells
from providers.cells import Cell
from providers.heartbeat import beat
from providers.inventory import Inventory
from providers.records import OwnRow, locate
from providers.register import NewProvider, register
from store.apply_schema import apply_schema
from store.session import disconnect, keyspace, session

MEMORY = Path("/dev/shm")
NEEDED = 8 * 2**30
_numbers = itertools.count(1)
# `make statemachine` (tests/races/test_state_machine.py).
hypothesis_settings.register_profile(
    "statemachine",
    max_examples=2000,
    stateful_step_count=15,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    report_multiple_bugs=False,
)


@pytest.fixture(scope="session")
def cassandra(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """A real Cassandra with the schema in a fresh keyspace.

    Started by the session on an address of its own, or the one that CASSANDRA_HOSTS names, for quick repetitions.
    """
    name = f"test_{uuid.uuid4().hex[:8]}"
    settings.CASSANDRA["keyspace"] = name
    os.environ["CASSANDRA_KEYSPACE"] = name  # for the processes that tests start
    if os.environ.get("CASSANDRA_HOSTS"):
        yield from _with_schema(name, None)
        return
    with ExitStack() as ends:
        directory = ends.enter_context(in_memory()) or tmp_path_factory.mktemp("cassandra")
        ring = ends.enter_context(private_ring(directory, heap="768M", start_timeout=600.0))
        ring.start()
        node = ring.nodes[0]
        settings.CASSANDRA.update(hosts=[node.address], port=node.port)
        os.environ.update(CASSANDRA_HOSTS=node.address, CASSANDRA_PORT=str(node.port))
        yield from _with_schema(name, ring)
        for variable in ("CASSANDRA_HOSTS", "CASSANDRA_PORT"):
            os.environ.pop(variable)


@contextmanager
def in_memory() -> Iterator[Path | None]:
    """A directory for this session's Cassandra, where there is room for one: it flushes each transaction several times,
    and a disk that others use too makes the suite wait. (None: there is no room. Tests of what a power cut or a kill
    leaves have rings of their own, on disk.)"""
    room = min(psutil.disk_usage(str(MEMORY)).free, psutil.virtual_memory().available) if MEMORY.is_dir() else 0
    if room < NEEDED:
        yield None
        return
    for left in MEMORY.glob("sched-tests-*"):  # of a session that was killed
        if not psutil.pid_exists(int(left.name.split("-")[2])):
            shutil.rmtree(left, ignore_errors=True)
    with TemporaryDirectory(prefix=f"sched-tests-{os.getpid()}-", dir=MEMORY, ignore_cleanup_errors=True) as directory:
        yield Path(directory)


def _with_schema(name: str, ring: Any) -> Iterator[SimpleNamespace]:
    apply_schema(lambda line: None)
    yield SimpleNamespace(ring=ring, keyspace=name)
    left = policies.history(1)[0].version
    for space in (keyspace(), keyspace("dc1")):
        session().execute(f"DROP KEYSPACE IF EXISTS {space}", timeout=30)
    disconnect()
    assert left == policies.SETTINGS, "a test put a policy in force for all after it: it needs own_policy"


@pytest.fixture
def cell(cassandra: SimpleNamespace) -> Cell:
    """A cell of this test's own."""
    return cells.create(f"cell-{next(_numbers)}-{uuid.uuid4().hex[:6]}")


@pytest.fixture
def host(cell: Cell) -> Callable[..., OwnRow]:
    """Makes a compute host in the test's cell: alive, enabled, 8 vCPU, 8192 MiB, 100 GiB unless said otherwise."""

    def make(name: str = "", **changes: Any) -> OwnRow:
        amounts = changes.pop("amounts", {"vcpus": 8, "memory_mb": 8192, "disk_gb": 100})
        inventory = {column: Inventory(total) for column, total in amounts.items()}
        values: dict[str, Any] = {
            "name": name or f"host-{next(_numbers)}",
            "cell": cell.name,
            "resource_class": "compute",
            "inventory": inventory,
            "properties": {"cpu_arch": "x86_64"} if changes.get("resource_class", "compute") == "compute" else {},
        }
        _, own = register(NewProvider(**(values | changes)))
        if own.row["heartbeat"] == "agent":
            beat(locate(own.id))
        return own

    return make


@pytest.fixture
def own_policy(cassandra: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A policy of this test's own: no version of it was made yet, and other tests go on with theirs. Its name."""
    name = f"policy-{uuid.uuid4().hex[:8]}"
    monkeypatch.setattr(policies, "NAME", name)
    policies._kept.forget()
    yield name
    policies._kept.forget()


@pytest.fixture(scope="session")
def repository() -> Path:
    return Path(__file__).resolve().parent.parent

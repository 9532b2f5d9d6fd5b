"""Acknowledged means kept: Cassandra is killed with -9 under load and started again; nothing it had said is lost."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from uuid import UUID

import pytest
from account import account_of, differences, settle
from django.conf import settings
from processes import start

from cluster.launch import Node, private_ring
from providers import cells
from providers.inventory import Inventory
from providers.register import NewProvider, register
from store.apply_schema import apply_schema
from store.session import disconnect

EVERY_DAY, KILLS = 1, 3  # `make test`, `make faults`
BETWEEN_KILLS = 60  # claims acknowledged before each kill, and after the last
WAIT = 240.0  # seconds for them, on a machine that is very busy
HOSTS, PROCESSES, THREADS = 6, 2, 6
CAPACITY = {"vcpus": 24, "memory_mb": 24 * 512, "disk_gb": 60}


@pytest.fixture
def own_node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SimpleNamespace]:
    """A Cassandra of this test's own, to be killed; the session's is left alone."""
    disconnect()
    kept = dict(settings.CASSANDRA)
    with private_ring(tmp_path / "cassandra") as ring:
        node = ring.nodes[0]
        settings.CASSANDRA.update(hosts=[node.address], port=node.port, keyspace="kept")
        for name, value in (("HOSTS", node.address), ("PORT", str(node.port)), ("KEYSPACE", "kept")):
            monkeypatch.setenv(f"CASSANDRA_{name}", value)
        cells._homes.clear()
        apply_schema(lambda line: None)
        yield SimpleNamespace(node=node, cell=cells.create("kept"))
        disconnect()
    settings.CASSANDRA.update(kept)
    cells._homes.clear()


def _hosts(cell: str) -> list[UUID]:
    inventory = {name: Inventory(total) for name, total in CAPACITY.items()}
    return [
        register(NewProvider(f"host-{n}", cell, "compute", inventory, heartbeat="none"))[1].id for n in range(HOSTS)
    ]


def _kill_and_restart(node: Node, histories: list[Path], kills: int) -> None:
    for _ in range(kills):
        _wait_for_claims(histories)
        node.kill9()
        node.start()
    _wait_for_claims(histories)


def _wait_for_claims(histories: list[Path]) -> None:
    wanted = _acknowledged(histories) + BETWEEN_KILLS
    until = time.monotonic() + WAIT
    while _acknowledged(histories) < wanted:
        assert time.monotonic() < until, "no claims are made"
        time.sleep(0.1)


def _acknowledged(histories: list[Path]) -> int:
    return sum(path.read_text().count('"Taken"') for path in histories if path.exists())


@pytest.mark.slow
@pytest.mark.parametrize("kills", [EVERY_DAY, pytest.param(KILLS, marks=pytest.mark.faults)])
def test_nothing_acknowledged_is_lost_when_cassandra_is_killed_under_load(own_node, tmp_path, kills):
    cell, hosts = own_node.cell, _hosts(own_node.cell.name)
    histories = [tmp_path / f"history-{number}" for number in range(PROCESSES)]
    work = {"cell": cell.name, "datacenter": cell.datacenter, "hosts": [str(h) for h in hosts], "threads": THREADS}
    claimers = [
        start("claimers.py", history=str(path), seed=number, claims=10**6, seconds=3600, **work)
        for number, path in enumerate(histories)
    ]
    try:
        _kill_and_restart(own_node.node, histories, kills)
    finally:
        for claimer in claimers:
            claimer.stdin.close()  # the claimants finish the operation they are at, and end
    assert [claimer.wait(WAIT) for claimer in claimers] == [0] * PROCESSES
    account = account_of(histories, answers_get_lost=True)
    unknown = settle(account, cell.home)
    print(json.dumps({"acknowledged": account.acknowledged, "refused": account.refused, "unknown": unknown}))
    assert differences(account, hosts, cell.home, CAPACITY) == []
    assert account.acknowledged >= (kills + 1) * BETWEEN_KILLS
    assert account.unanswered > 0  # else nobody was at work when it was killed

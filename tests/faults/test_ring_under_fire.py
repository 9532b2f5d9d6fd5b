"""`make faults`: 5,000 claims on a ring of three whose nodes are paused and killed, through a proxy that cuts answers.

Not part of the normal run: it takes half an hour and 4 GB.
"""

import itertools
import json
import os
import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import harness
import pytest
from cassandra import ConsistencyLevel
from cassandra.query import SimpleStatement
from django.conf import settings
from proxy import Proxy

from cluster.launch import Node, free_addresses, private_ring
from providers import cells
from store.apply_schema import apply_schema
from store.session import AWAY, disconnect, keyspace, session

CLAIMS, UNKNOWN, SETTLED = 5000, 20, 10.0
HOSTS, PROCESSES, CLAIM_AUTHORS, REQUEST_AUTHORS = 12, 2, 4, 3
SHARE = 0.02  # of the transactions whose answer is lost on the way
CUTS = 8
WHOLE = 60.0  # seconds, on a machine that is very busy; then a node is started anew
SECONDS = 2700.0  # a bound for a machine that is very busy, not a plan
ANEW = 6  # times that a node is started anew
PAUSE, KILL = "paused", "killed"


@pytest.fixture
def ring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SimpleNamespace]:
    """A ring of its own with everything on all three nodes, and the proxy in front of it."""
    with private_ring(tmp_path / "ring", nodes=3, heap="640M", start_timeout=400.0) as own:
        yield from through_proxy(own.nodes, own.port, monkeypatch)


def through_proxy(nodes: list[Node], port: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[SimpleNamespace]:
    disconnect()
    kept = dict(settings.CASSANDRA)
    addresses = [node.address for node in nodes]
    prefix, _, last = free_addresses(len(nodes), (port,)).rpartition(".")
    proxies = [f"{prefix}.{int(last) + number}" for number in range(len(nodes))]
    settings.CASSANDRA.update(hosts=addresses, port=port, keyspace="fire", replication=["dc1:3"])
    for name, value in (
        ("CASSANDRA_HOSTS", ",".join(proxies)),
        ("CASSANDRA_PORT", str(port)),
        ("CASSANDRA_KEYSPACE", "fire"),
        ("CASSANDRA_REPLICATION", "dc1:3"),
        ("CLOSED_KEPT", "3"),
    ):
        monkeypatch.setitem(os.environ, name, value)
    cells._homes.clear()
    with Proxy(dict(zip(addresses, proxies, strict=True)), port) as proxy:
        apply_schema(lambda line: None)
        yield SimpleNamespace(nodes=nodes, proxy=proxy)
        disconnect()
    settings.CASSANDRA.update(kept)
    cells._homes.clear()


@dataclass
class Breaker:
    """One node after another is paused, or killed and started again; the ring rests in between.

    A killed node is started by the thread that began the test: a node ends with the thread that started it.
    """

    nodes: list[Node]
    rng: random.Random
    done: Counter[str] = field(default_factory=Counter)
    plan: Iterator[str] = field(default_factory=lambda: itertools.cycle((PAUSE, PAUSE, KILL, PAUSE)))

    def step(self) -> None:
        what, node = next(self.plan), self.rng.choice(self.nodes)
        if what == PAUSE:
            node.pause()
            time.sleep(self.rng.uniform(2.0, 8.0))
            node.resume()
        else:
            node.kill9()
            time.sleep(self.rng.uniform(2.0, 6.0))
            node.start()
        self.done[what] += 1
        time.sleep(self.rng.uniform(3.0, 6.0))
        self.wait_until_whole()

    def wait_until_whole(self) -> None:
        """Until each node sees all of them again: two that are away at once are another test. Cassandra's gossip can
        leave a node that came back while another was paused as "down" for good; an operator restarts it, and so does
        this. (Seen with 5.0.8: "is now DOWN" and never "UP", both nodes serving clients.)"""
        for _ in range(ANEW):
            until = time.monotonic() + WHOLE
            while blind := self._blind():
                if time.monotonic() > until:
                    break
                time.sleep(0.5)
            if not blind:
                return
            # One that sees another as down: the other two see each other, so there is a quorum all the time.
            blind[0].kill9()
            blind[0].start()
            self.done[KILL] += 1
            self.done["started anew"] += 1
        raise TimeoutError("the ring was not whole again, whatever was started anew")

    def _blind(self) -> list[Node]:
        """Nodes that do not see all of them."""
        select = SimpleStatement(f"SELECT root_id FROM {keyspace('dc1')}.provider_records LIMIT 1")
        select.consistency_level = ConsistencyLevel.ALL
        hosts = {host.address: host for host in session().cluster.metadata.all_hosts()}
        found = []
        for node in self.nodes:
            try:
                session().execute(select, host=hosts[node.address])
            except (*AWAY, KeyError):
                found.append(node)
        return found


@pytest.mark.faults
def test_five_thousand_claims_under_fire(ring: SimpleNamespace, tmp_path: Path) -> None:
    began = time.monotonic()
    stage = harness.build("fire", HOSTS)
    harness.break_at_random(ring.proxy, SHARE, CUTS, seed=1)
    breaker = Breaker(ring.nodes, random.Random(1))
    run = harness.run(
        stage,
        ring.proxy,
        tmp_path,
        PROCESSES,
        CLAIMS,
        SECONDS,
        breaker.step,
        breaker.wait_until_whole,
        claim_authors=CLAIM_AUTHORS,
        request_authors=REQUEST_AUTHORS,
    )
    took = round(time.monotonic() - began)
    print(json.dumps({"seconds": took, "nodes": breaker.done, "proxy": ring.proxy.done, **run.figures()}))
    assert run.wrong == []
    assert ring.proxy.errors == []
    assert run.claims >= CLAIMS
    assert len(run.unknown) >= UNKNOWN
    assert max(run.unknown) < SETTLED
    assert breaker.done[PAUSE] >= 2
    assert breaker.done[KILL] >= 1

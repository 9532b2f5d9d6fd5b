"""(a) Claims per second through `claims.take`, beside the bare driver running the same batch on the same partitions.

The two take turns, so that noise is shared. The bare driver's batch is the one that `claims.take` builds: prepared
once, no lookups, no projection, no event.
"""

import os
import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from uuid import UUID, uuid4

from cassandra.query import BatchStatement, BatchType

from bench.cpu import Meter
from bench.give_back import give_back
from bench.surroundings import make_hosts
from claims.take import statements, take
from claims.types import Member, Order, Taken, claim_id
from providers.projection import projector
from store.home import Home
from store.session import lwt_profile, prepare, session

CALLERS = (1, 8, 32)
HOSTS = 50
WARM = 20.0  # seconds for Cassandra's compiler: a cold JVM spends most of its time in it
SECONDS = 2.0  # of one turn
TURNS = 4
RAW, TAKE = "raw driver", "claims.take"


@dataclass
class Rate:
    """What one way of claiming came to, over all its turns."""

    callers: int
    way: str
    claims: int = 0
    seconds: float = 0.0
    cpu: dict[str, float] = field(default_factory=dict)

    @property
    def per_second(self) -> float:
        return self.claims / self.seconds


def measure(cassandra: int | None) -> list[Rate]:
    cell, hosts = make_hosts("claims", HOSTS)
    ids = [own.id for own in hosts]
    pids = {"client": os.getpid()} | ({"cassandra": cassandra} if cassandra else {})
    rates = []
    _one_turn(Rate(8, TAKE), _take, cell.home, ids, pids, WARM)
    give_back(cell.home, ids)
    for callers in CALLERS:
        both = [(Rate(callers, RAW), Bare(cell.home).claim), (Rate(callers, TAKE), _take)]
        for _ in range(TURNS):
            for rate, claim in both:
                _one_turn(rate, claim, cell.home, ids, pids)
            give_back(cell.home, ids)
        rates += [rate for rate, _ in both]
    return rates


def _one_turn(
    rate: Rate,
    claim: Callable[[Order], bool],
    home: Home,
    hosts: Sequence[UUID],
    pids: dict[str, int],
    seconds: float = SECONDS,
) -> None:
    counts = [0] * rate.callers
    meter, began = Meter(pids), time.monotonic()
    until = began + seconds

    def call(number: int) -> None:
        rng = random.Random()
        while time.monotonic() < until:
            counts[number] += claim(order(home, rng.choice(hosts)))

    threads = [threading.Thread(target=call, args=(number,)) for number in range(rate.callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rate.seconds += time.monotonic() - began
    rate.claims += sum(counts)
    projector().drain(60)  # what it costs counts; what it takes does not: no caller waits for it
    for name, used in meter.read().items():
        rate.cpu[name] = rate.cpu.get(name, 0.0) + used


def order(home: Home, host: UUID) -> Order:
    request = uuid4()
    amounts = {"vcpus": 2, "memory_mb": 4096, "disk_gb": 20}
    member = Member(claim_id(request, 0, 0, 0), 0, host, "host", "compute", amounts, 1)
    return Order(home, host, 1, request, 0, "bench", "bench", (member,))


def _take(one: Order) -> bool:
    return isinstance(take(one), Taken)


class Bare:
    """The driver alone: the same three statements with the values that differ filled in."""

    def __init__(self, home: Home) -> None:
        example = order(home, uuid4())
        built = statements(example)
        self._prepared = [prepare(s.cql) for s in built]
        self._profile = lwt_profile(home.datacenter)
        self._values = [list(s.values) for s in built]
        member = example.members[0]
        ids = {example.root_id: 0, member.claim_id: 1, example.request_id: 2}
        self._holes = [
            [(index, ids[value]) for index, value in enumerate(values) if isinstance(value, UUID) and value in ids]
            for values in self._values
        ]

    def claim(self, one: Order) -> bool:
        ids = (one.root_id, one.members[0].claim_id, one.request_id)
        batch = BatchStatement(BatchType.LOGGED)
        for prepared, values, holes in zip(self._prepared, self._values, self._holes, strict=True):
            filled = list(values)
            for index, which in holes:
                filled[index] = ids[which]
            batch.add(prepared.bind(filled))
        return bool(session().execute(batch, execution_profile=self._profile).one()["[applied]"])


def rows(rates: Sequence[Rate]) -> list[tuple[str, ...]]:
    """Callers, way, claims/s, share of raw, CPU-ms per claim by process."""
    table = []
    for raw, taken in zip(rates[::2], rates[1::2], strict=True):
        for rate in (raw, taken):
            share = "" if rate is raw else f"{taken.per_second / raw.per_second:.2f}"
            cpu = [f"{rate.cpu.get(name, float('nan')) / rate.claims * 1000:.2f}" for name in ("client", "cassandra")]
            table.append((str(rate.callers), rate.way, f"{rate.per_second:.0f}", share, *cpu))
    return table

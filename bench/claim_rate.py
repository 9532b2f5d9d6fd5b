"""Claims per second through `claims.take`, beside the bare driver running the same batch on the same partitions.

The two take turns, so that noise is shared. The bare driver's batch is the one that `claims.take` builds: prepared
once, no lookups, no projection, no event.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from uuid import UUID, uuid4

from cassandra.query import BatchStatement, BatchType

from bench.callers import Measured, run
from bench.give_back import give_back
from bench.surroundings import Surroundings, make_hosts
from claims.take import statements, take
from claims.types import Member, Order, Taken, claim_id
from store.home import Home
from store.session import lwt_profile, prepare, session

CALLERS = (1, 8, 32)
HOSTS = 50
WARM = 20.0  # seconds for Cassandra's compiler: a cold JVM spends most of its time in it
SECONDS = 2.0  # of one turn
TURNS = 4
TITLE = f"Claims on {HOSTS} hosts: one process, its threads call; raw and take by turns"
COLUMNS = ("callers", "way".rjust(11), "claims/s", "of raw", "client CPU-ms", "Cassandra CPU-ms", "failed")


def measure(around: Surroundings) -> Iterator[tuple[str, ...]]:
    cell, hosts = make_hosts("claims", HOSTS)
    ids = [own.id for own in hosts]
    take_one = taking(cell.home, ids)
    bare = Bare(cell.home)
    run(take_one, 8, WARM, {})
    give_back(cell.home, ids)
    for callers in CALLERS:
        raw, taken = Measured(callers), Measured(callers)
        for _ in range(TURNS):
            raw.add(run(lambda: bare.claim(order(cell.home, random.choice(ids))), callers, SECONDS, around.processes))
            taken.add(run(take_one, callers, SECONDS, around.processes))
            give_back(cell.home, ids)
        yield _row("raw driver", raw, "")
        yield _row("claims.take", taken, f"{taken.per_second / raw.per_second:.2f}")


def taking(home: Home, hosts: Sequence[UUID]) -> Callable[[], bool]:
    """One claim on one of the hosts."""
    return lambda: isinstance(take(order(home, random.choice(hosts))), Taken)


def order(home: Home, host: UUID) -> Order:
    request = uuid4()
    amounts = {"vcpus": 2, "memory_mb": 4096, "disk_gb": 20}
    member = Member(claim_id(request, 0, 0, 0), 0, host, "host", "compute", amounts, 1)
    return Order(home, host, 1, request, 0, "bench", "bench", (member,))


class Bare:
    """The driver alone: the same three statements with the values that differ filled in."""

    def __init__(self, home: Home) -> None:
        example = order(home, uuid4())
        built = statements([example])
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


def _row(way: str, rate: Measured, share: str) -> tuple[str, ...]:
    cpu = [f"{rate.cpu_ms(name):.2f}" for name in ("client", "cassandra")]
    return str(rate.callers), way, f"{rate.per_second:.0f}", share, *cpu, str(rate.failed)

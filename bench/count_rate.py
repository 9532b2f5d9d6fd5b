"""One request for a hundred instances beside a hundred requests for one, by turns: all on ten hosts, or one on each of
a hundred hosts. Through `conductor.place.schedule`, without HTTP, one caller."""

import time
from collections.abc import Iterator
from dataclasses import replace
from uuid import UUID

from bench.callers import Measured
from bench.cpu import Meter
from bench.give_back import give_back
from bench.surroundings import Surroundings, register_all
from conductor.place import schedule
from conductor.types import Placed, ScheduleRequest
from providers import cells
from providers.inventory import Inventory
from providers.projection import projector
from providers.register import NewProvider
from scheduler.types import Resource

COUNT = 100
TURNS = 4
RESOURCE = Resource("compute", {"vcpus": 2, "memory_mb": 4096, "disk_gb": 20})
# Hosts, instances that one has room for, and the weigher that brings them together or apart.
PLACES = {"on ten hosts": (10, 10, -1.0), "on a hundred": (100, 10, 1.0)}
TITLE = f"{COUNT} instances by one request (count: {COUNT}) and by {COUNT} requests, by turns"
COLUMNS = (
    *(
        "where".rjust(14),
        "way".rjust(12),
        "instances/s",
        "s for all",
        "client CPU-ms",
        "Cassandra CPU-ms",
        "times as fast",
    ),
    *("hosts", "failed"),
)


def measure(around: Surroundings) -> Iterator[tuple[str, ...]]:
    for where, (hosts, room, multiplier) in PLACES.items():
        cell = cells.create(f"count{hosts}")
        inventory = {name: Inventory(amount * room) for name, amount in RESOURCE.amounts.items()}
        new = [
            NewProvider(f"count{hosts}-{n}", cell.name, "compute", inventory, heartbeat="none") for n in range(hosts)
        ]
        roots = [own.id for own in register_all(new)]
        one = ScheduleRequest(
            "bench", "bench", (RESOURCE,), {}, "bench", cell=cell.name, weighers={"free_amount": multiplier}
        )
        ways = {"count": (replace(one, count=COUNT), 1), "singles": (one, COUNT)}
        rates = {way: Measured(1) for way in ways}
        used: dict[str, int] = {}
        for turn in range(TURNS + 1):  # the first is to warm up
            for way, (request, times) in ways.items():
                done, used[way] = _turn(request, times, around)
                give_back(cell.home, roots)
                if turn:
                    rates[way].add(done)
        for way, rate in rates.items():
            yield _row(where, way, rate, rates["singles"], used[way])


def _turn(request: ScheduleRequest, times: int, around: Surroundings) -> tuple[Measured, int]:
    """What it took, and on how many hosts they are."""
    turn = Measured(1)
    meter, began = Meter(around.processes), time.monotonic()
    roots: set[UUID] = set()
    for _ in range(times):
        outcome = schedule(request)
        if isinstance(outcome, Placed):
            roots |= {claim["provider"] for claim in outcome.claims}
            turn.times += [0.0] * len(outcome.claims)
        else:
            turn.failed += 1
    turn.seconds = time.monotonic() - began
    projector().drain(60)
    turn.cpu = meter.read()
    return turn, len(roots)


def _row(where: str, way: str, rate: Measured, singles: Measured, hosts: int) -> tuple[str, ...]:
    return (
        *(where, way, f"{rate.per_second:.0f}", f"{rate.seconds / TURNS:.2f}"),
        *(f"{rate.cpu_ms(name):.1f}" for name in ("client", "cassandra")),
        f"{rate.per_second / singles.per_second:.1f}",
        *(str(hosts), str(rate.failed)),
    )

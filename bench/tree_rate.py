"""A request over three trees (a host, a storage pool, a network) beside one for the host alone, by turns.

Both through `conductor.place.schedule`, without HTTP. On one tree the claim is the commit; over several each tree is
held, the request row is the commit, and the holds are confirmed before the answer.
"""

from collections.abc import Iterator
from functools import partial
from uuid import UUID

from bench.callers import Measured, run
from bench.give_back import give_back
from bench.surroundings import AMPLE, Surroundings, register_all
from conductor.place import schedule
from conductor.types import Placed, ScheduleRequest
from providers import cells
from providers.cells import Cell
from providers.inventory import Inventory
from providers.register import NewProvider
from scheduler.types import Resource

CELL = "trees"
CALLERS = (1, 8)
WARM, SECONDS = 6.0, 4.0
TURNS = 3
COMPUTE = Resource("compute", {"vcpus": 2, "memory_mb": 4096, "disk_gb": 20})
STORAGE = Resource("block_storage", {"capacity_gb": 100, "iops": 500})
NETWORK = Resource("network", {"ipv4_addresses": 1, "bandwidth_mbps": 100})
PROVIDERS = {
    "compute": (100, AMPLE),
    "block_storage": (20, {"capacity_gb": 10**11, "iops": 10**11}),
    "network": (20, {"ipv4_addresses": 10**9, "bandwidth_mbps": 10**11}),
}
WAYS = {"one": (COMPUTE,), "three": (COMPUTE, STORAGE, NETWORK)}
TITLE = "A request on one tree and over three (100 hosts, 20 pools, 20 networks): one process, no HTTP, by turns"
COLUMNS = (
    *("callers", "trees", "req/s", "p50 ms", "p95 ms", "client CPU-ms", "Cassandra CPU-ms", "total CPU-s"),
    *("of one", "failed"),
)


def measure(around: Surroundings) -> Iterator[tuple[str, ...]]:
    cell = cells.create(CELL)
    roots = _register(cell)
    for way in WAYS:
        run(partial(_place, way), max(CALLERS), WARM, {})
    give_back(cell.home, roots)
    for callers in CALLERS:
        rates = {way: Measured(callers) for way in WAYS}
        for _ in range(TURNS):
            for way, rate in rates.items():
                rate.add(run(partial(_place, way), callers, SECONDS, around.processes))
            give_back(cell.home, roots)
        for way, rate in rates.items():
            yield _row(way, rate, rates["one"])


def _register(cell: Cell) -> list[UUID]:
    new = [
        NewProvider(f"{of_class}-{number}", cell.name, of_class, _inventory(totals), heartbeat="none")
        for of_class, (count, totals) in PROVIDERS.items()
        for number in range(count)
    ]
    return [own.id for own in register_all(new)]


def _inventory(totals: dict[str, int]) -> dict[str, Inventory]:
    return {name: Inventory(total) for name, total in totals.items()}


def _place(way: str) -> bool:
    request = ScheduleRequest("bench", "bench", WAYS[way], {}, "bench", cell=CELL)
    return isinstance(schedule(request), Placed)


def _row(way: str, rate: Measured, one: Measured) -> tuple[str, ...]:
    total = rate.cpu_ms("client") + rate.cpu_ms("cassandra")
    of_one = total / (one.cpu_ms("client") + one.cpu_ms("cassandra"))
    return (
        str(rate.callers),
        way,
        f"{rate.per_second:.1f}",
        *(f"{rate.milliseconds(share):.0f}" for share in (0.5, 0.95)),
        *(f"{rate.cpu_ms(name):.1f}" for name in ("client", "cassandra")),
        f"{total / 1000:.4f}",
        "" if way == "one" else f"{of_one:.2f}",
        str(rate.failed),
    )

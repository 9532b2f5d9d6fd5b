"""The decision alone, without a claim: query, filters, weighers and choice, for requests that few or no hosts fit.

One cell that grows. Its hosts are as in a real one: each has an agent that is heard from, so liveness is looked up too.
"""

import random
from collections.abc import Iterator
from functools import partial

from django.conf import settings

from bench.callers import Measured, run
from bench.cpu import wait_until_idle
from bench.surroundings import Surroundings, register_all
from conductor.decide import decide
from conductor.types import ScheduleRequest
from conductor.wish import homes_of, policy_of
from providers import cells
from providers.candidates import sample
from providers.heartbeat import beat
from providers.inventory import Inventory
from providers.records import Location
from providers.register import NewProvider
from scheduler.types import Resource
from store.home import Home

SIZES = (100, 1000, 10_000, 100_000)
CALLERS = (1, 8)
WARM, SECONDS = 20.0, 4.0
rng = random.Random()
TOO_LONG = 5000.0  # milliseconds that a decision takes one caller: eight at once would take minutes
SAMPLES = 10  # looked at, to say what a decision reads
CELL = "candidates"
GIB = 1024  # MiB
ALL, PERCENT, PER_MILLE = 128 * GIB, 1024 * GIB, 4096 * GIB  # what hosts have: all, 1 % and 0.1 % of them at least
FREE_DISK = 100  # GiB, of 2,000 that every host has

REQUESTS = {
    "everywhere": {"vcpus": 2, "memory_mb": 4 * GIB, "disk_gb": 20},
    "on 1 %": {"vcpus": 2, "memory_mb": 512 * GIB, "disk_gb": 20},
    "on 0.1 %": {"vcpus": 2, "memory_mb": 2048 * GIB, "disk_gb": 20},
    "nowhere: too large": {"vcpus": 2, "memory_mb": 8192 * GIB, "disk_gb": 20},
    "nowhere: all full": {"vcpus": 2, "memory_mb": 4 * GIB, "disk_gb": 2 * FREE_DISK},
}
TITLE = "The decision (conductor.decide), no claim: one process, its threads call"
COLUMNS = (
    *(" hosts", "fits".rjust(18), "callers", "decisions/s", "p50 ms", "p95 ms", "client CPU-ms", "Cassandra CPU-ms"),
    *("found", "shards read", "wrong"),
)


def measure(around: Surroundings) -> Iterator[tuple[str, ...]]:
    settings.HEARTBEAT_TTL = 86_400  # heard from once, alive for the whole run
    home = cells.create(CELL).home
    hosts = 0
    for size in (size for size in SIZES if size <= around.most_hosts):
        _register(home, range(hosts, size))
        if not hosts:
            for fits in REQUESTS:
                run(partial(_decide, fits), max(CALLERS), WARM / len(REQUESTS), {})
        hosts = size
        wait_until_idle(around.cassandra)
        for fits in REQUESTS:
            seen = _seen(fits)
            for callers in CALLERS:
                turn = run(partial(_decide, fits), callers, SECONDS, around.processes)
                yield (str(hosts), fits, *_row(turn), *seen, str(turn.failed))
                if turn.milliseconds(0.5) > TOO_LONG:
                    break


def _register(home: Home, numbers: range) -> None:
    for own in register_all([_host(number) for number in numbers]):
        beat(Location(own.id, own.id, home, "compute", own.row["shard"]))


def _host(number: int) -> NewProvider:
    memory = PER_MILLE if number % 1000 == 0 else PERCENT if number % 100 == 0 else ALL
    disk = Inventory(2000, reserved=2000 - FREE_DISK)
    inventory = {"vcpus": Inventory(64), "memory_mb": Inventory(memory), "disk_gb": disk}
    return NewProvider(f"host-{number}", CELL, "compute", inventory, properties={"cpu_arch": "x86_64"})


def _request(fits: str) -> ScheduleRequest:
    return ScheduleRequest("bench", "bench", (Resource("compute", REQUESTS[fits]),), {}, "bench", cell=CELL)


def _decide(fits: str) -> bool:
    """Whether it is decided as it should be: a host that has what was asked for, or none."""
    assignment = decide(_request(fits), rng).assignment
    if assignment is None:
        return fits.startswith("nowhere")
    return assignment.units[0].tries[0].available["memory_mb"] >= REQUESTS[fits]["memory_mb"]


def _seen(fits: str) -> tuple[str, str]:
    """Hosts to choose from, and shards read of how many, on average; nothing found is followed by a sweep of all."""
    request = _request(fits)
    homes, policy = homes_of(request), policy_of(request)
    samples = [sample(homes, request.resources[0], policy, policy.sample_hosts, rng) for _ in range(SAMPLES)]
    found = sum(len(one.fitting) for one in samples) / SAMPLES
    read = sum(one.shards_read for one in samples) / SAMPLES
    of = samples[0].shards
    return f"{found:.1f}", f"{read:.1f} of {of}" if found else f"{read:.0f}+{of} of {of}"


def _row(turn: Measured) -> tuple[str, ...]:
    return (
        str(turn.callers),
        f"{turn.per_second:.1f}",
        *(f"{turn.milliseconds(share):.0f}" for share in (0.5, 0.95)),
        *(f"{turn.cpu_ms(name):.1f}" for name in ("client", "cassandra")),
    )

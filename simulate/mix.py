"""What a cloud is asked for: mostly small machines, some large, some with a volume, now and then something else."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from simulate import SimulationError
from simulate.options import EVEN, Options
from simulate.trace import Entry

PROJECTS = ("web", "data", "build", "research")
SHORTEST, LONGEST = 0.1, 4.0  # of the average lifetime

Resource = Mapping[str, Any]


@dataclass(frozen=True)
class Shape:
    """What is asked for at once, and how common that is."""

    weight: float
    resources: Sequence[Resource]
    count: int = 1

    @property
    def classes(self) -> frozenset[str]:
        return frozenset(one["resource_class"] for one in self.resources)


def _of(resource_class: str, amounts: Mapping[str, int], **more: Any) -> Resource:
    return {"resource_class": resource_class, "amounts": dict(amounts), **more}


def _machine(vcpus: int, memory_mb: int, disk_gb: int, **more: Any) -> Resource:
    return _of("compute", {"vcpus": vcpus, "memory_mb": memory_mb, "disk_gb": disk_gb}, **more)


def _volume(capacity_gb: int, iops: int) -> Resource:
    return _of("block_storage", {"capacity_gb": capacity_gb, "iops": iops})


SHAPES = (
    Shape(30, [_machine(1, 2_048, 10)]),
    Shape(25, [_machine(2, 4_096, 20)]),
    Shape(14, [_machine(4, 8_192, 40)]),
    Shape(6, [_machine(8, 32_768, 80)]),
    Shape(2, [_machine(16, 65_536, 160)]),
    Shape(5, [_machine(2, 4_096, 20, required=["SSD"])]),
    Shape(2, [_machine(2, 4_096, 20, properties={"cpu_arch": "aarch64"})]),
    Shape(2, [_machine(1, 2_048, 10)], count=3),
    Shape(6, [_machine(2, 4_096, 20), _volume(50, 500)]),
    Shape(4, [_volume(100, 1_000)]),
    Shape(3, [_of("network", {"ipv4_addresses": 4, "bandwidth_mbps": 100})]),
    Shape(1, [_of("baremetal", {"nodes": 1})]),
)


def drawn(options: Options, classes: Collection[str]) -> Iterator[Entry]:
    """The requests of one run, in the order of time, of classes that have hosts. The same options draw the same."""
    shapes = [shape for shape in SHAPES if shape.classes <= set(classes)]
    if not shapes:
        raise SimulationError("the hosts are of no class that the workload asks for: give --classes compute=...")
    rng = random.Random(f"workload-{options.seed}")
    at = 0.0
    while True:
        at += 1 / options.rate if options.arrivals == EVEN else rng.expovariate(options.rate)
        shape = rng.choices(shapes, [one.weight for one in shapes])[0]
        share = min(max(rng.expovariate(1.0), SHORTEST), LONGEST)
        project = rng.choice(PROJECTS)
        if at >= options.seconds:
            return
        yield Entry(at, shape.resources, shape.count, options.lifetime * share, project)

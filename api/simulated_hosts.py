"""The simulated fleet: what N hosts of a small cloud look like. The same N gives the same hosts, everywhere."""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

RACKS, ZONES = 4, 2
DEFAULT_SHARES: Mapping[str, float] = {"compute": 70, "baremetal": 10, "block_storage": 10, "network": 10}
COMPUTE_SIZES = (  # vcpus, memory_mb, disk_gb, how common
    (16, 65_536, 800, 3),
    (32, 131_072, 1_600, 4),
    (64, 262_144, 3_200, 3),
    (128, 524_288, 6_400, 1),
)
BAREMETAL_SIZES = ((16, 65_536, 960), (48, 262_144, 1_920), (96, 786_432, 7_680))
STORAGE_SIZES = (("ssd", 20_000, 200_000), ("nvme", 10_000, 800_000), ("hdd", 100_000, 20_000))
NETWORK_SIZES = ((254, 10_000), (1_022, 25_000), (4_094, 100_000))


@dataclass(frozen=True, slots=True)
class SimulatedHost:
    name: str
    resource_class: str
    totals: dict[str, int]
    properties: dict[str, str | int]
    traits: tuple[str, ...]
    rack: str
    zone: str
    aggregates: tuple[str, ...] = field(default=())


def simulated_hosts(count: int, shares: Mapping[str, float] = DEFAULT_SHARES) -> Iterator[SimulatedHost]:
    """`count` hosts: 70 % compute, 10 % of each other class unless said otherwise; at least one of each that has a
    share, from four hosts on. What is left over is of the class with the largest share."""
    largest = max(shares, key=lambda name: shares[name])
    numbers = {name: _number_of(count, share / sum(shares.values())) for name, share in shares.items()}
    numbers[largest] = count - sum(number for name, number in numbers.items() if name != largest)
    makers = {"compute": _compute, "baremetal": _baremetal, "block_storage": _block_storage, "network": _network}
    for resource_class, number in numbers.items():
        for index in range(1, number + 1):
            rng = random.Random(f"{resource_class}-{index}")  # by its own name: a larger fleet keeps the smaller one
            rack = (index - 1) % RACKS
            totals, properties, traits = makers[resource_class](rng)
            yield SimulatedHost(
                f"sim-{resource_class.replace('_', '-')}-{index:03}",
                resource_class,
                totals,
                properties,
                tuple(sorted(traits)),
                f"r{rack + 1}",
                f"z{rack * ZONES // RACKS + 1}",
            )


def _number_of(count: int, share: float) -> int:
    return max(int(count * share + 1e-9), 1 if count >= 4 and share else 0)


Made = tuple[dict[str, int], dict[str, str | int], set[str]]


def _compute(rng: random.Random) -> Made:
    vcpus, memory, disk, _ = rng.choices(COMPUTE_SIZES, [size[3] for size in COMPUTE_SIZES])[0]
    arm = rng.random() < 0.15
    traits = {rng.choice(("SSD", "SSD", "HDD"))}
    traits |= {"HW_CPU_AARCH64_SVE"} if arm else {"HW_CPU_X86_AVX2", "HW_CPU_X86_AESNI"}
    if not arm and rng.random() < 0.3:
        traits.add("HW_CPU_X86_AVX512F")
    return (
        {"vcpus": vcpus, "memory_mb": memory, "disk_gb": disk},
        {"cpu_arch": "aarch64" if arm else "x86_64", "hypervisor": "kvm"},
        traits,
    )


def _baremetal(rng: random.Random) -> Made:
    cpus, memory, disk = rng.choice(BAREMETAL_SIZES)
    properties: dict[str, str | int] = {"cpu_arch": "x86_64", "cpus": cpus, "memory_mb": memory, "disk_gb": disk}
    return {"nodes": 1}, properties, {"HW_CPU_X86_AVX2", "SSD"}


def _block_storage(rng: random.Random) -> Made:
    media, capacity, iops = rng.choice(STORAGE_SIZES)
    traits = {"HDD"} if media == "hdd" else {"SSD"}
    return {"capacity_gb": capacity, "iops": iops}, {"backend": "ceph", "media": media}, traits


def _network(rng: random.Random) -> Made:
    addresses, bandwidth = rng.choice(NETWORK_SIZES)
    network = f"physnet{rng.randint(1, 3)}"
    return {"ipv4_addresses": addresses, "bandwidth_mbps": bandwidth}, {"physical_network": network}, set()

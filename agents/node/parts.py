"""What a host has that is claimed beside it: its NUMA nodes, and PCI devices such as GPUs, read from sysfs.

The portal keeps each as a child of the host's provider (docs/agent.md), found again by its slot.
"""

from __future__ import annotations

import re
from pathlib import Path

from agents.protocol import NUMA_NODE, PCI_DEVICE, Part

SYS = Path("/sys")
KIB_PER_MIB = 1024
MOST_PARTS = 64
"""As many as the portal takes; a host that has more keeps the rest to itself."""


def measure_parts(kinds: tuple[str, ...], pci_classes: tuple[str, ...], sys: Path) -> tuple[Part, ...]:
    """In order of their slots. `pci_classes`: the first digits of the classes that are wanted, such as "03"."""
    nodes = numa_nodes(sys) if "numa" in kinds else ()
    devices = pci_devices(sys, pci_classes) if "pci" in kinds else ()
    return (*nodes, *devices)[:MOST_PARTS]


def numa_nodes(sys: Path) -> tuple[Part, ...]:
    """None where there is one: it would be the host itself again."""
    directories = sorted((sys / "devices/system/node").glob("node[0-9]*"), key=lambda path: int(path.name[4:]))
    if len(directories) < 2:
        return ()
    return tuple(
        Part(
            slot=f"numa{path.name[4:]}",
            resource_class=NUMA_NODE,
            totals={"cpus": _count(_read(path / "cpulist")), "memory_mb": _memory_mb(_read(path / "meminfo"))},
        )
        for path in directories
    )


def pci_devices(sys: Path, classes: tuple[str, ...]) -> tuple[Part, ...]:
    """Not the console's own display, and not a device that is given away as its virtual functions."""
    found: list[Part] = []
    for path in sorted((sys / "bus/pci/devices").glob("*")):
        device_class = _hexadecimal(path / "class")[:4]
        is_wanted = any(device_class.startswith(one) for one in classes)
        if not is_wanted or _read(path / "boot_vga") == "1" or _read(path / "sriov_numvfs") not in ("", "0"):
            continue
        properties: dict[str, object] = {
            "vendor": _hexadecimal(path / "vendor"),
            "product": _hexadecimal(path / "device"),
            "device_class": device_class,
        }
        node = _read(path / "numa_node")
        if node.isdecimal():  # -1: there is one node, or the firmware does not say
            properties["numa_node"] = int(node)
        known = {name: value for name, value in properties.items() if value != ""}
        found.append(Part(path.name, PCI_DEVICE, {"devices": 1}, known))
    return tuple(found)


def _count(cpulist: str) -> int:
    """`0-3,8` is five; a node of memory alone has an empty list."""
    ranges = [one.partition("-") for one in cpulist.split(",") if one]
    return sum(int(last or first) - int(first) + 1 for first, _, last in ranges)


def _memory_mb(meminfo: str) -> int:
    found = re.search(r"MemTotal:\s*(\d+) kB", meminfo)
    return int(found[1]) // KIB_PER_MIB if found else 0


def _hexadecimal(path: Path) -> str:
    """`0x10de` as `10de`."""
    return _read(path).removeprefix("0x").lower()


def _read(path: Path) -> str:
    """Empty when it cannot be read: not every device has every file."""
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""

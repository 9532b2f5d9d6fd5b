"""A /sys of a test's own, with as much in it as an agent reads."""

from __future__ import annotations

from pathlib import Path


def make_node(root: Path, number: int, cpulist: str, memory_mb: int) -> None:
    node = root / f"devices/system/node/node{number}"
    node.mkdir(parents=True)
    (node / "cpulist").write_text(f"{cpulist}\n")
    (node / "meminfo").write_text(f"Node {number} MemTotal:       {memory_mb * 1024} kB\nNode {number} MemFree: 5 kB\n")


def make_device(root: Path, address: str, device_class: str, **files: str) -> None:
    device = root / "bus/pci/devices" / address
    device.mkdir(parents=True)
    (device / "class").write_text(f"0x{device_class}\n")
    for name, text in files.items():
        (device / name).write_text(f"0x{text}\n" if name in ("vendor", "device") else f"{text}\n")

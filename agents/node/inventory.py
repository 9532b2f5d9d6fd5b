"""What a host has, asked from the host itself: totals, architecture, and what its CPU can do."""

from __future__ import annotations

import platform
from dataclasses import replace
from pathlib import Path

import psutil

from agents.node import parts
from agents.node.fields import ConfigurationError
from agents.node.provider_configuration import Measured, ProviderConfiguration
from agents.protocol import Report

MEBIBYTE = 2**20
GIBIBYTE = 2**30

CPU_TRAITS = {
    "aes": "HW_CPU_X86_AESNI",
    "avx": "HW_CPU_X86_AVX",
    "avx2": "HW_CPU_X86_AVX2",
    "avx512f": "HW_CPU_X86_AVX512F",
    "bmi1": "HW_CPU_X86_BMI",
    "bmi2": "HW_CPU_X86_BMI2",
    "f16c": "HW_CPU_X86_F16C",
    "fma": "HW_CPU_X86_FMA3",
    "pclmulqdq": "HW_CPU_X86_CLMUL",
    "sha_ni": "HW_CPU_X86_SHA",
    "sse4_1": "HW_CPU_X86_SSE41",
    "sse4_2": "HW_CPU_X86_SSE42",
    "svm": "HW_CPU_X86_SVM",
    "vmx": "HW_CPU_X86_VMX",
}
"""Kernel flag -> trait, spelt as os-traits spells it, so that requests written for other clouds mean the same here."""

MEASURABLE = ("compute", "baremetal")


def check_measurable(provider: ProviderConfiguration) -> None:
    if isinstance(provider.inventory, Measured) and provider.resource_class not in MEASURABLE:
        raise ConfigurationError(
            f"{provider.name}: inventory: only {' and '.join(MEASURABLE)} can be measured, "
            f"give a {provider.resource_class} provider its totals"
        )


def inventory_of(provider: ProviderConfiguration, disk: Path) -> Report:
    """`disk` is a path on the file system that instances are kept on. A bare machine has no parts: it is given away
    whole."""
    wanted = provider.inventory
    if isinstance(wanted, Report):
        return wanted
    is_whole = provider.resource_class == "baremetal"
    measured = measure_baremetal(disk) if is_whole else measure_compute(disk)
    traits = tuple(sorted({*measured.traits, *wanted.traits}))
    if is_whole or not wanted.parts:
        return replace(measured, traits=traits)
    found = parts.measure_parts(wanted.parts, wanted.pci_classes, parts.SYS)
    return replace(measured, traits=traits, parts=found, has_parts=True)


def measure_compute(disk: Path) -> Report:
    totals = {"vcpus": _cpus(), "memory_mb": _memory_mb(), "disk_gb": _disk_gb(disk)}
    return Report(totals, {"cpu_arch": platform.machine()}, cpu_traits())


def measure_baremetal(disk: Path) -> Report:
    """A bare machine is given away whole, so what it has are properties and its amount is always one node."""
    properties: dict[str, object] = {
        "cpu_arch": platform.machine(),
        "cpus": _cpus(),
        "memory_mb": _memory_mb(),
        "disk_gb": _disk_gb(disk),
    }
    return Report({"nodes": 1}, properties, cpu_traits())


def cpu_traits(cpuinfo: Path = Path("/proc/cpuinfo")) -> tuple[str, ...]:
    """Sorted; empty where there is no such file or the CPU is no x86."""
    try:
        lines = cpuinfo.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return ()
    flags = next((line.partition(":")[2].split() for line in lines if line.startswith("flags")), [])
    return tuple(sorted(CPU_TRAITS[flag] for flag in set(flags) & CPU_TRAITS.keys()))


def _cpus() -> int:
    return psutil.cpu_count(logical=True) or 1


def _memory_mb() -> int:
    return int(psutil.virtual_memory().total // MEBIBYTE)


def _disk_gb(disk: Path) -> int:
    return int(psutil.disk_usage(str(disk)).total // GIBIBYTE)

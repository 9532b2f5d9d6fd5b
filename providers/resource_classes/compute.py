"""Hosts that run instances."""

from providers.resource_classes.kind import ResourceClass, amount, text_property

COMPUTE = ResourceClass(
    "compute",
    (
        amount("vcpus", "vCPU"),
        amount("memory_mb", "MiB"),
        amount("disk_gb", "GiB"),
        text_property("cpu_arch"),
        text_property("hypervisor"),
    ),
)

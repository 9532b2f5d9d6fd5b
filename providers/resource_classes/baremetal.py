"""Whole machines: one claim takes the node, so what it has inside are properties, not amounts."""

from providers.resource_classes.kind import ResourceClass, amount, integer_property, text_property

BAREMETAL = ResourceClass(
    "baremetal",
    (
        amount("nodes", "node"),
        text_property("cpu_arch"),
        integer_property("cpus", "CPU"),
        integer_property("memory_mb", "MiB"),
        integer_property("disk_gb", "GiB"),
    ),
    indivisible=True,
)

"""Pools of volumes."""

from providers.resource_classes.kind import ResourceClass, amount, text_property

BLOCK_STORAGE = ResourceClass(
    "block_storage",
    (
        amount("capacity_gb", "GiB"),
        amount("iops", "operations/s"),
        text_property("backend"),
        text_property("media"),
    ),
)

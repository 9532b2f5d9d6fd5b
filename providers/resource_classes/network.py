"""Networks with addresses and bandwidth. A busy one is one hot partition: register it as several roots."""

from providers.resource_classes.kind import ResourceClass, amount, text_property

NETWORK = ResourceClass(
    "network",
    (
        amount("ipv4_addresses", "address"),
        amount("bandwidth_mbps", "Mbit/s"),
        text_property("physical_network"),
    ),
)

"""The admin of supply, where Django looks for it: one module an entry, all through the domain functions."""

from providers.aggregate_admin import AggregateAdmin
from providers.cell_admin import CellAdmin
from providers.class_admin import ResourceClassAdmin
from providers.event_admin import EventAdmin
from providers.heartbeat_admin import HeartbeatAdmin
from providers.provider_admin import OwnClassProviderAdmin, ProviderAdmin

__all__ = [
    "AggregateAdmin",
    "CellAdmin",
    "EventAdmin",
    "HeartbeatAdmin",
    "OwnClassProviderAdmin",
    "ProviderAdmin",
    "ResourceClassAdmin",
]

"""The admin of supply, where Django looks for it: one module an entry, all through the domain functions. Providers
themselves are registered in api/provider_admin.py."""

from providers.aggregate_admin import AggregateAdmin
from providers.cell_admin import CellAdmin
from providers.class_admin import ResourceClassAdmin
from providers.event_admin import EventAdmin
from providers.heartbeat_admin import HeartbeatAdmin
from providers.maintenance_admin import MaintenanceAdmin

__all__ = [
    "AggregateAdmin",
    "CellAdmin",
    "EventAdmin",
    "HeartbeatAdmin",
    "MaintenanceAdmin",
    "ResourceClassAdmin",
]

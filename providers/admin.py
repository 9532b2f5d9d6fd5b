"""The admin of supply, where Django looks for it: one module an entry, all through the domain functions."""

from providers.cell_admin import CellAdmin
from providers.class_admin import ResourceClassAdmin
from providers.provider_admin import OwnClassProviderAdmin, ProviderAdmin

__all__ = ["CellAdmin", "OwnClassProviderAdmin", "ProviderAdmin", "ResourceClassAdmin"]

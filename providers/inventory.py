"""Amounts a provider brings: totals, what is kept back, and overcommitment; the arithmetic of effective capacity."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from providers.refusals import Invalid
from providers.resource_classes.kind import INTEGER, ResourceClass
from scheduler.types import PropertyValue

LARGEST = 2**53 - 1  # what JSON numbers carry exactly


@dataclass(frozen=True, slots=True)
class Inventory:
    """One amount of a provider, in the column's unit: total and reserved are whole numbers, the ratio is above zero."""

    total: int
    reserved: int = 0
    allocation_ratio: float = 1.0

    @property
    def effective(self) -> int:
        """total x ratio - reserved, rounded down (the API's contract says this order; see docs/adr/0003)."""
        # Decimal, since 100 x 1.15 is 114.99999999999999 in binary.
        return int(Decimal(self.total) * Decimal(str(self.allocation_ratio))) - self.reserved


def check_inventory(of_class: ResourceClass, inventory: Mapping[str, Inventory]) -> None:
    """Raises Invalid."""
    for name, one in inventory.items():
        where = f"inventory.{name}"
        if name not in of_class.amounts:
            raise Invalid(where, f"is not an amount of {of_class.name}: {', '.join(of_class.amounts)}")
        if not 0 <= one.total <= LARGEST or not 0 <= one.reserved <= LARGEST:
            raise Invalid(where, f"total and reserved must be 0 to {LARGEST}")
        if not 0 < one.allocation_ratio <= 1000:
            raise Invalid(f"{where}.allocation_ratio", "must be above 0 and 1000 at the most")
        if not 0 <= one.effective <= LARGEST:
            raise Invalid(where, f"total x allocation_ratio - reserved must be 0 to {LARGEST}, but is {one.effective}")
        if of_class.indivisible and one.effective not in (0, 1):
            raise Invalid(
                where, f"a {of_class.name} provider is indivisible: {name} is 1 (or 0 when nothing is for sale)"
            )


def check_properties(
    of_class: ResourceClass, properties: Mapping[str, PropertyValue], where: str = "properties"
) -> None:
    """Raises Invalid."""
    for name, value in properties.items():
        column = of_class.properties.get(name)
        if column is None:
            known = ", ".join(of_class.properties) or "it has none"
            raise Invalid(f"{where}.{name}", f"is not a property of {of_class.name}: {known}")
        if column.type == INTEGER:
            if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= LARGEST:
                raise Invalid(f"{where}.{name}", f"must be a whole number from 0 to {LARGEST}")
        elif not isinstance(value, str) or not 1 <= len(value) <= 255 or not value.isprintable():
            raise Invalid(f"{where}.{name}", "must be a text of 1-255 characters without control characters")

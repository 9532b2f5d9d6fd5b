"""What a host's agent says its host has beside itself, NUMA nodes and PCI devices, kept as children of its provider.

A part is found again by its slot: its id is made of the host's and that. One that an operator removed stays removed,
since ids are never reused, and one that is not reported any more is left with nothing to sell.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID, uuid5

from providers import own_class
from providers.change import report
from providers.heartbeat import ALWAYS
from providers.inventory import Inventory
from providers.records import OwnRow, Tree, read_provider
from providers.refusals import Conflict, Invalid, NotFound
from providers.register import NewProvider, register
from providers.resource_classes.kind import Column, amount, integer_property, text_property
from providers.resource_classes.registry import resource_class
from scheduler.types import PropertyValue

SLOT = "slot"
# Classes of the portal's making: an agent may speak of these, and none of it makes a class of its own.
CLASSES: Mapping[str, tuple[Column, ...]] = {
    "numa_node": (amount("cpus", "CPU"), amount("memory_mb", "MiB"), text_property(SLOT)),
    "pci_device": (
        amount("devices", "device"),
        text_property(SLOT),
        text_property("vendor"),
        text_property("product"),
        text_property("device_class"),
        integer_property("numa_node", ""),
    ),
}


@dataclass(frozen=True, slots=True)
class Part:
    """`slot` names its place in the host, such as `numa0` or a PCI address."""

    slot: str
    resource_class: str
    totals: Mapping[str, int]
    properties: Mapping[str, PropertyValue] = field(default_factory=dict)
    traits: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Said:
    """What became of a part that was reported: its provider, or why there is none (`refused`)."""

    slot: str
    provider_id: UUID
    refused: str = ""


def report_parts(host_id: UUID, parts: Sequence[Part]) -> list[Said]:
    """All the parts that a host has, said by its agent. Nothing is written when nothing changed.

    Raises NotFound, Invalid (a part that no host can have), Busy, Undecided.
    """
    _check(parts)
    tree, host = read_provider(host_id)
    said = [_keep(tree, host, part) for part in parts]
    slots = {part.slot for part in parts}
    for child in tree.providers.values():
        if _is_part(host, child) and child.resource_class.properties_of(child.row)[SLOT] not in slots:
            report(child.id, dict.fromkeys(child.totals, 0), {}, None)
    return said


def part_id(host_id: UUID, slot: str) -> UUID:
    return uuid5(host_id, f"part:{slot}")


def _check(parts: Sequence[Part]) -> None:
    for number, part in enumerate(parts):
        where = f"children.{number}"
        if part.resource_class not in CLASSES:
            raise Invalid(f"{where}.resource_class", f"must be one of {', '.join(CLASSES)}")
        columns = {column.name: column for column in CLASSES[part.resource_class]}
        for name in part.totals:
            if columns.get(name) is None or columns[name].kind != "amount":
                raise Invalid(f"{where}.totals.{name}", f"is not an amount of {part.resource_class}")
        for name in part.properties:
            if columns.get(name) is None or columns[name].kind != "property" or name == SLOT:
                raise Invalid(f"{where}.properties.{name}", f"is not a property of {part.resource_class}")
    if len({part.slot for part in parts}) < len(parts):
        raise Invalid("children", "the same slot twice")


def _keep(tree: Tree, host: OwnRow, part: Part) -> Said:
    """Registers the part, or reports it where it is. Another part in the same slot, of another class, is refused."""
    provider_id = part_id(host.id, part.slot)
    properties = {**part.properties, SLOT: part.slot}
    child = tree.providers.get(provider_id)
    try:
        if child is None:
            _class_of(part)
            register(_new(host, part, provider_id, properties))
        elif child.row["resource_class"] != part.resource_class:
            return Said(part.slot, provider_id, f"this slot is a {child.row['resource_class']}: remove that first")
        else:
            report(provider_id, part.totals, properties, part.traits or None)
    except Conflict as conflict:
        return Said(part.slot, provider_id, str(conflict))
    return Said(part.slot, provider_id)


def _class_of(part: Part) -> None:
    """Makes it if it is the first. Raises Conflict when an operator has a class of this name that is another."""
    columns = CLASSES[part.resource_class]
    try:
        found = resource_class(part.resource_class)
    except NotFound:
        found = own_class.create(part.resource_class, columns)
    if found.columns != columns:
        raise Conflict(f"resource class {part.resource_class} has other columns than an agent reports")


def _new(host: OwnRow, part: Part, provider_id: UUID, properties: Mapping[str, PropertyValue]) -> NewProvider:
    """Without a heartbeat of its own: a claim on it follows its request, as the host's own part of it goes."""
    return NewProvider(
        name=f"{host.row['name']}-{part.slot}"[:255],
        cell=host.row["cell"],
        resource_class=part.resource_class,
        inventory={name: Inventory(total) for name, total in part.totals.items()},
        id=provider_id,
        parent=host.id,
        properties=properties,
        traits=part.traits,
        rack=host.row["rack"] or "",
        zone=host.row["zone"] or "",
        heartbeat=ALWAYS,
    )


def _is_part(host: OwnRow, child: OwnRow) -> bool:
    """Whether an agent's report made it, and not an operator."""
    slot = child.resource_class.properties_of(child.row).get(SLOT)
    return isinstance(slot, str) and child.row["parent_id"] == host.id and child.id == part_id(host.id, slot)

"""A provider comes: lookups first (plain rows, false positives at worst), then its own row by transaction, then its
projection, so that the next request sees it."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from events.types import PROVIDER_CREATED, PROVIDER_REPAIRED, News
from providers import cells
from providers.inventory import Inventory, check_inventory, check_properties
from providers.own_row import Key, insert
from providers.records import Location, OwnRow, Tree, locate, location_of, read_tree
from providers.refusals import Conflict, Invalid, NotFound
from providers.resource_classes import custom
from providers.resource_classes.kind import ResourceClass
from providers.resource_classes.registry import resource_class
from providers.shards import open_shard
from providers.unprojected import project_location, put_on, take_off
from scheduler.types import PropertyValue
from store.home import Home
from store.lwt import Refused
from store.session import keyspace, read, write_many

ENABLED, DISABLED, DRAINING = "enabled", "disabled", "draining"
STATES = (ENABLED, DISABLED, DRAINING)
HEARTBEATS = ("agent", "none")


@dataclass(frozen=True, slots=True)
class NewProvider:
    """What is known of a provider when it is registered. Amounts that are not named are 0 (bare metal: 1 node)."""

    name: str
    cell: str
    resource_class: str
    inventory: Mapping[str, Inventory] = field(default_factory=dict)
    id: UUID | None = None
    parent: UUID | None = None
    state: str = "enabled"
    state_reason: str = ""
    properties: Mapping[str, PropertyValue] = field(default_factory=dict)
    traits: frozenset[str] = frozenset()
    aggregates: frozenset[str] = frozenset()
    rack: str = ""
    zone: str = ""
    heartbeat: str = "agent"


def register(new: NewProvider) -> tuple[Tree, OwnRow]:
    """Makes the provider. Raises Invalid (also: unknown cell, class, parent), Conflict (the id was used), Undecided."""
    of_class = _class_of(new)
    home = _home_of(new)
    check_inventory(of_class, new.inventory)
    check_properties(of_class, new.properties)
    provider_id = new.id or uuid4()
    root_id = _root_of(new, home, provider_id)
    located = _located(provider_id) if new.id else None
    location = located or Location(provider_id, root_id, home, of_class.name, open_shard(home, of_class.name))
    if location != Location(provider_id, root_id, home, of_class.name, location.shard):
        raise Conflict(f"{provider_id} is in use elsewhere: ids are never reused")
    _write_lookups(new, location)
    _refuse_if_gone(of_class, location)
    outcome = insert(Key(home, root_id, provider_id), own_columns(new, of_class, location.shard))
    if isinstance(outcome, Refused):
        _refuse(new, location)
    tree = project_location(location, News(PROVIDER_CREATED, provider_id))
    return tree, tree.providers[provider_id]


def own_columns(new: NewProvider, of_class: ResourceClass, shard: int) -> dict[str, Any]:
    """The columns of a new own row. Every amount is initialised: arithmetic on NULL applies and writes nothing."""
    inventory = {name: new.inventory.get(name, _unnamed(of_class)) for name in of_class.amounts}
    columns: dict[str, Any] = {
        "kind": "provider",
        "cell": new.cell,
        "resource_class": of_class.name,
        "shard": shard,
        "name": new.name,
        "parent_id": new.parent,
        "state": new.state,
        "state_reason": new.state_reason,
        "state_version": 1,
        "traits": sorted(new.traits),
        "aggregates": sorted(new.aggregates),
        "rack": new.rack,
        "zone": new.zone,
        "heartbeat": new.heartbeat,
        "created_at": dt.datetime.now(dt.UTC),
    }
    columns.update(amount_columns(of_class, inventory))
    columns.update(property_columns(of_class, new.properties))
    for prefix in ("", "available_"):
        if not of_class.custom:
            columns.update({f"{prefix}{name}": one.effective for name, one in inventory.items()})
    if of_class.custom:
        effective = {name: one.effective for name, one in inventory.items()}
        columns.update({"own_amounts": effective, "own_available": effective})
    return columns


def amount_columns(of_class: ResourceClass, inventory: Mapping[str, Inventory]) -> dict[str, Any]:
    """Totals, reserved and ratios as columns (an operator's own class: as maps, of all its amounts)."""
    if of_class.custom:
        return {
            "own_total": {name: one.total for name, one in inventory.items()},
            "own_reserved": {name: one.reserved for name, one in inventory.items()},
            "own_ratio": {name: one.allocation_ratio for name, one in inventory.items()},
        }
    columns: dict[str, Any] = {}
    for name, one in inventory.items():
        columns |= {f"total_{name}": one.total, f"reserved_{name}": one.reserved, f"ratio_{name}": one.allocation_ratio}
    return columns


def property_columns(of_class: ResourceClass, properties: Mapping[str, PropertyValue]) -> dict[str, Any]:
    if of_class.custom:
        return {"own_properties": {name: str(value) for name, value in properties.items()}}
    return {f"prop_{name}": properties.get(name) for name in of_class.properties}


def _unnamed(of_class: ResourceClass) -> Inventory:
    return Inventory(1 if of_class.indivisible else 0)


def _class_of(new: NewProvider) -> ResourceClass:
    try:
        return resource_class(new.resource_class)
    except NotFound as error:
        raise Invalid("resource_class", str(error)) from error


def _home_of(new: NewProvider) -> Home:
    try:
        return cells.find(new.cell).home
    except NotFound as error:
        raise Invalid("cell", str(error)) from error


def _refuse_if_gone(of_class: ResourceClass, location: Location) -> None:
    """Raises Invalid when the class was deleted (or made anew) since it was read; see providers/own_class.py."""
    if of_class.custom:
        now = custom.load_now(of_class.name)
        if now is None or now.closed or now != of_class:
            take_off(location)
            raise Invalid("resource_class", f"no resource class {of_class.name} any more")


def _root_of(new: NewProvider, home: Home, provider_id: UUID) -> UUID:
    if new.parent is None:
        return provider_id
    try:
        parent = locate(new.parent)
    except NotFound as error:
        raise Invalid("parent", str(error)) from error
    if parent.home != home:
        raise Invalid("parent", f"is in cell {parent.home.cell}: a tree lives in one cell")
    if new.parent not in read_tree(home, parent.root_id).providers:
        raise Invalid("parent", f"no provider {new.parent}")
    return parent.root_id


def _located(provider_id: UUID) -> Location | None:
    """Where a registration that died put this id, if one did; the same place is used again. Raises Conflict when the id
    was a provider once."""
    rows = read(f"SELECT * FROM {keyspace()}.providers_by_id WHERE provider_id = ?", [provider_id])
    if rows and rows[0]["removed"]:
        raise Conflict(f"{provider_id} was a provider once: ids are never reused")
    return location_of(rows[0]) if rows else None


def _write_lookups(new: NewProvider, location: Location) -> None:
    home = location.home
    write_many(
        [
            (
                f"INSERT INTO {keyspace()}.providers_by_id "
                "(provider_id, root_id, cell, datacenter, resource_class, shard) VALUES (?, ?, ?, ?, ?, ?)",
                [
                    *(location.provider_id, location.root_id, home.cell),
                    *(home.datacenter, location.resource_class, location.shard),
                ],
            ),
            (
                f"INSERT INTO {keyspace()}.providers_by_name (name, provider_id, cell) VALUES (?, ?, ?)",
                [new.name, location.provider_id, home.cell],
            ),
        ]
    )
    put_on(location)


def _refuse(new: NewProvider, location: Location) -> None:
    tree = project_location(
        location, News(PROVIDER_REPAIRED, location.provider_id)
    )  # the registration that made it may have died before it did
    if location.provider_id in tree.providers:
        raise Conflict(f"provider {location.provider_id} exists")
    if new.parent is not None:
        raise Conflict(f"parent {new.parent} was removed meanwhile")
    raise Conflict(f"{location.provider_id} was a provider once: ids are never reused")

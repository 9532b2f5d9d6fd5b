"""A provider changes: by an operator (PATCH, admin) or by what its agent reports. Never overwrites a newer state."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from events.types import PROVIDER_CHANGED, News
from providers.history import INVENTORY, STATE, in_words, remember
from providers.image import image_of
from providers.inventory import Inventory, check_inventory, check_properties
from providers.own_row import Key, update
from providers.projection import project_now
from providers.records import OwnRow, Tree, read_provider
from providers.refusals import Busy, Conflict, Invalid, NotFound
from providers.register import ENABLED, amount_columns, property_columns
from providers.subtree import count, on_subtree
from scheduler.types import PropertyValue
from store.lwt import Applied
from store.session import keyspace, write, write_many

TRIES = 8


@dataclass(frozen=True, slots=True)
class Changes:
    """Columns to set (`name`, `state`, `state_reason`, `traits`, `aggregates`, `rack`, `zone`, `heartbeat`), and whole
    inventories and properties by name; what is not named stays as it is."""

    columns: Mapping[str, Any]
    inventory: Mapping[str, Inventory]
    properties: Mapping[str, PropertyValue]


def change(provider_id: UUID, state_version: int, changes: Changes, who: str = "") -> tuple[Tree, OwnRow]:
    """Applies the changes if the provider is still as it was when they were decided; `who` is for its history.

    Raises NotFound, Invalid, Conflict (state_version is stale; carries the current provider), Undecided.
    """
    for _ in range(TRIES):
        tree, own = read_provider(provider_id)
        if own.state_version != state_version:
            break
        if _apply(tree, own, changes):
            after = _told(tree, own, changes)
            _remember(own, changes, who, after[0])
            return after
    tree, own = read_provider(provider_id)
    raise Conflict(
        f"state_version {state_version} is stale: it is {own.state_version} now; read the provider again and repeat",
        image_of(tree, own),
    )


def report(
    provider_id: UUID,
    totals: Mapping[str, int],
    properties: Mapping[str, PropertyValue],
    traits: frozenset[str] | None,
) -> tuple[Tree, OwnRow]:
    """What the host has, said by its agent: totals, properties, traits; nothing is written when nothing changed.

    Reserved amounts and ratios are the operator's and stay. Raises NotFound, Invalid, Busy, Undecided.
    """
    for _ in range(TRIES):
        tree, own = read_provider(provider_id)
        changes = _reported(own, totals, properties, traits)
        if changes is None:
            return tree, own
        if _apply(tree, own, changes):
            return _told(tree, own, changes)
    raise Busy(f"provider {provider_id} is being changed by others all the time; repeat")


def _reported(
    own: OwnRow, totals: Mapping[str, int], properties: Mapping[str, PropertyValue], traits: frozenset[str] | None
) -> Changes | None:
    of_class = own.resource_class
    unknown = [name for name in totals if name not in of_class.amounts]
    if unknown:
        raise Invalid(f"totals.{unknown[0]}", f"is not an amount of {of_class.name}: {', '.join(of_class.amounts)}")
    current = inventory_of(own)
    inventory = {
        name: Inventory(total, current[name].reserved, current[name].allocation_ratio)
        for name, total in totals.items()
        if total != current[name].total
    }
    has = of_class.properties_of(own.row)
    changed = {name: value for name, value in properties.items() if has.get(name) != value}
    columns = {} if traits is None or traits == frozenset(own.row["traits"] or ()) else {"traits": sorted(traits)}
    if not inventory and not changed and not columns:
        return None
    return Changes(columns, inventory, changed)


def inventory_of(own: OwnRow) -> dict[str, Inventory]:
    totals, reserved, ratios = own.totals, own.reserved, own.ratios
    return {name: Inventory(totals[name], reserved.get(name, 0), ratios.get(name, 1.0)) for name in totals}


def _apply(tree: Tree, own: OwnRow, changes: Changes) -> bool:
    of_class = own.resource_class
    current = inventory_of(own)
    check_inventory(of_class, {n: one for n, one in changes.inventory.items() if not _is_short(current.get(n), one)})
    check_properties(of_class, changes.properties)
    adds = {name: one.effective - current[name].effective for name, one in changes.inventory.items()}
    sets = dict(changes.columns)
    if changes.properties:
        sets |= property_columns(of_class, {**of_class.properties_of(own.row), **changes.properties})
    generation = None
    if of_class.custom:
        # Map entries have no arithmetic: the new sums are computed here, and hold only for the generation read.
        sets |= amount_columns(of_class, {**current, **changes.inventory})
        sets["own_amounts"] = {n: v + adds.get(n, 0) for n, v in own.amounts.items()}
        sets["own_available"] = {n: v + adds.get(n, 0) for n, v in own.available.items()}
        generation, adds = tree.generation, {}
    else:
        sets |= amount_columns(of_class, changes.inventory)
        adds = {f"{prefix}{n}": d for n, d in adds.items() for prefix in ("", "available_")}
    key = Key(tree.home, tree.root_id, own.id)
    return isinstance(update(key, own.state_version, sets, adds, generation), Applied)


def _is_short(now: Inventory | None, new: Inventory) -> bool:
    """A host that has less than the operator reserved is reported all the same: it goes negative, is shown so, and gets
    nothing more."""
    kept = now is not None and (new.reserved, new.allocation_ratio) == (now.reserved, now.allocation_ratio)
    return kept and new.total >= 0 and new.effective < 0


def _told(tree: Tree, own: OwnRow, changes: Changes) -> tuple[Tree, OwnRow]:
    if changes.columns.get("name", own.row["name"]) != own.row["name"]:
        _rename(own, changes.columns["name"])
    what = sorted([*changes.columns, *changes.inventory, *changes.properties])
    after = project_now(tree.home, tree.root_id, News(PROVIDER_CHANGED, own.id, data={"changed": what}))
    if own.id not in after.providers:
        raise NotFound(f"no provider {own.id}: it was removed meanwhile")
    return after, after.providers[own.id]


def _remember(own: OwnRow, changes: Changes, who: str, after: Tree) -> None:
    """After the fact, in the provider's history: its state with the reason, and its amounts."""
    state, reason = own.row["state"], own.row["state_reason"] or ""
    now = changes.columns.get("state", state)
    why = changes.columns.get("state_reason", reason)
    if (now, why) != (state, reason):
        stops = now != ENABLED and now != state
        on_it = count(on_subtree(after, own.id)) if stops else None
        remember(after.home, own.id, who, STATE, state, now, why, on_it)
    before = inventory_of(own)
    for name, one in changes.inventory.items():
        if one != before.get(name):
            texts = (f"{name} {in_words(before.get(name))}", f"{name} {in_words(one)}")
            remember(after.home, own.id, who, INVENTORY, *texts)


def _rename(own: OwnRow, name: str) -> None:
    insert = f"INSERT INTO {keyspace()}.providers_by_name (name, provider_id, cell) VALUES (?, ?, ?)"
    write_many([(insert, [name, own.id, own.row["cell"]])])
    write(f"DELETE FROM {keyspace()}.providers_by_name WHERE name = ? AND provider_id = ?", [own.row["name"], own.id])

"""A provider, as it is created, changed, and reported by its agent."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from api.fields import LABEL, Fields
from providers.change import Changes
from providers.inventory import Inventory
from providers.parts import Part
from providers.register import ENABLED, HEARTBEATS, STATES, NewProvider
from scheduler.types import PropertyValue

IMMUTABLE = ("id", "cell", "resource_class", "parent")
SERVICE = frozenset({"state", "state_reason", "state_version"})  # all that an operator may change
RATIO = 1000.0
MOST_PARTS = 64  # of one host


@dataclass(frozen=True, slots=True)
class Report:
    """What an agent says its host has; None and empty: not said."""

    totals: Mapping[str, int]
    properties: Mapping[str, PropertyValue]
    traits: frozenset[str] | None
    parts: tuple[Part, ...] = ()
    has_parts: bool = False


def new_provider(body: Fields, says_why: bool) -> NewProvider:
    """`says_why`: since 1.2 a provider that is disabled or draining has a reason."""
    rack, zone = _failure_domain(body)
    found = NewProvider(
        name=body.label("name"),
        cell=body.label("cell"),
        resource_class=body.label("resource_class"),
        inventory=_new_inventory(body),
        id=body.uuid("id", None),
        parent=body.uuid("parent", None),
        state=body.choice("state", STATES, "enabled"),
        state_reason=body.label("state_reason", "", least=0),
        properties=_properties(body),
        traits=body.labels("traits"),
        aggregates=body.labels("aggregates"),
        rack=rack or "",
        zone=zone or "",
        heartbeat=body.choice("heartbeat", HEARTBEATS, "agent"),
    )
    if says_why and found.state != ENABLED:
        _demand_reason(body, found.state, found.state_reason)
    body.done()
    return found


def provider_change(body: Fields, current: Mapping[str, Inventory], state: str, says_why: bool) -> tuple[int, Changes]:
    """The state_version it was based on, and the changes. `current` fills what an inventory entry leaves out; `state`
    is the provider's. `says_why`: since 1.2 who disables, drains or enables says why."""
    for name in IMMUTABLE:
        if name in body:
            body.take(name)
            body.wrong(name, "cannot be changed")
    if "amounts" in body:
        body.take("amounts")
        body.wrong("amounts", "is the provider's record: change `inventory`")
    state_version = body.whole("state_version", least=1)
    columns = _columns(body)
    after = columns.get("state", state)
    if says_why and ("state" in columns or "state_reason" in columns) and (after, state) != (ENABLED, ENABLED):
        _demand_reason(body, after, columns.get("state_reason", ""))
    changes = Changes(columns, _inventory(body, current), _properties(body))
    if not (changes.columns or changes.inventory or changes.properties):
        body.wrong("", "names nothing to change")
    body.done()
    return state_version, changes


def _demand_reason(body: Fields, state: str, reason: str) -> None:
    is_noted = any(one.field == "state_reason" for one in body.errors)
    if state in STATES and not reason.strip() and not is_noted:
        body.wrong("state_reason", f"is required: say why it is {state}")


def drains_only(body: Fields) -> bool:
    """Whether a change is one that an operator may make: taking a provider out of service or back."""
    return set(body.names()) <= SERVICE


def report(body: Fields, since_1_2: bool) -> Report:
    """Totals may also come as an inventory: `{"vcpus": {"total": 64}}`. Since 1.2 with the host's parts."""
    totals = dict(body.wholes("totals", None))
    inventory = body.section("inventory", None)
    if inventory is not None:
        for name in inventory.labelled():
            entry = inventory.section(name)
            if entry is not None:
                totals[name] = entry.whole("total")
                entry.end()
    traits = body.labels("traits") if "traits" in body else None
    has_parts = since_1_2 and "children" in body
    parts = tuple(_part(one) for one in body.sections("children", MOST_PARTS, least=0)) if has_parts else ()
    found = Report(totals, _properties(body), traits, parts, has_parts)
    body.done()
    return found


def _part(body: Fields) -> Part:
    part = Part(
        slot=body.label("slot"),
        resource_class=body.label("resource_class"),
        totals=body.wholes("totals", None),
        properties=_properties(body),
        traits=body.labels("traits"),
    )
    body.end()
    return part


def _columns(body: Fields) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    if "name" in body:
        columns["name"] = body.label("name")
    if "state" in body:
        columns["state"] = body.choice("state", STATES)
    if "state_reason" in body:
        columns["state_reason"] = body.label("state_reason", least=0)
    if "heartbeat" in body:
        columns["heartbeat"] = body.choice("heartbeat", HEARTBEATS)
    for name in ("traits", "aggregates"):
        if name in body:
            columns[name] = sorted(body.labels(name))
    rack, zone = _failure_domain(body)
    columns |= {name: value for name, value in (("rack", rack), ("zone", zone)) if value is not None}
    return columns


def _failure_domain(body: Fields) -> tuple[str | None, str | None]:
    """Rack and zone; None: not said."""
    section = body.section("failure_domain", None)
    if section is None:
        return None, None
    found = section.label("rack", None, least=0), section.label("zone", None, least=0)
    section.end()
    return found


def _new_inventory(body: Fields) -> dict[str, Inventory]:
    """From `inventory`, or from its short form `amounts`."""
    if "amounts" in body and "inventory" in body:
        body.wrong("amounts", "is the short form of `inventory`: send one of them")
    amounts = {name: Inventory(total) for name, total in body.wholes("amounts", None).items()}
    return {**amounts, **_inventory(body, {})}


def _inventory(body: Fields, current: Mapping[str, Inventory]) -> dict[str, Inventory]:
    section = body.section("inventory", None)
    if section is None:
        return {}
    found = {}
    for name in section.labelled():
        entry = section.section(name)
        if entry is not None:
            found[name] = _entry(entry, current.get(name))
    return found


def _entry(entry: Fields, current: Inventory | None) -> Inventory:
    if current is None:
        made = Inventory(
            entry.whole("total"), entry.whole("reserved", 0), entry.number("allocation_ratio", 1.0, 0, RATIO)
        )
    else:
        made = Inventory(
            entry.whole("total", current.total),
            entry.whole("reserved", current.reserved),
            entry.number("allocation_ratio", current.allocation_ratio, 0, RATIO),
        )
    entry.end()
    return made


def _properties(body: Fields) -> dict[str, PropertyValue]:
    """Which names and types a class has is checked by the domain; here only that they can be one."""
    section = body.section("properties", None)
    if section is None:
        return {}
    found: dict[str, PropertyValue] = {}
    for name in section.labelled():
        value = section.take(name)
        if isinstance(value, str):
            found[name] = section.label(name, most=LABEL)
        else:
            found[name] = section.whole(name)
    return found

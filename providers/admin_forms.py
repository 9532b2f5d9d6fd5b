"""The forms of cells and providers, and what they become in the domain's words."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.contrib.admin import widgets

from providers import cells
from providers.admin_fields import (
    InventoryField,
    LabelsField,
    LinesField,
    choices,
    integer_field,
    label_field,
)
from providers.change import Changes
from providers.image import Image
from providers.inventory import Inventory
from providers.register import ENABLED, STATES, NewProvider
from providers.resource_classes.kind import AMOUNT, INTEGER, ResourceClass
from providers.resource_classes.registry import BUILT_IN, all_classes, known_class
from store.session import datacenters

PLAIN = ("name", "state", "state_reason", "heartbeat", "rack", "zone", "traits", "aggregates")


MATCHED = "Requests may ask for it, or for a condition on it. Empty: it has none."


class CellForm(forms.Form):
    """A cell; its name and data centre are for ever."""

    name = label_field("Name", help_text="Of one place of its own, such as a hall or a row. It never changes.")
    datacenter = forms.ChoiceField(label="Data centre", help_text="Where its records live. It never changes.")
    state = forms.ChoiceField(
        label="State",
        choices=choices((cells.ENABLED, cells.DISABLED)),
        help_text="Disabled: no new claims anywhere in it; what is there stays.",
    )
    description = label_field("Description", required=False, help_text="For people; nothing is decided by it.")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        own = self.initial.get("datacenter")
        widened = self.fields["datacenter"]
        assert isinstance(widened, forms.ChoiceField)
        widened.choices = choices(sorted({*datacenters(), *([own] if own else [])}))
        if self.initial:
            self.fields["name"].disabled = self.fields["datacenter"].disabled = True


class ProviderForm(forms.Form):
    """What every provider has; `provider_form` adds what its class has."""

    name = label_field("Name", help_text="One of its own in the cell; a host's own name is a good one.")
    cell = forms.ChoiceField(label="Cell", help_text="It never changes.")
    parent = forms.UUIDField(
        label="Parent",
        required=False,
        widget=widgets.AdminTextInputWidget,
        help_text="The id of the provider it is part of; empty for a root. It never changes.",
    )
    state = forms.ChoiceField(
        label="State", choices=choices(STATES), help_text="Draining: no new claims; what is there stays."
    )
    state_reason = label_field("Reason", required=False, help_text="Why it is enabled again, disabled or draining.")
    heartbeat = forms.ChoiceField(
        label="Heartbeat",
        choices=[("agent", "agent: alive while its agent says so"), ("none", "none: always alive")],
        help_text="Only what is alive gets claims. A part (a GPU, a NUMA node) has the life of its root.",
    )
    rack = label_field("Rack", required=False, help_text="Groups are kept together, or apart, by it.")
    zone = label_field("Zone", required=False, help_text="As the rack, for what is larger than one.")
    traits = LabelsField(
        label="Traits", required=False, help_text="What it can do that requests may ask for. Separated by commas."
    )
    aggregates = LabelsField(
        label="Aggregates", required=False, help_text="Which sets of providers it belongs to. Separated by commas."
    )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        state, reason = cleaned.get("state"), cleaned.get("state_reason")
        before = self.initial.get("state", ENABLED)
        if state is None or reason is None or (state, before) == (ENABLED, ENABLED):
            return cleaned
        # Whoever enables it finds the field filled: why it was disabled is no reason for being enabled.
        is_old = state == ENABLED and reason == self.initial["state_reason"]
        if is_old or not reason.strip():
            self.add_error("state_reason", f"Say why it is {state}.")
        return cleaned


def provider_form(of_class: ResourceClass | None, image: Image | None, data: Mapping[str, Any] | None) -> ProviderForm:
    """For a provider of a built-in class a field per column; for one of an operator's own classes (None: not chosen
    yet) lines of text. Raises StoreUnavailable."""
    form = ProviderForm(
        data, initial=_initial(image, of_class) if image else {"state": "enabled", "heartbeat": "agent"}
    )
    if of_class is None or of_class.custom:
        _add_lines(form)
    else:
        _add_columns(form, of_class)
    names = [cell.name for cell in cells.all_cells()] if image is None else [image["cell"]]
    form.fields["cell"] = forms.ChoiceField(label="Cell", choices=choices(names), help_text="It never changes.")
    if image is not None:
        for name in ("cell", "parent", "resource_class"):
            if name in form.fields:
                form.fields[name].disabled = True
    return form


def new_provider(of_class: ResourceClass, cleaned: Mapping[str, Any]) -> NewProvider:
    """The filled-in form of a new provider in the domain's words."""
    properties = {name: value for name, value in _properties(of_class, cleaned).items() if value is not None}
    return NewProvider(
        name=cleaned["name"],
        cell=cleaned["cell"],
        resource_class=of_class.name,
        inventory=_inventory(cleaned),
        parent=cleaned["parent"],
        state=cleaned["state"],
        state_reason=cleaned["state_reason"],
        properties=properties,
        traits=frozenset(cleaned["traits"]),
        aggregates=frozenset(cleaned["aggregates"]),
        rack=cleaned["rack"],
        zone=cleaned["zone"],
        heartbeat=cleaned["heartbeat"],
    )


def changes_of(image: Image, cleaned: Mapping[str, Any]) -> Changes:
    """What differs between the form and the provider as it is; the rest is left alone."""
    before = _plain(image)
    inventory = {n: i for n, i in _inventory(cleaned).items() if i != _inventory_of(image).get(n)}
    has, of_class = image["properties"], known_class(image["resource_class"])
    properties = {n: v for n, v in _properties(of_class, cleaned).items() if v != has.get(n)}
    return Changes({n: cleaned[n] for n in PLAIN if cleaned[n] != before[n]}, inventory, properties)


def field_of_domain(name: str) -> str:
    """`inventory.vcpus.allocation_ratio` -> `ratio_vcpus`, and so on; other names stay."""
    parts = name.split(".")
    if parts[0] == "inventory" and len(parts) > 1:
        return f"{'ratio' if parts[-1] == 'allocation_ratio' else 'total'}_{parts[1]}"
    return f"prop_{parts[1]}" if parts[0] == "properties" and len(parts) > 1 else parts[0]


def _add_columns(form: forms.Form, of_class: ResourceClass) -> None:
    for column in of_class.columns:
        name, label = column.name, column.name.replace("_", " ")
        if column.kind == AMOUNT:
            start = 1 if of_class.indivisible else 0
            form.fields[f"total_{name}"] = integer_field(
                f"Total {label} ({column.unit})", initial=start, help_text="What there is."
            )
            form.fields[f"reserved_{name}"] = integer_field("Reserved", initial=0, help_text="Of it, not for sale.")
            form.fields[f"ratio_{name}"] = forms.FloatField(
                label="Ratio",
                initial=1.0,
                max_value=1000,
                widget=forms.NumberInput({"step": "any", "min": "0", "class": "vIntegerField"}),
                help_text="Total × ratio − reserved is for sale.",
            )
        elif column.type == INTEGER:
            form.fields[f"prop_{name}"] = integer_field(
                f"{label.capitalize()} ({column.unit})", required=False, help_text=MATCHED
            )
        else:
            form.fields[f"prop_{name}"] = label_field(label.capitalize(), required=False, help_text=MATCHED)


def _add_lines(form: forms.Form) -> None:
    names = [c.name for c in all_classes() if c.name not in BUILT_IN]
    form.fields["resource_class"] = forms.ChoiceField(
        label="Resource class", choices=choices(names), help_text="It never changes."
    )
    form.fields["inventory"] = InventoryField(
        label="Inventory", required=False, help_text="One amount a line: <code>name: total, reserved, ratio</code>."
    )
    form.fields["properties"] = LinesField(
        label="Properties", required=False, help_text="One a line: <code>name: value</code>."
    )


def _plain(image: Image) -> dict[str, Any]:
    failure_domain = image["failure_domain"]
    values = {**image, "rack": failure_domain["rack"], "zone": failure_domain["zone"]}
    return {name: values[name] for name in PLAIN}


def _inventory_of(image: Image) -> dict[str, Inventory]:
    return {name: Inventory(**one) for name, one in image["inventory"].items()}


def _initial(image: Image, of_class: ResourceClass | None) -> dict[str, Any]:
    initial = {**_plain(image), "cell": image["cell"], "parent": image["parent"]}
    if of_class is None or of_class.custom:
        extra = {"inventory": _inventory_of(image), "properties": image["properties"]}
        return {**initial, "resource_class": image["resource_class"], **extra}
    for name, one in image["inventory"].items():
        initial |= {f"total_{name}": one["total"], f"reserved_{name}": one["reserved"]}
        initial[f"ratio_{name}"] = one["allocation_ratio"]
    return initial | {f"prop_{name}": value for name, value in image["properties"].items()}


def _inventory(cleaned: Mapping[str, Any]) -> dict[str, Inventory]:
    if "inventory" in cleaned:
        return dict(cleaned["inventory"])
    names = [name.removeprefix("total_") for name in cleaned if name.startswith("total_")]
    return {
        name: Inventory(cleaned[f"total_{name}"], cleaned[f"reserved_{name}"], cleaned[f"ratio_{name}"])
        for name in names
    }


def _properties(of_class: ResourceClass, cleaned: Mapping[str, Any]) -> dict[str, Any]:
    """As filled in; None for an empty one, which the domain refuses when it was filled before."""
    if "properties" in cleaned:
        return {name: _typed(of_class, name, text) for name, text in cleaned["properties"].items()}
    values = {name.removeprefix("prop_"): value for name, value in cleaned.items() if name.startswith("prop_")}
    return {name: None if value == "" else value for name, value in values.items()}


def _typed(of_class: ResourceClass, name: str, text: Any) -> Any:
    column = of_class.properties.get(name)
    return int(text) if column and column.type == INTEGER and str(text).isdecimal() else text

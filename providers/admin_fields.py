"""Form fields for what providers have and HTML has not: labels, and inventories and properties as lines."""

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.contrib.admin import widgets
from django.core.exceptions import ValidationError

from providers.inventory import LARGEST, Inventory

LABEL_LENGTH = 255


def printable(value: str) -> None:
    if not value.isprintable():
        raise ValidationError("Control characters are not allowed.")


def label_field(label: str, required: bool = True, help_text: str = "") -> forms.CharField:
    return forms.CharField(
        label=label,
        max_length=LABEL_LENGTH,
        required=required,
        validators=[printable],
        help_text=help_text,
        widget=widgets.AdminTextInputWidget,
    )


def choices(values: Sequence[str]) -> list[tuple[str, str]]:
    return [(value, value) for value in values]


class LabelsField(forms.CharField):
    """Labels separated by commas: a sorted list of them."""

    widget = widgets.AdminTextInputWidget

    def to_python(self, value: Any) -> Any:
        if isinstance(value, list | tuple | set | frozenset):
            return sorted(value)
        return sorted({part.strip() for part in (value or "").split(",") if part.strip()})

    def validate(self, value: Any) -> None:
        for one in value:
            printable(one)
            if len(one) > LABEL_LENGTH:
                raise ValidationError(f"{one[:20]}… is longer than {LABEL_LENGTH} characters.")

    def run_validators(self, value: Any) -> None:
        """Those of a text; `validate` looks at each label."""

    def prepare_value(self, value: Any) -> Any:
        return value if isinstance(value, str) else ", ".join(value or ())

    def has_changed(self, initial: Any, data: Any) -> bool:
        return bool(self.to_python(initial or ()) != self.to_python(data))


class LinesField(forms.CharField):
    """One `name: value` a line. Subclasses say what a value is."""

    widget = widgets.AdminTextareaWidget

    def parse(self, name: str, text: str) -> Any:
        return text

    def show(self, value: Any) -> str:
        return str(value)

    def to_python(self, value: Any) -> Any:
        if isinstance(value, Mapping):
            return dict(value)
        found: dict[str, Any] = {}
        for line in (value or "").splitlines():
            name, colon, text = (part.strip() for part in line.partition(":"))
            if not colon and not name:
                continue
            if not colon or name in found:
                raise ValidationError(f"“{line}” is not `name: value`, or names something twice.")
            found[name] = self.parse(name, text)
        return found

    def validate(self, value: Any) -> None:
        """Nothing more: the domain checks names and values against the class."""

    def run_validators(self, value: Any) -> None:
        """Those of a text."""

    def prepare_value(self, value: Any) -> Any:
        return value if isinstance(value, str) else "\n".join(f"{n}: {self.show(v)}" for n, v in (value or {}).items())

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return bool(self.to_python(initial or {}) != self.to_python(data))
        except ValidationError:
            return True


class InventoryField(LinesField):
    """`amount: total, reserved, ratio`; reserved and ratio may be left out."""

    def parse(self, name: str, text: str) -> Inventory:
        parts = [part.strip() for part in text.split(",")]
        try:
            if len(parts) > 3:
                raise ValueError(text)
            ratio = float(parts[2]) if len(parts) > 2 else 1.0
            return Inventory(int(parts[0]), int(parts[1]) if len(parts) > 1 else 0, ratio)
        except ValueError as error:
            raise ValidationError(f"{name}: “{text}” is not `total, reserved, ratio`.") from error

    def show(self, value: Any) -> str:
        return f"{value.total}, {value.reserved}, {value.allocation_ratio}"


def integer_field(label: str, **kwargs: Any) -> forms.IntegerField:
    return forms.IntegerField(
        label=label, min_value=0, max_value=LARGEST, widget=widgets.AdminIntegerFieldWidget, **kwargs
    )


class MultipliersField(LinesField):
    """`weigher: multiplier`; the domain knows which weighers there are."""

    def parse(self, name: str, text: str) -> float:
        try:
            return float(text)
        except ValueError as error:
            raise ValidationError(f"{name}: “{text}” is not a number.") from error

    def show(self, value: Any) -> str:
        return f"{value:g}"

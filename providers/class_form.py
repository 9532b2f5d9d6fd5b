"""The form of an operator's own resource class: its name, and a row for each of its columns."""

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.contrib.admin import widgets

from providers.admin_fields import choices, label_field
from providers.refusals import Invalid
from providers.resource_classes.custom import MAX_COLUMNS, check
from providers.resource_classes.kind import AMOUNT, INTEGER, PROPERTY, STRING, Column

ROWS, MORE = "rows", "_more"  # how many rows there are; the button for more of them, which works without JavaScript
AT_ONCE = 4
PARTS = ("name", "unit", "kind", "type")


class OwnClassForm(forms.Form):
    """Rows whose name is empty are left out; `cleaned_data["columns"]` has the others, as Columns."""

    name = label_field("Name", help_text="Lower-case letters, digits and _, starting with a letter.")

    def __init__(self, data: Mapping[str, Any] | None, initial: dict[str, Any] | None = None) -> None:
        super().__init__(data, initial=initial)
        self.rows = _rows(data or initial or {})
        self.fields[ROWS] = forms.IntegerField(widget=forms.HiddenInput, required=False, initial=self.rows)
        for row in range(self.rows):
            self.fields |= _fields(row)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        filled = [row for row in range(self.rows) if cleaned.get(f"name_{row}")]
        columns = [Column(*(cleaned.get(f"{part}_{row}", "") for part in PARTS)) for row in filled]
        if cleaned.get("name") and not self.errors:
            try:
                check(cleaned["name"], columns)
            except Invalid as error:
                self.add_error(self._field(error.field, filled), error.message[:1].upper() + error.message[1:])
        for row in set(range(self.rows)) - set(filled):
            if cleaned.get(f"unit_{row}"):
                self.add_error(f"name_{row}", "A column needs a name; clear the row to leave it out.")
        return {**cleaned, "columns": columns}

    def _field(self, of_domain: str, filled: Sequence[int]) -> str | None:
        """`columns.1.kind` -> the field of the second row that is filled in."""
        parts = of_domain.split(".")
        if len(parts) == 3:
            return f"{parts[2]}_{filled[int(parts[1])]}"
        return of_domain if of_domain in self.fields else None


def with_more_rows(data: Mapping[str, Any]) -> OwnClassForm:
    """What was typed so far, unchecked, and some empty rows."""
    rows = min(MAX_COLUMNS, _rows(data) + AT_ONCE)
    return OwnClassForm(None, initial={**{name: data[name] for name in data}, ROWS: rows})


def _rows(data: Mapping[str, Any]) -> int:
    text = str(data.get(ROWS, ""))
    return max(1, min(MAX_COLUMNS, int(text))) if text.isascii() and text.isdigit() else AT_ONCE


def _fields(row: int) -> dict[str, forms.Field]:
    number = row + 1
    return {
        f"name_{row}": label_field(f"Column {number}", required=False, help_text="Its name, as in requests."),
        f"unit_{row}": forms.CharField(
            label="unit",
            required=False,
            max_length=63,
            widget=widgets.AdminTextInputWidget({"size": 12}),
            help_text="Shown beside numbers.",
        ),
        f"kind_{row}": forms.ChoiceField(
            label="kind",
            choices=[(AMOUNT, "amount (is claimed)"), (PROPERTY, "property (is matched)")],
            help_text="It never changes.",
        ),
        f"type_{row}": forms.ChoiceField(
            label="type", choices=choices((INTEGER, STRING)), help_text="An amount is an integer."
        ),
    }

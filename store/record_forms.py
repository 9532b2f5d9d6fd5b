"""Forms of Cassandra records: who may fill in what, and what a form that was overtaken says."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib.admin.models import LogEntry

VERSION = "state_version"  # the hidden field with the version that a form was opened with
WHO = "who"  # in what a form says, who said it


def carry_version(form: forms.Form, version: str) -> None:
    """Makes the form bring back the version it was opened with; empty: the record has none."""
    if version:
        form.fields[VERSION] = forms.CharField(widget=forms.HiddenInput, initial=version)


def open_only(form: forms.Form, names: frozenset[str]) -> None:
    """Shows every field and lets only these be changed: Django ignores what is submitted for a disabled field."""
    for name, field in form.fields.items():
        field.disabled = field.disabled or name not in {VERSION, *names}


def hidden_fields(form: forms.Form) -> list[tuple[None, dict[str, Any]]]:
    return [(None, {"fields": [VERSION], "classes": ["hidden"]})] if VERSION in form.fields else []


def stale_message(label: str, opened: str, now: str, last: LogEntry | None) -> str:
    who = f"last here by {last.user}, {last.action_time:%d %b %H:%M:%S} UTC" if last else "not through these pages"
    return (
        f"Changed meanwhile ({who}): current {label} is {now}, this form was opened at {opened or 'none'}. "
        "Nothing was saved. Open the current values and repeat your change."
    )


def differences(submitted: forms.Form, now: forms.Form) -> Sequence[tuple[str, Any, Any]]:
    """(label, what was submitted, what it is now) of each field where these differ."""
    found = []
    for name, field in now.fields.items():
        current = now.get_initial_for_field(field, name)
        if not submitted.fields[name].disabled and field.has_changed(current, submitted[name].data):
            found.append((str(now[name].label), submitted.cleaned_data.get(name), current))
    return found


def show_error(form: forms.Form, name: str | None, error: Exception) -> None:
    """A refusal beside the field it is about, or on top of the form."""
    if name in form.fields:
        message = str(getattr(error, "message", error))
        whole, _, part = str(getattr(error, "field", "")).partition(".")
        if whole == name and part:  # one line of several in this field
            message = f"{part} {message}"
        form.add_error(name, message[:1].upper() + message[1:])
    else:
        form.add_error(None, str(error))

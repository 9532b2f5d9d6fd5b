"""Forms of Cassandra records: who may fill in what, and what a form that was overtaken says."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib.admin.helpers import AdminForm
from django.contrib.admin.models import LogEntry
from django.http import HttpRequest

from store.record_pages import Shown

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


def form_context(admin: Any, request: HttpRequest, form: forms.Form, shown: Shown | None) -> dict[str, Any]:
    """What Django's template of a form page needs of the form; `shown` is None for a new record."""
    fieldsets = [*admin.form_sections(form), *hidden_fields(form)]
    adminform = AdminForm(form, fieldsets, {}, model_admin=admin)  # type: ignore[arg-type]
    may_write = admin.has_change_permission(request, shown) if shown else True
    verb = ("Change" if may_write else "View") if shown else "Add"
    return {
        "title": f"{verb} {admin.opts.verbose_name}",
        "subtitle": str(shown) if shown else None,
        "adminform": adminform,
        "object_id": shown.pk if shown else None,
        "is_popup": False,
        "to_field": None,
        "media": admin.media + adminform.media,
        "inline_admin_formsets": [],
        "errors": [error for errors in form.errors.values() for error in errors],
        "current_values": getattr(form, "current_values", ()),
        "preserved_filters": admin.get_preserved_filters(request),
    }


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

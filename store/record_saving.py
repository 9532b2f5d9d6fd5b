"""Saves what a record's form says, through its admin's domain functions; what is refused is said on the form."""

from typing import TYPE_CHECKING

from django import forms

from store.failures import StoreUnavailable
from store.record_forms import VERSION, differences, show_error, stale_message
from store.record_history import last_entry
from store.record_pages import Shown

if TYPE_CHECKING:
    from store.record_admin import RecordAdmin


def save(admin: "RecordAdmin", form: forms.Form, shown: Shown | None) -> Shown | None:
    """Makes the record (`shown` is None) or changes it. None when it was refused; the form then says why."""
    try:
        if shown is None:
            return admin.shown(admin.create(form.cleaned_data))
        if form.cleaned_data.get(VERSION, "") != admin.version_of(shown.record):
            _say_stale(admin, form, shown.pk)
            return None
        return admin.shown(admin.change(shown.record, form.cleaned_data))
    except admin.not_found as error:
        form.add_error(None, f"{error}. It was deleted meanwhile.")
    except admin.refused as error:
        if shown is None or not _say_stale(admin, form, shown.pk):
            show_error(form, admin.field_of(error), error)
    except StoreUnavailable as error:
        form.add_error(None, f"{error}. Nothing is known to be saved: look at it again before you repeat.")
    return None


def _say_stale(admin: "RecordAdmin", form: forms.Form, key: str) -> bool:
    """Shows the current values beside the submitted ones, if the record changed since the form was opened."""
    try:
        now = admin.read(key)
    except admin.not_found:
        form.add_error(None, "It was deleted meanwhile.")
        return True
    opened = form.cleaned_data.get(VERSION, "")
    if opened == admin.version_of(now):
        return False
    form.add_error(
        None, stale_message(admin.version_label, opened, admin.version_of(now), last_entry(admin.model, key))
    )
    form.current_values = differences(form, admin.make_form(now, None))  # type: ignore[attr-defined]
    return True

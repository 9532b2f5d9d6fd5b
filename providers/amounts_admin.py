"""The admin's page for reserved amounts and ratios of the chosen providers: first what they would come to, then it."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.admin.models import CHANGE
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from providers.admin_fields import integer_field
from providers.admin_sections import number, provider_link
from providers.amounts import AT_ONCE, CHANGED, UNCHANGED, WOULD_CHANGE, Kept, Outlook, keep
from providers.history import in_words
from providers.resource_classes.kind import ResourceClass
from store.record_admin import RecordAdmin
from store.record_history import write_entry
from store.record_pages import Section, Shown
from store.record_roles import ADMIN, role_of

SHOW = "Show what becomes of them"
SEEN = "seen"


class AmountsForm(forms.Form):
    """Two fields an amount; an empty one stays as it is on each provider. `seen` is what was previewed."""

    seen = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(self, data: Mapping[str, Any] | None, of_class: ResourceClass) -> None:
        super().__init__(data)
        self.of_class = of_class
        for name in of_class.amounts:
            label = name.replace("_", " ")
            self.fields[f"reserved_{name}"] = integer_field(
                f"Reserved {label}", required=False, help_text="Not for sale. Empty: as it is on each."
            )
            self.fields[f"ratio_{name}"] = forms.FloatField(
                label=f"Ratio of {label}",
                required=False,
                max_value=1000,
                widget=forms.NumberInput({"step": "any", "min": "0", "class": "vIntegerField"}),
                help_text="Total × ratio − reserved is for sale. Empty: as it is on each.",
            )

    @property
    def kept(self) -> dict[str, Kept]:
        given = self.cleaned_data
        found = {name: Kept(given[f"reserved_{name}"], given[f"ratio_{name}"]) for name in self.of_class.amounts}
        return {name: one for name, one in found.items() if one != Kept()}

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if not self.errors and not self.kept:
            self.add_error(None, "Fill in what is to change; what is empty stays as it is.")
        return cleaned

    def digest(self, keys: Sequence[str]) -> str:
        said = [[name, one.reserved, one.allocation_ratio] for name, one in self.kept.items()]
        return hashlib.sha256(json.dumps([said, sorted(keys)]).encode()).hexdigest()


def amounts_page(admin: RecordAdmin, request: HttpRequest, of_class: ResourceClass) -> HttpResponse:
    """Asked once it previews; asked again with the same, it sets them."""
    if role_of(request.user) != ADMIN:
        raise PermissionDenied
    back = reverse(f"admin:{admin.opts.app_label}_{admin.opts.model_name}_changelist")
    keys = list(dict.fromkeys(request.GET.getlist("provider")))
    ids = _ids(keys)
    if not 1 <= len(ids) <= AT_ONCE or len(ids) != len(keys):
        admin.message_user(request, f"Choose 1 to {AT_ONCE} providers.", messages.WARNING)
        return redirect(back)
    data = request.POST.copy() if request.method == "POST" else None
    form = AmountsForm(data, of_class)
    sections, yes = [], SHOW
    if data is not None and form.is_valid():
        who, digest = request.user.get_username(), form.digest(keys)
        if data.get(SEEN) == digest:
            _tell(admin, request, keep(ids, form.kept, who, preview=False))
            return redirect(back if len(ids) > 1 else f"{back}{ids[0]}/change/")
        found = keep(ids, form.kept, who, preview=True)
        data[SEEN] = digest
        sections = [_preview(found, of_class)]
        yes = "Yes, set them" if any(one.outcome == WOULD_CHANGE for one in found) else yes
    question = f"Keep back, or overcommit, amounts of {len(ids)} provider{'s' if len(ids) != 1 else ''}?"
    title = "Reserved amounts and ratios"
    return admin.confirm(
        request, None, title, question, yes, title=title, form=form, sections=sections, back_url=back,
        only_shows=yes == SHOW,
    )  # fmt: skip


def _ids(keys: Sequence[str]) -> list[UUID]:
    try:
        return [UUID(key) for key in keys]
    except ValueError:
        return []


def _preview(found: Sequence[Outlook], of_class: ResourceClass) -> Section:
    rows: list[list[Any]] = []
    for one in found:
        name = provider_link(of_class.name, one.provider_id, one.name or one.provider_id)
        if one.outcome not in (WOULD_CHANGE, UNCHANGED):
            rows.append([name, f"Refused: {one.detail}", None, None, None, None])
        for column, how in one.columns.items():
            after = how.available_after
            told = f"available becomes {after}" if after < 0 else "stays" if how.after == how.before else "changes"
            sums = (f"{in_words(how.before)} → {in_words(how.after)}", number(how.after.effective))
            rows.append([name, told, column, *sums, number(after)])
    note = (
        "Total x ratio - reserved is for sale; available is that without claims and instances. Where it becomes "
        "negative, nothing more is claimed until so much came back; what is there stays."
    )
    headers = ["Provider", "Outcome", "Amount", "Total x ratio - reserved", "For sale", "Available"]
    return Section("What becomes of them", headers=headers, rows=rows, note=note)


def _tell(admin: RecordAdmin, request: HttpRequest, found: Sequence[Outlook]) -> None:
    done = [one for one in found if one.outcome == CHANGED]
    for one in done:
        shown = Shown(one, str(one.provider_id), one.name, admin.opts)
        write_entry(request.user, admin.model, shown, CHANGE, f"Set: {', '.join(_set(one))}")
        for text in one.negative:
            admin.message_user(request, f"{one.name}, {text}.", messages.WARNING)
    for one in found:
        if one.detail:
            admin.message_user(request, f"{one.name or one.provider_id}: {one.detail}.", messages.ERROR)
    if done or not any(one.detail for one in found):
        admin.message_user(request, f"Changed {len(done)} of {len(found)}.", messages.SUCCESS)


def _set(one: Outlook) -> list[str]:
    return [f"{name} {in_words(how.after)}" for name, how in one.columns.items() if how.after != how.before]

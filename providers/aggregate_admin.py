"""Aggregates in the admin. Who is a member is said on each provider's own page, in its labels."""

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin import widgets
from django.http import HttpRequest

from providers import aggregates
from providers.admin_fields import LabelsField, MultipliersField, label_field, printable
from providers.admin_filters import REFUSED
from providers.admin_sections import number, provider_link, time
from providers.aggregate_members import in_use
from providers.aggregates import Aggregate, Changes
from providers.models import AggregateRecord
from providers.refusals import NotFound
from scheduler.weighers import BY_NAME
from store.record_admin import RecordAdmin
from store.record_forms import VERSION
from store.record_pages import ListPage, Section
from store.record_roles import ADMIN, OPERATOR, role_of

SHOWN = 50  # members


class AggregateForm(forms.Form):
    name = label_field("Name", help_text="The label that its members carry.")
    description = forms.CharField(
        required=False,
        max_length=2000,
        validators=[printable],
        widget=widgets.AdminTextInputWidget,
        help_text="For people; nothing is decided by it.",
    )
    tenants = LabelsField(
        label="Projects", required=False, help_text="Only their requests go to its members. Empty: everybody's."
    )
    images = LabelsField(required=False, help_text="Only they go to its members. Empty: all.")
    weighers = MultipliersField(
        required=False,
        help_text="weigher: multiplier, one a line, in place of the policy's on its members. "
        f"There are {', '.join(BY_NAME)}.",
    )


@admin.register(AggregateRecord)
class AggregateAdmin(RecordAdmin):
    not_found = (NotFound,)
    refused = REFUSED
    columns = ("name", "description", "projects", "images", "weighers", "version")
    numbers = frozenset({"version"})
    key_is_shown = True
    version_label = "version"
    operator_fields = frozenset({"name", "description", "tenants", "images", "weighers"})

    def has_add_permission(self, request: HttpRequest) -> bool:
        return role_of(request.user) in (OPERATOR, ADMIN)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return role_of(request.user) in (OPERATOR, ADMIN)

    def list_page(self, filters: Mapping[str, str], search: str, limit: int, cursor: str | None) -> ListPage:
        return ListPage(list(aggregates.read_all().values()))  # tens to hundreds, in one partition

    def read(self, key: str) -> Aggregate:
        return aggregates.find(key)

    def key_of(self, record: Aggregate) -> str:
        return record.name

    def version_of(self, record: Aggregate) -> str:
        return str(record.version)

    def make_form(self, record: Aggregate | None, data: Mapping[str, Any] | None) -> forms.Form:
        if record is None:
            return AggregateForm(data)
        form = AggregateForm(data, initial=aggregates.image_of(record))
        form.fields["name"].disabled = True
        return form

    def sections(self, record: Aggregate) -> Sequence[Section]:
        count, found = in_use(record.name, SHOWN)
        rows = [
            [provider_link(m.resource_class, m.provider_id, m.name), m.resource_class, m.cell, m.state] for m in found
        ]
        headers = ["Name", "Resource class", "Cell", "State"]
        members = "Members" if count <= SHOWN else f"{SHOWN} of the members"
        return [
            Section("Facts", facts=[("Members", number(count)), ("Made", time(record.created_at))]),
            Section(members, headers=headers, rows=rows, empty="No provider carries this label."),
        ]

    def create(self, cleaned: Mapping[str, Any]) -> Aggregate:
        return aggregates.create(cleaned["name"], _said(cleaned))

    def change(self, record: Aggregate, cleaned: Mapping[str, Any]) -> Aggregate:
        return aggregates.change(record.name, int(cleaned[VERSION]), _said(cleaned))

    def remove(self, record: Aggregate, who: str) -> None:
        aggregates.delete(record.name)

    def field_of(self, error: Exception) -> str | None:
        return str(getattr(error, "field", "")).split(".")[0]

    def projects(self, record: Aggregate) -> str:
        return ", ".join(sorted(record.tenants)) or "all"

    def images(self, record: Aggregate) -> str:
        return ", ".join(sorted(record.images)) or "all"

    def weighers(self, record: Aggregate) -> str:
        return ", ".join(f"{name} {value:g}" for name, value in sorted(record.weighers.items()))


def _said(cleaned: Mapping[str, Any]) -> Changes:
    return Changes(cleaned["description"], cleaned["tenants"], cleaned["images"], cleaned["weighers"])

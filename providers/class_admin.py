"""Resource classes in the admin: the built-in ones to read; an operator's own are made and deleted, never changed."""

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest

from providers import cells, own_class
from providers.admin_filters import REFUSED
from providers.admin_sections import number, provider_list
from providers.class_form import MORE, ROWS, OwnClassForm, with_more_rows
from providers.models import ResourceClassRecord
from providers.refusals import Conflict, NotFound
from providers.resource_classes.kind import ResourceClass
from providers.resource_classes.registry import all_classes, resource_class
from providers.shards import all_shards
from store.record_admin import RecordAdmin
from store.record_pages import ListPage, Section
from store.session import keyspace, read_many

SHARDS_AT_ONCE = 64


@admin.register(ResourceClassRecord)
class ResourceClassAdmin(RecordAdmin):
    not_found = (NotFound,)
    refused = REFUSED
    columns = ("name", "amounts", "properties", "made_by")
    changeable = False
    change_form_template = add_form_template = "admin/records/class_form.html"

    def list_page(self, filters: Mapping[str, str], search: str, limit: int, cursor: str | None) -> ListPage:
        return ListPage(all_classes())  # there are tens of them, in one partition

    def read(self, key: str) -> ResourceClass:
        return resource_class(key)

    def key_of(self, record: ResourceClass) -> str:
        return record.name

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_delete_permission(request, obj) and (obj is None or obj.record.custom)

    def make_form(self, record: ResourceClass | None, data: Mapping[str, Any] | None) -> forms.Form:
        if record is not None:
            return forms.Form()  # nothing of it can change
        return with_more_rows(data) if data is not None and MORE in data else OwnClassForm(data)

    def form_sections(self, form: forms.Form) -> Sequence[tuple[str | None, dict[str, Any]]]:
        if not isinstance(form, OwnClassForm):
            return []
        rows = [tuple(f"{part}_{row}" for part in ("name", "unit", "kind", "type")) for row in range(form.rows)]
        note = "One row each; rows without a name are left out. At least one must be an amount, a whole number."
        hidden = (None, {"fields": [ROWS], "classes": ["hidden"]})
        return [(None, {"fields": ["name"]}), ("Columns", {"fields": rows, "description": note}), hidden]

    def sections(self, record: ResourceClass) -> Sequence[Section]:
        rows = [[c.name, c.unit or None, c.kind, c.type] for c in record.columns]
        providers = number(count_providers(record.name)) if record.custom else "list"
        facts = [
            ("Name", record.name),
            ("Made by", self.made_by(record)),
            ("Providers", provider_list(record, providers)),
        ]
        return [
            Section("Resource class", facts=facts),
            Section("Columns", headers=["Name", "Unit", "Kind", "Type"], rows=rows),
        ]

    def create(self, cleaned: Mapping[str, Any]) -> ResourceClass:
        return own_class.create(cleaned["name"], cleaned["columns"])

    def remove(self, record: ResourceClass, who: str) -> None:
        count = count_providers(record.name)
        if count:
            many = f"{count} provider{'s' if count != 1 else ''}"
            raise Conflict(f"resource class {record.name} has {many}: delete them first")
        own_class.delete(record.name)

    def amounts(self, record: ResourceClass) -> str:
        return ", ".join(record.amounts)

    def properties(self, record: ResourceClass) -> str:
        return ", ".join(record.properties)

    def made_by(self, record: ResourceClass) -> str:
        return "an operator" if record.custom else "built in"


def count_providers(resource_class: str) -> int:
    """Of one of an operator's own classes, in all cells, shard by shard."""
    shards = [
        (cell.home, shard)
        for cell in cells.all_cells()
        for shard in range(all_shards(cell.home).get(resource_class, 0))
    ]
    where, count = "WHERE cell = ? AND resource_class = ? AND shard = ?", 0
    for begin in range(0, len(shards), SHARDS_AT_ONCE):
        pages = read_many(
            (
                f"SELECT count(*) AS n FROM {keyspace(home.datacenter)}.capacity {where}",
                [home.cell, resource_class, shard],
            )
            for home, shard in shards[begin : begin + SHARDS_AT_ONCE]
        )
        count += sum(rows[0]["n"] for rows in pages)
    return count

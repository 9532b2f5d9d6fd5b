"""Resource classes in the admin."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.contrib import admin

from providers.admin_filters import REFUSED
from providers.admin_forms import OwnClassForm
from providers.find import ProviderFilter, list_providers
from providers.models import ResourceClassRecord
from providers.refusals import Conflict, Invalid, NotFound
from providers.resource_classes import custom
from providers.resource_classes.kind import ResourceClass
from providers.resource_classes.registry import BUILT_IN
from store.record_admin import RecordAdmin
from store.record_pages import ListPage


@admin.register(ResourceClassRecord)
class ResourceClassAdmin(RecordAdmin):
    """An operator's own classes: made and deleted, never changed."""

    not_found = (NotFound,)
    refused = REFUSED
    columns = ("name", "amounts", "properties")
    changeable = False

    def list_page(self, filters: Mapping[str, str], search: str, limit: int, cursor: str | None) -> ListPage:
        return ListPage(custom.load_all())

    def read(self, key: str) -> ResourceClass:
        found = custom.load(key)
        if found is None:
            raise NotFound(f"no own resource class {key}")
        return found

    def key_of(self, record: ResourceClass) -> str:
        return record.name

    def make_form(self, record: ResourceClass | None, data: Mapping[str, Any] | None) -> forms.Form:
        return OwnClassForm(data, initial={"name": record.name, "columns": record.columns} if record else None)

    def create(self, cleaned: Mapping[str, Any]) -> ResourceClass:
        if cleaned["name"] in BUILT_IN:
            raise Conflict(f"resource class {cleaned['name']} exists")
        return custom.create(cleaned["name"], cleaned["columns"])

    def remove(self, record: ResourceClass) -> None:
        if _is_used(record.name):
            raise Conflict(f"resource class {record.name} has providers: delete them first")
        custom.delete(record.name)

    def field_of(self, error: Exception) -> str | None:
        return error.field.split(".")[0] if isinstance(error, Invalid) else None

    def amounts(self, record: ResourceClass) -> str:
        return ", ".join(record.amounts)

    def properties(self, record: ResourceClass) -> str:
        return ", ".join(record.properties)


def _is_used(name: str) -> bool:
    cursor = None
    while True:
        page = list_providers(ProviderFilter(resource_class=name), 1, cursor)
        if page.results or page.next is None:
            return bool(page.results)
        cursor = page.next

"""Cells in the admin."""

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest

from providers import cells
from providers.admin_filters import REFUSED
from providers.admin_forms import CellForm
from providers.admin_sections import on_site
from providers.cells import Cell
from providers.models import CellRecord
from providers.refusals import NotFound
from store.record_admin import RecordAdmin
from store.record_pages import ListPage, Section


@admin.register(CellRecord)
class CellAdmin(RecordAdmin):
    not_found = (NotFound,)
    refused = REFUSED
    columns = ("name", "datacenter", "state", "description", "number")
    numbers = frozenset({"number"})
    key_is_shown = True
    version_label = "content"

    def list_page(self, filters: Mapping[str, str], search: str, limit: int, cursor: str | None) -> ListPage:
        return ListPage(cells.all_cells())  # there are tens of them, in one partition

    def read(self, key: str) -> Cell:
        return cells.find(key)

    def key_of(self, record: Cell) -> str:
        return record.name

    def version_of(self, record: Cell) -> str:
        # A cell has no state_version; what may change of it stands in for one.
        return f"{record.state} “{record.description}”"

    def make_form(self, record: Cell | None, data: Mapping[str, Any] | None) -> forms.Form:
        names = ("name", "datacenter", "state", "description")
        return CellForm(data, initial={name: getattr(record, name) for name in names} if record else None)

    def sections(self, record: Cell) -> Sequence[Section]:
        made = f"{record.created_at:%Y-%m-%d %H:%M:%S} UTC" if record.created_at else None
        return [Section("Facts", facts=[("Number", record.number), ("Made", made)])]

    def tools(self, request: HttpRequest, record: Cell) -> Sequence[tuple[str, str]]:
        return on_site(record.name)

    def create(self, cleaned: Mapping[str, Any]) -> Cell:
        return cells.create(cleaned["name"], cleaned["datacenter"], cleaned["state"], cleaned["description"])

    def change(self, record: Cell, cleaned: Mapping[str, Any]) -> Cell:
        return cells.change(record.name, cleaned["state"], cleaned["description"])

    def remove(self, record: Cell, who: str) -> None:
        cells.delete(record.name)

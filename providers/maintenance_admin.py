"""Maintenance windows in the admin: planned, looked at and cancelled by operators; begun and ended by conductors."""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin
from django.contrib.admin import widgets
from django.http import HttpRequest
from django.utils.dateparse import parse_datetime

from providers import cells
from providers.admin_fields import printable
from providers.admin_filters import REFUSED, cell_filter, uuid_filter, uuid_of
from providers.admin_sections import time
from providers.maintenance import cancel
from providers.maintenance_windows import REASON, Window, find_window, plan, windows_of
from providers.models import MaintenanceRecord
from providers.operate_sections import name_link, state_of
from providers.records import locate
from providers.refusals import Invalid, NotFound
from store.record_admin import RecordAdmin
from store.record_forms import WHO
from store.record_pages import ListFilter, ListPage, Section
from store.record_roles import ADMIN, OPERATOR, role_of

FIELDS = {"from": "from_at", "until": "until_at"}


class InstantField(forms.CharField):
    """A moment in UTC, in the browser's own control for it."""

    widget = forms.DateTimeInput({"type": "datetime-local", "step": "1"})

    def clean(self, value: Any) -> dt.datetime | None:
        text = super().clean(value)
        if not text:
            return None
        try:
            found = parse_datetime(text)
        except ValueError:
            found = None
        if found is None:
            raise forms.ValidationError("Say it like 2026-01-31T22:00.")
        return found.replace(tzinfo=dt.UTC) if found.tzinfo is None else found.astimezone(dt.UTC)


class WindowForm(forms.Form):
    provider = forms.UUIDField(
        label="Host", widget=widgets.AdminTextInputWidget, help_text="Its id; of a root: what is below it goes with it."
    )
    from_at = InstantField(label="From", required=False, help_text="In UTC. Empty: now.")
    until_at = InstantField(label="Until", help_text="In UTC.")
    reason = forms.CharField(
        label="Reason",
        max_length=REASON,
        validators=[printable],
        widget=widgets.AdminTextInputWidget,
        help_text="Stands in the host’s state while it lasts.",
    )


@admin.register(MaintenanceRecord)
class MaintenanceAdmin(RecordAdmin):
    """A record's key is `host.window`, both ids."""

    not_found = (NotFound,)
    refused = REFUSED
    changeable = False
    operator_fields = frozenset({"provider", "from_at", "until_at", "reason"})
    columns = ("host", "cell", "from_", "until", "state", "reason", "planned_by")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return role_of(request.user) in (OPERATOR, ADMIN)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return role_of(request.user) in (OPERATOR, ADMIN)

    def list_filters(self) -> Sequence[ListFilter]:
        return [cell_filter(), ListFilter("provider", "host’s id")]

    def list_page(self, filters: Mapping[str, str], search: str, limit: int, cursor: str | None) -> ListPage:
        """A cell's list is one partition, read whole; the cursor is a position in it."""
        wanted = uuid_filter("provider", filters["provider"])
        homes = [one.home for one in cells.all_cells() if filters["cell"] in ("", one.name)]
        found = [one for home in homes for one in windows_of(home, None if wanted is None else [wanted])]
        if cursor and not (cursor.isascii() and cursor.isdigit() and len(cursor) < 9):
            raise Invalid("next", "is not a cursor of this list")
        start = int(cursor or 0)
        return ListPage(found[start : start + limit], str(start + limit) if len(found) > start + limit else None)

    def read(self, key: str) -> Window:
        provider, _, window = key.partition(".")
        return find_window(locate(uuid_of(provider)).home, UUID(provider), uuid_of(window))

    def key_of(self, record: Window) -> str:
        return f"{record.provider_id}.{record.id}"

    def name_of(self, record: Window) -> str:
        return f"{record.name}, {time(record.from_at)}"

    def make_form(self, record: Window | None, data: Mapping[str, Any] | None) -> forms.Form:
        if record is None:
            return WindowForm(data)
        said = {"provider": record.provider_id, "reason": record.reason}
        times = {name: f"{getattr(record, name):%Y-%m-%dT%H:%M:%S}" for name in FIELDS.values()}
        return WindowForm(data, initial=said | times)

    def _form(self, request: HttpRequest, shown: Any, may_write: bool) -> forms.Form:
        form = super()._form(request, shown, may_write)
        if shown is None:  # from a host's page its id comes along
            form.initial["provider"] = request.GET.get("provider", "")
        return form

    def sections(self, record: Window) -> Sequence[Section]:
        facts = [
            ("Host", name_link(record)),
            ("State", state_of(record, dt.datetime.now(dt.UTC))),
            ("Planned", f"{time(record.planned_at)} by {record.planned_by}"),
            ("Begun", time(record.begun_at)),
        ]
        note = "To end or cancel it, delete it: the host is enabled again, unless somebody changed it meanwhile."
        return [Section("Window", facts=facts, note=note)]

    def create(self, cleaned: Mapping[str, Any]) -> Window:
        begin = cleaned["from_at"] or dt.datetime.now(dt.UTC)
        try:
            return plan(cleaned["provider"], begin, cleaned["until_at"], cleaned["reason"], cleaned[WHO])
        except NotFound as error:
            raise Invalid("provider", str(error)) from error

    def remove(self, record: Window, who: str) -> None:
        cancel(record.provider_id, record.id, who)

    def field_of(self, error: Exception) -> str | None:
        field = str(getattr(error, "field", ""))
        return FIELDS.get(field, field)

    def host(self, record: Window) -> str:
        return record.name

    def cell(self, record: Window) -> str:
        return record.home.cell

    def from_(self, record: Window) -> str | None:
        return time(record.from_at)

    def until(self, record: Window) -> str | None:
        return time(record.until_at)

    def state(self, record: Window) -> str:
        return state_of(record, dt.datetime.now(dt.UTC))

    from_.short_description = "from"  # type: ignore[attr-defined]

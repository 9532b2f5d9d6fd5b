"""Heartbeats in the admin, to read: which hosts are silent, and since when."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from providers.admin_filters import REFUSED, cell_filter, uuid_of
from providers.admin_sections import provider_view, silent_for, time
from providers.last_heard import ALIVE, SILENT, Host, list_heard
from providers.models import HeartbeatRecord
from providers.records import locate
from providers.refusals import NotFound
from store.record_admin import RecordAdmin
from store.record_pages import ListFilter, ListPage
from store.record_reachable import reachable


@admin.register(HeartbeatRecord)
class HeartbeatAdmin(RecordAdmin):
    not_found = (NotFound,)
    refused = REFUSED
    writable = False
    columns: ClassVar[tuple[str, ...]] = ("host", "alive", "last_seen", "cell", "resource_class", "state")

    def list_filters(self) -> Sequence[ListFilter]:
        return [cell_filter(), ListFilter("heard", "heartbeat", ((SILENT, "silent"), (ALIVE, "alive")))]

    def list_page(self, filters: Mapping[str, str], search: str, limit: int, cursor: str | None) -> ListPage:
        only = filters["heard"] if filters["heard"] in (SILENT, ALIVE) else ""
        page = list_heard(filters["cell"], only, limit, cursor)
        return ListPage(page.results, page.next)

    def read(self, key: str) -> Any:
        raise NotFound(f"heartbeat {key[:100]} of its own")  # it has a host's page, and no history nor end

    def key_of(self, record: Host) -> str:
        return str(record.id)

    def url_of(self, record: Host) -> str:
        return reverse(f"admin:{provider_view(record.resource_class)}", args=(record.id,))

    @reachable
    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """A heartbeat is read on its provider's page."""
        if object_id is None or not self.has_view_permission(request):
            raise PermissionDenied
        try:
            found = locate(uuid_of(object_id))
        except NotFound:
            return self.gone(request, object_id)
        return redirect(f"admin:{provider_view(found.resource_class)}", found.provider_id)

    def host(self, record: Host) -> str:
        return record.name

    def alive(self, record: Host) -> str:
        return "yes" if record.heard.alive else silent_for(record.heard)

    def last_seen(self, record: Host) -> str | None:
        return time(record.heard.seen_at)

"""The admin of requests: the life of each, to read and to end: what was asked, the plan, what came of it, who moved it
and why. Claims are released here too: whoever releases one moves its request. Policies have a module of their own.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse

from conductor.audit_admin import audit_page
from conductor.claim_admin import ClaimAdmin
from conductor.find import RequestFilter, list_requests, read_request
from conductor.group_admin import group_page, group_url
from conductor.headroom_admin import headroom_page
from conductor.models import RequestRecord
from conductor.policy_admin import PolicyAdmin, PolicyDifferenceAdmin
from conductor.release_admin import end_page, release_page
from conductor.request_sections import as_json, decided, failures, history, plan, what_came
from conductor.several_admin import END
from conductor.states import ALL
from conductor.types import RequestView
from providers.admin_filters import REFUSED, cell_filter, uuid_of
from providers.admin_sections import events_url, short, time
from providers.records import CLAIM, INSTANCE
from providers.refusals import NotFound
from store.record_admin import RecordAdmin
from store.record_bulk import bulk_page
from store.record_pages import ListFilter, ListPage, Section, Selection
from store.record_reachable import reachable
from store.record_roles import ADMIN, OPERATOR, role_of

__all__ = ["ClaimAdmin", "PolicyAdmin", "PolicyDifferenceAdmin", "RequestAdmin"]


@admin.register(RequestRecord)
class RequestAdmin(RecordAdmin):
    not_found = (NotFound,)
    refused = REFUSED
    writable = False
    key_is_shown = True
    columns = ("request", "state", "cell", "consumer", "project", "claims", "attempts", "made")
    numbers = frozenset({"claims", "attempts"})
    selections = (Selection("End the chosen…", "conductor_end_requests", "request"),)

    def list_filters(self) -> Sequence[ListFilter]:
        states = tuple((state, state) for state in ALL)
        texts = (ListFilter("project", "project"), ListFilter("consumer", "consumer"))
        return [cell_filter(), ListFilter("state", "state", states), *texts]

    def list_page(self, filters: Mapping[str, str], search: str, limit: int, cursor: str | None) -> ListPage:
        page = list_requests(RequestFilter(**filters), limit, cursor)
        return ListPage(page.results, page.next)

    def read(self, key: str) -> RequestView:
        return read_request(uuid_of(key))

    def key_of(self, record: RequestView) -> str:
        return str(record.request_id)

    def sections(self, record: RequestView) -> Sequence[Section]:
        facts = [
            ("State", record.state),
            ("Consumer", record.consumer),
            ("Project", record.project),
            ("Asked by", record.username),
            ("Cell", record.cell or "any"),
            ("Attempts", record.attempts),
            ("Made", time(record.created_at)),
            ("Changed", time(record.updated_at)),
            ("Reason", record.reason or None),
            *decided(record),
        ]
        return [
            Section("Request", facts=facts),
            *what_came(record),
            plan(record),
            *failures(record),
            history(record),
            Section("As it was asked", facts=[("Body", as_json(record.body))]),
        ]

    def tools(self, request: HttpRequest, record: RequestView) -> Sequence[tuple[str, str]]:
        begin = record.created_at - dt.timedelta(minutes=1) if record.created_at else None
        return [
            ("Explain", reverse("explain-request", args=[record.request_id])),
            ("Events", events_url(request=record.request_id, order="oldest", **{"from": begin})),
            *([("Its group", group)] if (group := group_url(record)) else []),
        ]

    def get_urls(self) -> list[URLPattern]:
        views = (self.release_view, self.headroom_view, self.audit_view, self.end_view, self.groups_view)
        release, headroom, audit, end, groups = map(self.admin_site.admin_view, views)
        return [
            path("end-requests/", end, name="conductor_end_requests"),
            path("release-claims/", release, name="conductor_release_claims"),
            path("headroom/", headroom, name="conductor_headroom"),
            path("groups/", groups, name="conductor_groups"),
            path("audit/", audit, name="conductor_audit"),
            *super().get_urls(),
        ]

    @reachable
    def end_view(self, request: HttpRequest) -> HttpResponse:
        return bulk_page(self, request, END)

    @reachable
    def headroom_view(self, request: HttpRequest) -> HttpResponse:
        return headroom_page(self, request)

    @reachable
    def groups_view(self, request: HttpRequest) -> HttpResponse:
        return group_page(self, request)

    @reachable
    def audit_view(self, request: HttpRequest) -> HttpResponse:
        return audit_page(self, request)

    @reachable
    def release_view(self, request: HttpRequest) -> HttpResponse:
        return release_page(self, request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return role_of(request.user) in (OPERATOR, ADMIN)

    @reachable
    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        if not self.has_delete_permission(request):
            raise PermissionDenied
        try:
            return end_page(self, request, self.shown(self.read(object_id)))
        except NotFound:
            return self.gone(request, object_id)

    def request(self, record: RequestView) -> Any:
        return short(record.request_id)

    def claims(self, record: RequestView) -> int:
        return sum(1 for r in record.records if r.kind in (CLAIM, INSTANCE))

    def made(self, record: RequestView) -> str | None:
        return time(record.created_at)

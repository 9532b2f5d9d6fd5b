"""The admin of requests: the life of each, to read and to end: what was asked, the plan, what came of it, who moved it
and why. Claims are released here too: whoever releases one moves its request. Policies have a module of their own.
"""

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html

from conductor.audit_admin import audit_page
from conductor.explain_sections import explanation_sections
from conductor.find import RequestFilter, list_requests, read_request
from conductor.headroom_admin import headroom_page
from conductor.models import RequestRecord
from conductor.policy_admin import PolicyAdmin, PolicyDifferenceAdmin
from conductor.release_admin import end_page, release_page
from conductor.states import ALL
from conductor.types import RequestView
from events.tail import time_of
from providers.admin_filters import REFUSED, cell_filter, uuid_of
from providers.admin_sections import claim_link, events_url, provider_link, short, time, words
from providers.records import CLAIM, INSTANCE
from providers.refusals import NotFound
from store.record_admin import RecordAdmin
from store.record_pages import ListFilter, ListPage, Section
from store.record_reachable import reachable
from store.record_roles import ADMIN, OPERATOR, role_of

__all__ = ["PolicyAdmin", "PolicyDifferenceAdmin", "RequestAdmin"]


@admin.register(RequestRecord)
class RequestAdmin(RecordAdmin):
    not_found = (NotFound,)
    refused = REFUSED
    writable = False
    columns = ("request", "state", "cell", "consumer", "project", "claims", "attempts", "made")
    numbers = frozenset({"claims", "attempts"})

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
            *_decision(record),
        ]
        return [
            Section("Request", facts=facts),
            *_what_came(record),
            _plan(record),
            *_failures(record),
            _history(record),
            Section("As it was asked", facts=[("Body", _json(record.body))]),
        ]

    def tools(self, request: HttpRequest, record: RequestView) -> Sequence[tuple[str, str]]:
        begin = record.created_at - dt.timedelta(minutes=1) if record.created_at else None
        return [
            ("Explain", reverse("explain-request", args=[record.request_id])),
            ("Events", events_url(request=record.request_id, order="oldest", **{"from": begin})),
        ]

    def get_urls(self) -> list[URLPattern]:
        views = (self.release_view, self.headroom_view, self.audit_view)
        release, headroom, audit = map(self.admin_site.admin_view, views)
        return [
            path("release-claims/", release, name="conductor_release_claims"),
            path("headroom/", headroom, name="conductor_headroom"),
            path("audit/", audit, name="conductor_audit"),
            *super().get_urls(),
        ]

    @reachable
    def headroom_view(self, request: HttpRequest) -> HttpResponse:
        return headroom_page(self, request)

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


def _what_came(record: RequestView) -> list[Section]:
    found = {r.id: r for r in record.records if r.kind in (CLAIM, INSTANCE)}  # closed ids are no claims
    rows = [
        [
            claim_link(found[part.claim_id]) if part.claim_id in found else part.claim_id,
            provider_link(part.resource_class, part.provider_id, part.provider_name),
            part.resource_class,
            words(part.amounts),
            f"{found[part.claim_id].kind}, {found[part.claim_id].state}" if part.claim_id in found else part.state,
        ]
        for part in record.parts
    ]
    headers = ["Claim", "Provider", "Resource class", "Amounts", "State"]
    sections = [Section("Claims and instances", headers=headers, rows=rows, empty="Nothing is claimed.")]
    if record.explanation:
        sections += explanation_sections(record.explanation, "Why")
    return sections


def _decision(record: RequestView) -> list[tuple[str, Any]]:
    how = record.plan.decided if record.plan else None
    if how is None:
        return []
    policy = f"version {how['policy']} of the policy" if how["policy"] else "the settings"
    found = f"{how['fitting']} that fit in {how['shards']} of {how['of_shards']} shards"
    return [("Decided", f"by {policy}, search: {how['search']}, among {found}")]


def _plan(record: RequestView) -> Section:
    members = record.plan.members if record.plan else ()
    rows = [
        [m.number, m.resource_class, words(m.amounts), " → ".join(t.provider_name for t in m.tries)] for m in members
    ]
    note = (
        "Each tree is held, and the request's row commits them together." if record.plan and record.plan.holds else ""
    )
    headers = ["Member", "Resource class", "Amounts", "Tried in this order"]
    return Section("Plan", headers=headers, rows=rows, note=note, empty="There is no plan.")


def _failures(record: RequestView) -> list[Section]:
    rows = [[time(f.at), f.member, f.provider_name, f.reason] for f in record.failures]
    headers = ["When", "Member", "Provider", "Reason"]
    return [Section("Attempts that failed", headers=headers, rows=rows)] if rows else []


def _history(record: RequestView) -> Section:
    rows = [[time(time_of(line["id"])), line["state"], line["who"], line["why"]] for line in record.history]
    return Section("History", headers=["When", "State", "Who", "Why"], rows=rows, empty="No lines of history.")


def _json(value: Any) -> Any:
    return format_html("<pre>{}</pre>", json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False))

"""The admin of claims in flight: who holds what, what keeps it, and what an operator may do about that."""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html

from claims.find import ClaimFilter, find
from claims.models import ClaimRecord
from claims.types import STATES
from conductor.claim_sections import claim_sections, how_long, overdue_section
from conductor.in_flight import STRETCH, InFlight, judge, overdue_requests, stretch
from conductor.intervene_admin import ACTIONS, intervene_page
from conductor.several_admin import MOVE, TELL
from providers.admin_filters import REFUSED, cell_filter, uuid_filter, uuid_of
from providers.admin_sections import events_url, on_site, provider_link, request_link, short, words
from providers.records import CLAIM
from providers.refusals import NotFound
from store.record_admin import RecordAdmin
from store.record_bulk import bulk_page
from store.record_pages import ListFilter, ListPage, Section, Selection
from store.record_reachable import reachable
from store.record_roles import ADMIN, OPERATOR, role_of

AGES = {"60": "a minute", "600": "ten minutes", "3600": "an hour", "86400": "a day"}


@admin.register(ClaimRecord)
class ClaimAdmin(RecordAdmin):
    """Its records are claims with what keeps them (`InFlight`)."""

    not_found = (NotFound,)
    refused = REFUSED
    writable = False
    key_is_shown = True
    page_size = STRETCH
    columns = ("claim", "state", "keeps_it", "age", "cell", "provider", "takes", "consumer", "project", "request")
    selections = (
        Selection("Release the chosen claims…", "conductor_release_claims", "claim"),
        Selection("Place the chosen anew…", "conductor_move_claims", "claim"),
        Selection("Tell their hosts again…", "conductor_tell_claims", "claim"),
    )

    def list_filters(self) -> Sequence[ListFilter]:
        states = tuple((state, state) for state in STATES)
        ages = tuple((seconds, f"for {words}") for seconds, words in AGES.items())
        texts = [ListFilter(name, name) for name in ("consumer", "project")]
        return [
            cell_filter(),
            ListFilter("state", "state", states),
            ListFilter("keeps", "what keeps it", (("stuck", "Stuck ones"),)),
            ListFilter("older", "age", ages),
            ListFilter("provider", "provider id"),
            *texts,
        ]

    def list_page(self, filters: Mapping[str, str], search: str, limit: int, cursor: str | None) -> ListPage:
        wanted = ClaimFilter(
            cell=filters["cell"],
            state=filters["state"],
            provider=uuid_filter("provider", filters["provider"]),
            consumer=filters["consumer"],
            project=filters["project"],
            older_than=_instant(filters["older"]),
        )
        found = stretch(wanted, cursor, limit)
        shown = [one for one in found.claims if one.is_stuck or not filters["keeps"]]
        overdue = [] if cursor else overdue_section(overdue_requests(filters["cell"]))
        return ListPage(shown, found.next, [_counts(found.by_state, filters, bool(found.next or cursor)), *overdue])

    def read(self, key: str) -> InFlight:
        return judge([find(uuid_of(key))])[0]

    def key_of(self, record: InFlight) -> str:
        return str(record.record.id)

    def sections(self, record: InFlight) -> Sequence[Section]:
        return claim_sections(record)

    def tools(self, request: HttpRequest, record: InFlight) -> Sequence[tuple[str, str]]:
        claim = record.record
        begin = claim.created_at - dt.timedelta(minutes=1) if claim.created_at else None
        story = events_url(claim=claim.id, cell=claim.home.cell, order="oldest", **{"from": begin})
        why = f"{reverse('explain-request', args=[claim.request_id])}?{urlencode({'provider': claim.provider_id})}"
        tools = [("Explain", why), ("Events", story)]
        if claim.kind == CLAIM and role_of(request.user) in (OPERATOR, ADMIN):
            tools += [(a.label, reverse(f"admin:{self._view(n)}", args=[claim.id])) for n, a in ACTIONS.items()]
            tools.append(("Release…", f"{reverse('admin:conductor_release_claims')}?claim={claim.id}"))
        return [*tools, *on_site(claim.home.cell)]

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.intervene_view)
        pages = [path(f"<uuid:claim_id>/{name}/", view, {"action": name}, name=self._view(name)) for name in ACTIONS]
        several = {"move": self.move_view, "tell": self.tell_view}
        pages += [
            path(f"{name}-claims/", self.admin_site.admin_view(view), name=f"conductor_{name}_claims")
            for name, view in several.items()
        ]
        return [*pages, *super().get_urls()]

    @reachable
    def move_view(self, request: HttpRequest) -> HttpResponse:
        return bulk_page(self, request, MOVE)

    @reachable
    def tell_view(self, request: HttpRequest) -> HttpResponse:
        return bulk_page(self, request, TELL)

    @reachable
    def intervene_view(self, request: HttpRequest, claim_id: UUID, action: str) -> HttpResponse:
        if role_of(request.user) not in (OPERATOR, ADMIN):
            raise PermissionDenied
        try:
            return intervene_page(self, request, self.shown(self.read(str(claim_id))), ACTIONS[action])
        except NotFound:
            return self.gone(request, str(claim_id))

    def _view(self, name: str) -> str:
        return f"{self.opts.app_label}_{self.opts.model_name}_{name}"

    # The list's columns.

    def claim(self, record: InFlight) -> Any:
        return short(record.record.id)

    def keeps_it(self, record: InFlight) -> Any:
        return format_html('<span class="negative">{}</span>', record.problem) if record.problem else None

    keeps_it.short_description = "what keeps it"  # type: ignore[attr-defined]

    def age(self, record: InFlight) -> str | None:
        return how_long(record.record.created_at)

    def cell(self, record: InFlight) -> str:
        return record.record.home.cell

    def provider(self, record: InFlight) -> Any:
        claim = record.record
        return provider_link(claim.resource_class, claim.provider_id, claim.provider_name or short(claim.provider_id))

    def takes(self, record: InFlight) -> str:
        return words(record.record.amounts)

    def request(self, record: InFlight) -> Any:
        return request_link(record.record.request_id, short(record.record.request_id))

    def value(self, record: InFlight, column: str) -> Any:
        return super().value(record if hasattr(self, column) else record.record, column)


def _instant(seconds: str) -> dt.datetime | None:
    if seconds not in AGES:
        return None
    return dt.datetime.now(dt.UTC) - dt.timedelta(seconds=int(seconds))


def _counts(by_state: Mapping[str, int], filters: Mapping[str, str], is_part: bool) -> Section:
    kept = {name: value for name, value in filters.items() if value}
    rows = [
        (state, format_html('<a href="?{}">{}</a>', urlencode({**kept, "state": state}), by_state[state]))
        for state in STATES
        if by_state.get(state)
    ]
    note = "Of those on this page; there are more." if is_part else ""
    return Section("How many", facts=rows, note=note, empty="Nothing is in flight here.")

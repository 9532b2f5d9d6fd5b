"""The admin of claims: who holds what. Requests make and consume them; conductor/release_admin.py releases them."""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse

from claims.find import ClaimFilter, find, list_claims
from claims.models import ClaimRecord
from claims.types import STATES
from providers.admin_filters import REFUSED, cell_filter, uuid_filter, uuid_of
from providers.admin_sections import arithmetic, events_url, number, provider_link, request_link, short, time, words
from providers.records import CLAIM, Record, read_provider
from providers.refusals import NotFound
from store.record_admin import RecordAdmin
from store.record_pages import ListFilter, ListPage, Section, Selection
from store.record_roles import ADMIN, OPERATOR, role_of


@admin.register(ClaimRecord)
class ClaimAdmin(RecordAdmin):
    not_found = (NotFound,)
    refused = REFUSED
    writable = False
    columns = ("claim", "state", "cell", "provider", "takes", "consumer", "project", "made")
    selection = Selection("Release the chosen claims…", "conductor_release_claims", "claim")

    def list_filters(self) -> Sequence[ListFilter]:
        states = tuple((state, state) for state in STATES)
        texts = (ListFilter("provider", "provider id"), ListFilter("consumer", "consumer"))
        return [cell_filter(), ListFilter("state", "state", states), *texts]

    def list_page(self, filters: Mapping[str, str], search: str, limit: int, cursor: str | None) -> ListPage:
        wanted = ClaimFilter(
            cell=filters["cell"],
            state=filters["state"],
            provider=uuid_filter("provider", filters["provider"]),
            consumer=filters["consumer"],
        )
        page = list_claims(wanted, limit, cursor)
        return ListPage(page.results, page.next)

    def read(self, key: str) -> Record:
        return find(uuid_of(key))

    def key_of(self, record: Record) -> str:
        return str(record.id)

    def sections(self, record: Record) -> Sequence[Section]:
        tree, own = read_provider(record.provider_id)
        provider = provider_link(record.resource_class, own.id, own.row["name"])
        facts = [
            ("Kind", record.kind),
            ("State", record.state),
            ("Consumer", record.consumer),
            ("Project", record.project),
            ("Request", request_link(record.request_id)),
            ("Provider", provider),
            ("Cell", record.home.cell),
            ("Made", time(record.created_at)),
            ("Expires", time(record.expires_at)),
            ("Release asked for", "yes" if record.release_requested else "no"),
            ("Generation", number(record.generation)),
        ]
        if record.kind != CLAIM:
            facts.append(("Gives back", words(record.gives_back)))
        return [Section("Claim", facts=facts), arithmetic(tree, own)]

    def tools(self, request: HttpRequest, record: Record) -> Sequence[tuple[str, str]]:
        begin = record.created_at - dt.timedelta(minutes=1) if record.created_at else None
        story = events_url(claim=record.id, cell=record.home.cell, order="oldest", **{"from": begin})
        why = f"{reverse('explain-request', args=[record.request_id])}?{urlencode({'provider': record.provider_id})}"
        tools = [("Explain", why), ("Events", story)]
        if record.kind == CLAIM and role_of(request.user) in (OPERATOR, ADMIN):
            tools.append(("Release…", f"{reverse('admin:conductor_release_claims')}?claim={record.id}"))
        return tools

    def claim(self, record: Record) -> Any:
        return short(record.id)

    def cell(self, record: Record) -> str:
        return record.home.cell

    def provider(self, record: Record) -> Any:
        return provider_link(record.resource_class, record.provider_id, short(record.provider_id))

    def takes(self, record: Record) -> str:
        return words(record.amounts)

    def made(self, record: Record) -> str | None:
        return time(record.created_at)

"""The event log in the admin, to read: what happened in a cell, to a provider, a claim or a request, and when."""

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django.contrib import admin
from django.utils.dateparse import parse_datetime
from django.utils.html import format_html

from events.look_back import Wanted, find_event, look
from events.models import EventRecord
from events.tail import BadCursor
from events.types import TYPES, Event
from providers import cells
from providers.admin_filters import REFUSED, cell_filter, uuid_filter, uuid_of
from providers.admin_sections import link, provider_link, short
from providers.refusals import Invalid, NotFound
from store.record_admin import RecordAdmin
from store.record_pages import ListFilter, ListPage, Section

OLDEST = "oldest"


@admin.register(EventRecord)
class EventAdmin(RecordAdmin):
    not_found = (NotFound,)
    refused = REFUSED
    writable = False
    columns: ClassVar[tuple[str, ...]] = ("at", "type", "provider", "what", "request", "claim", "generation", "cell")
    numbers = frozenset({"generation"})

    def list_filters(self) -> Sequence[ListFilter]:
        return [
            cell_filter(),
            ListFilter("order", "order", ((OLDEST, "Oldest first"),), none="Newest first"),
            ListFilter("type", "type", tuple((one, one) for one in TYPES)),
            *(ListFilter(name, f"{name} id") for name in ("provider", "request", "claim")),
            *(ListFilter(name, f"{name} (UTC)", type="datetime-local") for name in ("from", "to")),
        ]

    def list_page(self, filters: Mapping[str, str], search: str, limit: int, cursor: str | None) -> ListPage:
        wanted = Wanted(
            type=filters["type"],
            provider_id=uuid_filter("provider", filters["provider"]),
            claim_id=uuid_filter("claim", filters["claim"]),
            request_id=uuid_filter("request", filters["request"]),
            since=_instant("from", filters["from"]),
            until=_instant("to", filters["to"]),
            oldest_first=filters["order"] == OLDEST,
        )
        try:
            found, following = look(_homes(filters["cell"]), wanted, limit, cursor)
        except BadCursor as error:
            raise Invalid("next", f"is {error}") from error
        return ListPage(found, following)

    def read(self, key: str) -> Event:
        event_id, _, cell = key.partition(".")
        found = find_event(cells.home_of(cell), uuid_of(event_id)) if uuid_of(event_id).version == 1 else None
        if found is None:
            raise NotFound(f"no event {event_id} in cell {cell}: it may be too long ago")
        return found

    def key_of(self, record: Event) -> str:
        return f"{record.id}.{record.cell}"

    def name_of(self, record: Event) -> str:
        return f"{record.type} at {self.at(record)}"

    def sections(self, record: Event) -> Sequence[Section]:
        facts = [
            ("Type", record.type),
            ("At", f"{self.at(record)} UTC"),
            ("Cell", record.cell),
            ("Provider", _provider(record, record.provider_id)),
            ("Request", _linked("conductor_requestrecord_change", record.request_id, record.request_id)),
            ("Claim", _linked("claims_claimrecord_change", record.claim_id, record.claim_id)),
            ("Generation", record.generation),
        ]
        return [Section("Event", facts=facts), Section("As it is in the log", facts=[("JSON", _json(record))])]

    def at(self, record: Event) -> str:
        return f"{record.at:%Y-%m-%d %H:%M:%S}.{record.at.microsecond // 1000:03}"

    def provider(self, record: Event) -> Any:
        name = (record.image or record.data).get("name")
        return _provider(record, name or (short(record.provider_id) if record.provider_id else None))

    def request(self, record: Event) -> Any:
        return _linked("conductor_requestrecord_change", record.request_id)

    def claim(self, record: Event) -> Any:
        return _linked("claims_claimrecord_change", record.claim_id)

    def what(self, record: Event) -> str:
        """What its data says besides."""
        return ", ".join(f"{name}: {_short(value)}" for name, value in record.data.items() if value not in (None, ""))


def _homes(name: str) -> list[Any]:
    if not name:
        return [cell.home for cell in cells.all_cells()]
    try:
        return [cells.find(name).home]
    except NotFound:
        return []


def _instant(name: str, text: str) -> dt.datetime | None:
    """Raises Invalid."""
    try:
        at = parse_datetime(text) if text else None
    except ValueError:
        at = None
    if text and at is None:
        raise Invalid(name, f"“{text}” is not a date and a time, like 2026-12-31 23:59")
    return at if at is None or at.tzinfo else at.replace(tzinfo=dt.UTC)


def _provider(record: Event, text: Any) -> Any:
    if record.provider_id is None:
        return None
    return provider_link(record.resource_class, record.provider_id, text) if record.resource_class else text


def _linked(view: str, identifier: Any, text: Any = None) -> Any:
    return link(view, identifier, text or short(identifier)) if identifier else None


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else f"{text[:79]}…"


def _json(record: Event) -> Any:
    whole = {
        name: getattr(record, name)
        for name in ("id", "cell", "type", "at", "provider_id", "root_id", "resource_class", "claim_id", "request_id")
    }
    whole |= {"generation": record.generation, "data": record.data, "image": record.image}
    return format_html("<pre>{}</pre>", json.dumps(whole, indent=2, default=str, ensure_ascii=False))

"""The list pages of Cassandra records: filters pushed down, a cursor instead of page numbers (nothing is counted)."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest
from django.urls import reverse

from store.record_export import FORMAT, FORMATS
from store.record_pages import AT_ONCE, ListFilter, ListPage, Row
from store.record_roles import role_of
from store.record_values import order

SEARCH, CURSOR = "q", "next"


def what_is_asked(admin: Any, request: HttpRequest) -> tuple[Sequence[ListFilter], dict[str, str], str]:
    """The list's filters, the value of each, and what is searched for."""
    filters = admin.list_filters()
    asked = {f.name: request.GET.get(f.name, "").strip() for f in filters}
    return filters, asked, request.GET.get(SEARCH, "").strip() if admin.search_help else ""


def list_context(
    admin: Any, request: HttpRequest, filters: Sequence[ListFilter], asked: Mapping[str, str], search: str
) -> dict[str, Any]:
    """Reads a page of the list; what its template needs. Raises StoreUnavailable."""
    cursor, refusal = request.GET.get(CURSOR, ""), ""
    try:
        page = admin.list_page(asked, search, admin.page_size, cursor or None)
    except admin.refused as error:
        page, refusal = ListPage(()), str(error)
    context = {
        "title": str(admin.opts.verbose_name_plural).capitalize(),
        "refusal": refusal,
        "sections": page.sections,
        "headers": headers(admin),
        "rows": rows(admin, page.records),
        "exports": [(kind.upper(), _query({**asked, FORMAT: kind}, search)) for kind in FORMATS],
        **_narrowing(filters, asked, search, cursor, page.next),
    }
    offered = [one for one in admin.offered() if role_of(request.user) in one.roles]
    if offered:
        context |= {"chosen_as": offered[0].field, "at_once": AT_ONCE}
        context["selections"] = [(one.label, reverse(f"admin:{one.view}")) for one in offered]
    return context


def _narrowing(
    filters: Sequence[ListFilter], asked: Mapping[str, str], search: str, cursor: str, following: str | None
) -> dict[str, Any]:
    """Filters, search and paging. `following` is the next page's cursor."""
    return {
        "filters": [_links(f, asked, search) for f in filters if f.choices],
        "inputs": [(f, asked[f.name]) for f in filters if not f.choices],
        "kept": [(f.name, asked[f.name]) for f in filters if f.choices and asked[f.name]],
        "search": search,
        "narrowed": bool(search or any(asked.values())),
        "first_url": _query(asked, search) if cursor else "",
        "next_url": _query(asked, search, following) if following else "",
    }


def _query(asked: Mapping[str, str], search: str, cursor: str = "") -> str:
    pairs = {**asked, SEARCH: search, CURSOR: cursor}
    return "?" + urlencode({name: value for name, value in pairs.items() if value})


def _links(one: ListFilter, asked: Mapping[str, str], search: str) -> tuple[str, list[tuple[str, str, bool]]]:
    chosen = asked[one.name]
    choices = [("", one.none), *one.choices]
    return one.title, [(_query({**asked, one.name: v}, search), label, v == chosen) for v, label in choices]


def headers(admin: Any) -> list[tuple[str, bool]]:
    """(label, is it a number) of each column."""
    names = admin.list_columns()
    labels = (getattr(getattr(admin, name, None), "short_description", name.replace("_", " ")) for name in names)
    return [(str(label), name in admin.numbers) for label, name in zip(labels, names, strict=True)]


def _cell(value: Any, number: bool) -> tuple[Any, bool, float | None]:
    return value, number, order(value)


def rows(admin: Any, records: Sequence[Any]) -> list[Row]:
    names = admin.list_columns()
    return [
        Row(
            admin.url_of(record),
            [_cell(admin.value(record, name), name in admin.numbers) for name in names],
            admin.key_of(record),
        )
        for record in records
    ]

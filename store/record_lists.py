"""The list pages of Cassandra records: filters pushed down, a cursor instead of page numbers (nothing is counted)."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from store.record_pages import ListFilter, Row

SEARCH, CURSOR = "q", "next"


def list_context(
    filters: Sequence[ListFilter], asked: Mapping[str, str], search: str, cursor: str, following: str | None
) -> dict[str, Any]:
    """What the list's template needs for its filters, search and paging. `following` is the next page's cursor."""
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


def rows(admin: Any, records: Sequence[Any]) -> list[Row]:
    names = admin.list_columns()
    return [
        Row(
            admin.url_of(record),
            [(admin.value(record, name), name in admin.numbers) for name in names],
            admin.key_of(record),
        )
        for record in records
    ]

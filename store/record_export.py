"""Lists as files, CSV or JSON: page after page is read and sent, so that a long list takes no more memory than a page.

A file that is not whole says so itself, because its first lines are on their way when Cassandra stops answering: JSON
ends with `"complete": false` and `why`, CSV with a line of one cell that begins with INCOMPLETE. One that was torn off
on its way has neither: JSON does not close, and an HTTP client is told that the answer broke off.
"""

import asyncio
import csv
import io
import json
import logging
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from django.conf import settings
from django.contrib.admin.models import CHANGE
from django.core.handlers.asgi import ASGIRequest
from django.db import close_old_connections
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse

from store.failures import SchemaMissing, StoreUnavailable
from store.record_history import write_entry
from store.record_pages import Shown
from store.record_values import plain

FORMAT, CSV, JSON = "format", "csv", "json"
FORMATS = {CSV: "text/csv; charset=utf-8", JSON: "application/json"}
A_PAGE = 200  # rows
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")  # what a spreadsheet takes for the beginning of one
Page = list[list[Any]]

_log = logging.getLogger("sched_portal.export")


def export(admin: Any, request: HttpRequest, asked: Mapping[str, str], search: str) -> HttpResponseBase:
    """The admin's list in the format that the query names. Raises StoreUnavailable while nothing is sent yet."""
    columns = admin.export_columns()
    labels = [name.rstrip("_") for name in columns]
    try:
        answer = respond(request, admin.opts.model_name, labels, _pages(admin, columns, asked, search))
    except admin.refused as error:
        return refusal(str(error))
    if answer.status_code == 200:
        narrowed = ", ".join(f"{name}={value}" for name, value in {**asked, "search": search}.items() if value)
        note_export(request, admin.model, admin.opts.verbose_name_plural, narrowed)
    return answer


def respond(request: HttpRequest, name: str, columns: Sequence[str], pages: Iterator[Page]) -> HttpResponseBase:
    """Streams the pages, lists of rows in the order of `columns`; the first is read before anything is sent. Raises
    what reading that raises."""
    kind = request.GET.get(FORMAT, "")
    if kind not in FORMATS:
        return refusal(f"“{kind[:20]}” is no format of a list: {' or '.join(FORMATS)}")
    first = next(pages, [])
    write = _csv if kind == CSV else _json
    chunks = write(columns, _limited(chain([first], pages)))
    # Django reads all of a synchronous iterator before it sends any of it, where it is served asynchronously.
    content = _each_in_a_thread(chunks) if isinstance(request, ASGIRequest) else chunks
    answer = StreamingHttpResponse(content, content_type=FORMATS[kind])
    answer["Content-Disposition"] = f'attachment; filename="{name}.{kind}"'
    answer["Cache-Control"] = "no-store"
    return answer


def refusal(text: str) -> HttpResponse:
    return HttpResponse(f"{text}\n", content_type="text/plain; charset=utf-8", status=400)


def note_export(request: HttpRequest, model: Any, plural: Any, narrowed: str) -> None:
    """Who took what away stands in the admin's log, from the moment that it begins."""
    of_list = Shown(None, "", f"list of {plural}", model._meta)
    what = f"Exported as {request.GET[FORMAT].upper()}: {narrowed or 'all'}"
    write_entry(request.user, model, of_list, CHANGE, what[:1000])


def _pages(admin: Any, columns: Sequence[str], asked: Mapping[str, str], search: str) -> Iterator[Page]:
    cursor = None
    while True:
        page = admin.list_page(asked, search, A_PAGE, cursor)
        yield [[admin.exported(record, name) for name in columns] for record in page.records]
        if not page.next or page.next == cursor:
            return
        cursor = page.next


def _limited(pages: Iterator[Page]) -> Iterator[Page | str]:
    """The pages, and at the end why they are not all: a text, empty when they are."""
    left = settings.EXPORT_ROWS
    why = ""
    try:
        for page in pages:
            yield page[:left]
            if len(page) > left:
                why = f"these are the first {settings.EXPORT_ROWS} rows, and there are more (EXPORT_ROWS)"
                break
            left -= len(page)
    except (StoreUnavailable, SchemaMissing) as error:
        why = f"{error}; export it again"
    except Exception:  # the answer is on its way: no page of an error can follow it
        _log.exception("an export broke off")
        why = "something went wrong; the portal's log says what"
    yield why


def _csv(columns: Sequence[str], pages: Iterator[Page | str]) -> Iterator[str]:
    yield _lines([columns])
    for page in pages:
        if not isinstance(page, str):
            yield _lines(page)
        elif page:
            yield _lines([[f"INCOMPLETE: {page}"]])


def _lines(rows: Sequence[Sequence[Any]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows([[_harmless(value) for value in row] for row in rows])
    return text.getvalue()


def _harmless(value: Any) -> Any:
    value = plain(value)
    if isinstance(value, list):
        value = ", ".join(str(one) for one in value)
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value


def _json(columns: Sequence[str], pages: Iterator[Page | str]) -> Iterator[str]:
    yield f'{{"columns": {json.dumps(columns)}, "rows": ['
    count = 0
    for page in pages:
        if isinstance(page, str):
            end = {"count": count, "complete": not page} | ({"why": page} if page else {})
            yield f"\n], {json.dumps(end, ensure_ascii=False)[1:]}\n"
            continue
        rows = (dict(zip(columns, (plain(value) for value in row), strict=True)) for row in page)
        texts = [json.dumps(row, ensure_ascii=False, default=str) for row in rows]
        yield "".join(f"{',' if count + at else ''}\n{text}" for at, text in enumerate(texts))
        count += len(texts)


async def _each_in_a_thread(chunks: Iterator[str]) -> AsyncIterator[str]:
    while (chunk := await asyncio.to_thread(_following, chunks)) is not None:
        yield chunk


def _following(chunks: Iterator[str]) -> str | None:
    close_old_connections()  # no request's end looks after this thread's SQL connection
    return next(chunks, None)

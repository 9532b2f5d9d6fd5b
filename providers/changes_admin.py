"""The admin's page of who did what to a provider, all of it, a page at a time."""

from django.http import HttpRequest, HttpResponse

from providers.admin_filters import uuid_of
from providers.history import read_history
from providers.operate_sections import HISTORY, history_rows, pages
from providers.refusals import Invalid
from store.record_admin import RecordAdmin
from store.record_lists import CURSOR
from store.record_pages import Section, Shown


def changes_page(admin: RecordAdmin, request: HttpRequest, shown: Shown) -> HttpResponse:
    """Raises NotFound."""
    cursor = request.GET.get(CURSOR, "")
    try:
        page = read_history(uuid_of(shown.pk), admin.page_size, cursor or None)
    except Invalid:
        cursor, page = "", read_history(uuid_of(shown.pk), admin.page_size)
    section = Section(
        "Who did what",
        headers=HISTORY,
        rows=history_rows(page.lines),
        note=pages(cursor, page.next),
        empty="Nothing yet.",
    )
    return admin.confirm(
        request, shown, "Changes", f"Who did what to “{shown}”, newest first.", "", title="Changes", sections=[section]
    )  # fmt: skip

"""The admin's log, to read: who did what to which record, when, and why. Django writes it for its own models, and
store/record_history.py for ours."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.admin.models import ACTION_FLAG_CHOICES, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db.models import Max, Q, QuerySet
from django.utils.html import format_html
from django.utils.safestring import SafeString

from store.record_admin import RecordAdmin
from store.record_pages import ListFilter, ListPage, Section
from store.record_values import said

STRETCH = 10_000  # entries that one page looks through, however rare what is asked for
ACTIONS = {str(flag): str(label) for flag, label in ACTION_FLAG_CHOICES}


class NoEntry(Exception):
    """There is no such entry (any more)."""


class BadNumber(Exception):
    """What the query says is no number that the log could have."""


@admin.register(LogEntry)
class LogEntryAdmin(RecordAdmin):
    not_found = (NoEntry, BadNumber)
    refused = (BadNumber,)
    writable = False
    columns: ClassVar[tuple[str, ...]] = ("when", "user", "kind", "object", "action", "message")
    search_help = "Part of an object’s id, or of a message"

    def list_filters(self) -> Sequence[ListFilter]:
        kinds = ContentType.objects.get_for_models(*self.admin_site._registry, for_concrete_models=False)
        labels = sorted((f"{model._meta.verbose_name}", str(kind.pk)) for model, kind in kinds.items())
        return [
            ListFilter("kind", "kind", tuple((key, label) for label, key in labels)),
            ListFilter("action", "action", tuple(ACTIONS.items())),
            ListFilter("user", "user name"),
        ]

    def list_page(self, filters: Mapping[str, str], search: str, limit: int, cursor: str | None) -> ListPage:
        """Newest first; the cursor is the number of the last entry that was looked at."""
        before = _number(cursor) if cursor else (LogEntry.objects.aggregate(last=Max("pk"))["last"] or 0) + 1
        begin = max(0, before - STRETCH)
        entries = _narrowed(filters, search).filter(pk__lt=before, pk__gte=begin)
        found = list(entries.select_related("user", "content_type").order_by("-pk")[: limit + 1])
        if len(found) > limit:
            return ListPage(found[:limit], str(found[limit - 1].pk))
        return ListPage(found, str(begin) if begin > 1 else None)

    def read(self, key: str) -> LogEntry:
        entry = LogEntry.objects.select_related("user", "content_type").filter(pk=_number(key)).first()
        if entry is None:
            raise NoEntry(f"no entry {key}")
        return entry

    def key_of(self, record: LogEntry) -> str:
        return str(record.pk)

    def name_of(self, record: LogEntry) -> str:
        return f"{record.user} at {self.when(record)}"

    def sections(self, record: LogEntry) -> Sequence[Section]:
        facts = [(name.capitalize(), getattr(self, name)(record)) for name in self.columns]
        return [Section("Entry", facts=[*facts, ("Object’s id", record.object_id or None)])]

    def when(self, record: LogEntry) -> Any:
        return said(f"{record.action_time:%Y-%m-%d %H:%M:%S} UTC", record.action_time.isoformat())

    def user(self, record: LogEntry) -> str:
        return str(record.user.get_username())

    def kind(self, record: LogEntry) -> str | None:
        return record.content_type.name if record.content_type else None

    def object(self, record: LogEntry) -> Any:
        """Exported it is the id; a list, which has none, is its name."""
        url = record.get_admin_url()
        text = format_html('<a href="{}">{}</a>', url, record.object_repr) if url else record.object_repr
        return said(text, record.object_id or record.object_repr)

    def action(self, record: LogEntry) -> str:
        return ACTIONS.get(str(record.action_flag), str(record.action_flag))

    def message(self, record: LogEntry) -> str | SafeString:
        return record.get_change_message()


def _narrowed(filters: Mapping[str, str], search: str) -> QuerySet[LogEntry]:
    entries = LogEntry.objects.all()
    search, user = (text.replace("\x00", "") for text in (search, filters["user"]))  # PostgreSQL refuses NUL
    if user:
        entries = entries.filter(user__username=user)
    if filters["kind"]:
        entries = entries.filter(content_type_id=_number(filters["kind"]))
    if filters["action"]:
        if filters["action"] not in ACTIONS:
            raise BadNumber(f"“{filters['action'][:50]}” is not an action")
        entries = entries.filter(action_flag=int(filters["action"]))
    if search:
        entries = entries.filter(Q(object_id__icontains=search) | Q(change_message__icontains=search))
    return entries


def _number(text: str) -> int:
    """Raises BadNumber."""
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise BadNumber(f"“{text[:50]}” is not a number of this list")
    return int(text)

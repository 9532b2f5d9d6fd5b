"""The history of Cassandra records in Django's own admin log, so that its history page and recent actions work."""

import json
from collections.abc import Sequence
from typing import Any

from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType

from store.record_pages import Shown


def write_entry(user: Any, model: Any, shown: Shown, flag: int, message: Sequence[Any] | str) -> None:
    """`message`: Django's own description of what changed in a form, or a sentence."""
    LogEntry.objects.create(
        user=user,
        content_type=_content_type(model),
        object_id=shown.pk,
        object_repr=str(shown)[:200],
        action_flag=flag,
        change_message=message if isinstance(message, str) else json.dumps(message),
    )


def last_entry(model: Any, key: str) -> LogEntry | None:
    entries = LogEntry.objects.filter(object_id=key, content_type=_content_type(model))
    return entries.select_related("user").order_by("-action_time").first()


def _content_type(model: Any) -> ContentType:
    return ContentType.objects.get_for_model(model, for_concrete_model=False)

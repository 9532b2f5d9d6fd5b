"""What operators say when they take a provider out of service: why, when, and how much is kept back."""

import datetime as dt
import re
from typing import Any

from django.utils.dateparse import parse_datetime

from api.fields import Fields
from providers.maintenance_windows import REASON

_INSTANT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:?\d\d)")
OF_STATE = 200  # characters of a reason that the state says with a word before it


def drain_start(body: Fields) -> tuple[str, int | None]:
    """The reason, and the state_version it is based on; None: whatever it is."""
    state_version = body.whole("state_version", None, least=1)
    return reason_of(body), state_version


def decommission(body: Fields) -> str:
    return reason_of(body, OF_STATE)


def reason_of(body: Fields, most: int = 255) -> str:
    """The mandatory reason, which is the last thing asked of a body."""
    found = body.label("reason", most=most)
    if found and not found.strip():
        body.wrong("reason", "must say something")
    body.done()
    return found


def window(body: Fields, now: dt.datetime) -> dict[str, Any]:
    """`from` (now when it is missing), `until`, `reason`, and an id of the caller's own."""
    found = {
        "from_at": instant(body, "from", now),
        "until_at": instant(body, "until"),
        "window_id": body.uuid("id", None),
    }
    return {**found, "reason": reason_of(body, REASON)}


def instant(body: Fields, name: str, default: dt.datetime | None = None) -> dt.datetime:
    """A moment in ISO 8601 with its offset from UTC. Without a default it must be there."""
    text = body.take(name) if default is None else body.take(name, None)
    instead = default or dt.datetime.now(dt.UTC)
    if name not in body:
        return instead
    try:
        found = parse_datetime(text) if isinstance(text, str) and _INSTANT.fullmatch(text) else None
        if found is not None:
            return found.astimezone(dt.UTC)
    except (ValueError, OverflowError):
        pass
    body.wrong(name, "must be an instant in ISO 8601, with Z or an offset: 2026-01-31T22:00:00Z")
    return instead

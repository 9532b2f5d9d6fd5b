"""Answers as JSON: one encoder for everything the API says, so that a time or an id looks the same everywhere."""

import datetime as dt
import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.http import HttpResponse

JSON = "application/json"
PROBLEM = "application/problem+json"


def encode(data: Any) -> bytes:
    """Compact JSON, UTF-8. Times become ISO 8601 in UTC, ending in Z."""
    return json.dumps(data, default=_plain, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def answer(
    data: Any, status: int = 200, headers: Mapping[str, str] | None = None, content_type: str = JSON
) -> HttpResponse:
    # Plain responses, not DRF's: choosing a renderer for the one format there is costs more than the encoding.
    return HttpResponse(encode(data), status=status, headers=dict(headers or {}), content_type=content_type)


def nothing() -> HttpResponse:
    """204: done, and there is nothing to say."""
    response = HttpResponse(status=204)
    del response["Content-Type"]
    return response


def moment(at: dt.datetime) -> str:
    return at.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")


def _plain(value: Any) -> Any:
    if isinstance(value, dt.datetime):
        return moment(value)
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, frozenset | set):
        return sorted(value)
    raise TypeError(f"{type(value).__name__} has no form in JSON")

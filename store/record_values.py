"""What a cell of a list says: as shown, as plain text or number in an export, and what it is sorted by."""

import datetime as dt
import html
from typing import Any

from django.utils.html import conditional_escape, strip_tags
from django.utils.safestring import SafeString


class Said(SafeString):
    """Text of a page that knows what it stands for: `plain` (whole, without markup) and `order`, the number that it is
    sorted by (None: its text)."""

    plain: Any
    order: float | None


def said(text: Any, plain: Any, order: float | None = None) -> Said:
    """`text` is escaped, unless it is markup already."""
    made = Said(conditional_escape(text))
    made.plain, made.order = plain, order
    return made


def same(markup: Any, value: Any) -> Any:
    """Markup around a value stands for what the value stands for."""
    return said(markup, value.plain, value.order) if isinstance(value, Said) else markup


def plain(value: Any) -> Any:
    """What an export has for it: a string, a number, a truth, None, or a list of them."""
    if isinstance(value, Said):
        return value.plain
    if isinstance(value, SafeString):
        return html.unescape(strip_tags(value))
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, dt.datetime):
        return value.isoformat()
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, set | frozenset):
        return sorted(str(plain(one)) for one in value)
    return str(value)


def order(value: Any) -> float | None:
    """The number that a list sorts it by; None: by its text."""
    if isinstance(value, Said):
        return value.order
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None

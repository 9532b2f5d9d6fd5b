"""Where a shadow policy would have chosen otherwise: noted beside the decision, listed newest first.

A note is worth less than an answer: one that cannot be written is left out, and each process writes a few a second.
"""

import datetime as dt
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from cassandra.util import datetime_from_uuid1, min_uuid_from_time, uuid_from_time
from django.conf import settings

from providers.refusals import Invalid, NotFound
from store.failures import StoreUnavailable
from store.session import keyspace, read, read_many, write

log = logging.getLogger("sched_portal.conductor")
A_SECOND = 20  # notes of one process
NAMED = 20  # hosts of each choice
HOUR = dt.timedelta(hours=1)
HOURS_AT_ONCE, HOURS_A_PAGE = 24, 240
_second: tuple[int, int] = (0, 0)  # which one, and how many were noted in it


@dataclass(frozen=True, slots=True)
class Difference:
    """Of one request: the names of the hosts that were chosen, and of those that the shadow would have chosen; of each
    the first NAMED, empty when there was none."""

    id: UUID  # timeuuid
    at: dt.datetime
    request_id: UUID
    real_version: int
    shadow_version: int
    resource_class: str
    real: tuple[str, ...]
    shadow: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """Newest first, and the cursor for the next ones (None: that was all). May be short before the end."""

    results: Sequence[Difference]
    next: str | None


def note_difference(
    request_id: UUID,
    real_version: int,
    shadow_version: int,
    resource_class: str,
    real: Sequence[str],
    shadow: Sequence[str],
) -> None:
    """Plain write with a time to live, never an error."""
    global _second  # two threads may both count one note: that is one more than there should be
    now = int(time.monotonic())
    count = _second[1] + 1 if _second[0] == now else 1
    if count > A_SECOND:
        return
    _second = (now, count)
    identifier = uuid_from_time(time.time())
    try:
        write(
            f"INSERT INTO {_table()} (hour, id, request_id, real_version, shadow_version, resource_class, real_choice, "
            "shadow_choice) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [
                *(_hour(_time_of(identifier)), identifier, request_id, real_version, shadow_version),
                *(resource_class, list(real[:NAMED]), list(shadow[:NAMED])),
            ],
        )
    except StoreUnavailable as error:
        log.warning("a shadow's other choice was not noted: %s", error)


def differences(limit: int, cursor: str | None = None) -> Page:
    """Raises Invalid for a cursor that is none."""
    now = dt.datetime.now(dt.UTC)
    oldest = _hour(now - dt.timedelta(seconds=settings.EVENTS_TTL))
    before = _cursor(cursor) if cursor else min_uuid_from_time((now + HOUR).timestamp())
    first = min(_hour(now), _hour(_time_of(before)))
    hours = [hour for n in range(HOURS_A_PAGE) if (hour := first - n * HOUR) >= oldest]
    cql = f"SELECT * FROM {_table()} WHERE hour = ? AND id < ? LIMIT ?"
    found: list[Difference] = []
    for begin in range(0, len(hours), HOURS_AT_ONCE):
        block = hours[begin : begin + HOURS_AT_ONCE]
        for rows in read_many((cql, [hour, before, limit + 1 - len(found)]) for hour in block):
            found += map(_difference, rows)
        if len(found) > limit:
            return Page(found[:limit], str(found[limit - 1].id))
    end = first - HOURS_A_PAGE * HOUR
    return Page(found, str(min_uuid_from_time((end + HOUR).timestamp())) if end >= oldest else None)


def find_difference(identifier: UUID) -> Difference:
    """Raises NotFound."""
    rows = []
    if identifier.version == 1:
        hour = _hour(_time_of(identifier))
        rows = read(f"SELECT * FROM {_table()} WHERE hour = ? AND id = ?", [hour, identifier])
    if not rows:
        raise NotFound(f"no difference {identifier}: it may be too long ago")
    return _difference(rows[0])


def image_of(difference: Difference) -> dict[str, Any]:
    """Its API form."""
    return {
        "id": difference.id,
        "at": difference.at,
        "request_id": difference.request_id,
        "version": difference.real_version,
        "shadow_version": difference.shadow_version,
        "resource_class": difference.resource_class,
        "chosen": list(difference.real),
        "shadow_chose": list(difference.shadow),
    }


def _table() -> str:
    return f"{keyspace()}.policy_differences"


def _hour(at: dt.datetime) -> dt.datetime:
    return at.replace(minute=0, second=0, microsecond=0)


def _time_of(identifier: UUID) -> dt.datetime:
    return datetime_from_uuid1(identifier).replace(tzinfo=dt.UTC)  # type: ignore[no-any-return]


def _cursor(text: str) -> UUID:
    try:
        found = UUID(text)
    except ValueError as error:
        raise Invalid("next", "is not a cursor of this list") from error
    if found.version != 1:
        raise Invalid("next", "is not a cursor of this list")
    return found


def _difference(row: Mapping[str, Any]) -> Difference:
    return Difference(
        row["id"],
        _time_of(row["id"]),
        row["request_id"],
        row["real_version"],
        row["shadow_version"],
        row["resource_class"],
        tuple(row["real_choice"] or ()),
        tuple(row["shadow_choice"] or ()),
    )

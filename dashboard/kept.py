"""The changes of the last minute, so that a viewer who was away is told only what it missed."""

import datetime as dt
from collections import deque
from uuid import UUID

from dashboard.types import Delta
from events.tail import time_of

KEPT = dt.timedelta(seconds=60)
MARGIN = dt.timedelta(seconds=10)  # told twice: late events, and silences that another process noticed earlier


class Kept:
    """Changes by the time they were told, complete from `since` on."""

    def __init__(self, since: dt.datetime) -> None:
        self._since = since
        self._told: deque[tuple[dt.datetime, Delta]] = deque()

    def add(self, at: dt.datetime, delta: Delta) -> None:
        self._told.append((at, delta))
        while self._told[0][0] < at - KEPT:
            self._since = max(self._since, self._told.popleft()[0])

    def after(self, cursor: UUID) -> Delta | None:
        """What was told after the cursor, of whichever process it is; None when that is not known here any more."""
        start = time_of(cursor) - MARGIN
        if start < self._since or start > dt.datetime.now(dt.UTC):
            return None
        missed = Delta()
        for at, delta in self._told:
            if at >= start:
                missed.merge(delta)
        return missed

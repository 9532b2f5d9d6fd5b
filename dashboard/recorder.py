"""Keeps every cell's figures and checkpoints: in the conductors' processes, one of them a cell, by a lease.

It follows a cell as the dashboard does (dashboard/follow.py). Dies it, another takes the cell on when its lease is
over; the rows of the time between are missing, which the charts show as a gap.
"""

import datetime as dt
import logging
import threading
import time
from collections.abc import Sequence

from django.conf import settings

from conductor import lease
from dashboard import checkpoints, figures_table
from dashboard.figures import Figures, Tally, figures, together
from dashboard.figures_table import MINUTE, STEP
from dashboard.follow import Watch, watch
from dashboard.types import State
from events.types import Event
from providers import cells
from store.failures import SchemaMissing, StoreUnavailable
from store.home import Home

log = logging.getLogger("sched_portal.dashboard")

LEASE, RENEW = 30, 8.0  # seconds
MANY = 10_000  # events after which a checkpoint is due, whatever the time
QUIET = 3600.0  # seconds without an event after which one is due


class KeepFigures:
    """All cells that no other conductor keeps. Called about once a second."""

    def __init__(self) -> None:
        self._kept: dict[Home, Keeper] = {}

    def __call__(self) -> None:
        if not settings.DASHBOARD_RECORD:
            return
        homes = {cell.home for cell in cells.all_cells()}
        for home in self._kept.keys() - homes:
            self._drop(home)
        for home in homes:
            self._look_after(home)

    def _look_after(self, home: Home) -> None:
        keeper = self._kept.get(home)
        if keeper is None or keeper.is_to_renew():
            if not lease.take(home, _lease(home), LEASE):
                if keeper is not None:
                    self._drop(home)
                return
            keeper = self._kept.setdefault(home, keeper or Keeper(home))
            keeper.renewed = time.monotonic()
        keeper.keep()

    def _drop(self, home: Home) -> None:
        self._kept.pop(home).end()

    def give_back(self) -> None:
        for home in list(self._kept):
            self._drop(home)
            try:
                lease.give_back(home, _lease(home))
            except (StoreUnavailable, SchemaMissing) as error:
                log.warning("%s; the lease of %s's figures ends by itself", error, home.cell)


def _lease(home: Home) -> str:
    return f"figures:{home.cell}"


class Keeper:
    """One cell's."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.renewed = 0.0
        self._watch: Watch | None = None
        self._lock = threading.Lock()
        self._tally = Tally()
        self._due = _next(STEP)
        self._rows: list[Figures] = []
        self._samples: list[float] = []
        self._kept_at = 0.0  # the last checkpoint
        self._events = 0  # since then

    def is_to_renew(self) -> bool:
        return time.monotonic() - self.renewed > RENEW

    def keep(self) -> None:
        """Writes what is due. Raises StoreUnavailable."""
        if self._watch is None or not self._watch.is_alive():
            self._watch = watch(self.home)
            self._watch.listen(self._hear)
        now = dt.datetime.now(dt.UTC)
        if now < self._due:
            return
        at, self._due = self._due, _next(STEP)
        reading = self._watch.reading()
        if reading is None:
            return
        state, cursor = reading
        with self._lock:
            tally, self._tally = self._tally, Tally()
        row = figures(state, tally, at, STEP)
        self._events += tally.events
        figures_table.put(self.home, row)
        self._minute(row, tally.to_active)
        self._checkpoint(state, cursor, now)

    def end(self) -> None:
        if self._watch is not None:
            self._watch.unlisten(self._hear)

    def _hear(self, events: Sequence[Event], before: State) -> None:
        """In the watch's thread."""
        with self._lock:
            self._tally.hear(events, before)

    def _minute(self, row: Figures, samples: Sequence[float]) -> None:
        self._rows.append(row)
        self._samples += samples
        if dt.datetime.fromisoformat(row["at"]).second < STEP:
            figures_table.put(self.home, together(self._rows, self._samples, MINUTE))
            self._rows, self._samples = [], []

    def _checkpoint(self, state: State, cursor: str, now: dt.datetime) -> None:
        ago = time.monotonic() - self._kept_at
        is_due = self._kept_at == 0.0 or self._events >= MANY or (self._events and ago >= settings.TIMELINE_CHECKPOINT)
        if is_due or ago >= QUIET:
            checkpoints.put(self.home, state, cursor, now)
            self._kept_at, self._events = time.monotonic(), 0


def _next(step: int) -> dt.datetime:
    """The end of the step that now is in."""
    stamp = int(time.time())
    return dt.datetime.fromtimestamp(stamp - stamp % step + step, dt.UTC)

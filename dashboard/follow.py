"""One subscription per cell and process, however many look at it: reads the cell, tails its events, and tells everybody
what changed, at most every DASHBOARD_INTERVAL seconds.

A thread, since Cassandra's reads block. It says how far behind it is, so that a page never shows an old state as a live
one.
"""

import datetime as dt
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from cassandra.util import max_uuid_from_time
from django.conf import settings

from dashboard.apply import apply, hear, line_of
from dashboard.figures_table import newest
from dashboard.kept import Kept
from dashboard.message import SNAPSHOT, Head, Message, delta_of, encode, whole
from dashboard.snapshot import compare, load, vital
from dashboard.types import LINES, Delta, Line, State, Vital
from dashboard.viewer import Audience
from events.tail import OVERLAP, Follower, decode_cursor, encode_cursor, horizon
from events.types import Event
from store.failures import SchemaMissing, StoreUnavailable
from store.home import Home

log = logging.getLogger("sched_portal.dashboard")

LOOK_AGAIN = 3.0  # seconds between two looks at heartbeats
COMPARE = 15.0  # seconds between two looks for what the log did not tell
PULSE = 2.0  # seconds after which a quiet cell says that it is live all the same
LINGER = 30.0  # seconds that a cell nobody looks at is followed on: a page that is loaded again
PATIENCE = 8.0  # seconds that a newcomer waits for the first reading of a cell
FIGURES = 2.5  # seconds between two looks for new figures of the cell

Listener = Callable[[Sequence[Event], State], None]  # events that were seen, and the state before them


class NotReady(Exception):
    """The cell could not be read yet; Cassandra is away or slow."""


class Watch(threading.Thread):
    """Follows one cell and tells its viewers."""

    def __init__(self, home: Home) -> None:
        super().__init__(name=f"watch-{home.cell}", daemon=True)
        self.home = home
        self.state = State()
        self.viewers: set[Audience] = set()
        self.listeners: list[Listener] = []
        self.ended = False
        self._lock = threading.RLock()  # state, viewers and what is kept change together
        self._ready = threading.Event()
        self._upto = horizon()  # everything before this instant is in `state`
        self._kept = Kept(self._upto)
        self._cursor = ""
        self._snapshot: Message | None = None
        self._lines: deque[Line] = deque(maxlen=LINES)
        self._figures: Mapping[str, Any] | None = None
        self._last_told = self._last_look = self._last_compare = self._last_figures = 0.0
        self._alone_since = time.monotonic()

    # Called for viewers, from other threads

    def join_in(self, viewer: Audience, after: str | None) -> Message:
        """Counts the viewer in and says what it is sent first: what it missed since the cursor, or a snapshot.

        Raises NotReady, BadCursor.
        """
        cursor = decode_cursor(after) if after is not None else None
        if not self._ready.wait(PATIENCE):
            raise NotReady(f"cell {self.home.cell} could not be read within {PATIENCE:.0f} s")
        with self._lock:
            self.viewers.add(viewer)
            viewer.restart()
            missed = self._kept.after(cursor) if cursor is not None else None
            return self._whole() if missed is None else delta_of(self._head(), missed)

    def leave(self, viewer: Audience) -> None:
        with self._lock:
            self.viewers.discard(viewer)
            self._alone_since = time.monotonic()

    def expect(self) -> None:
        """Somebody is about to join."""
        with self._lock:
            self._alone_since = time.monotonic()

    def listen(self, listener: Listener) -> None:
        """Has it called with all that happens from here on, in this watch's thread, which lives on for it."""
        with self._lock:
            self.listeners.append(listener)

    def unlisten(self, listener: Listener) -> None:
        with self._lock:
            self.listeners = [one for one in self.listeners if one != listener]
            self._alone_since = time.monotonic()

    def snapshot(self) -> Message:
        """The cell as it is. Raises NotReady."""
        if not self._ready.wait(PATIENCE):
            raise NotReady(f"cell {self.home.cell} could not be read within {PATIENCE:.0f} s")
        with self._lock:
            return self._whole()

    def reading(self) -> tuple[State, str] | None:
        """A copy of the state, which stays as it is, and its cursor; None while it is not read, or behind."""
        with self._lock:
            if not self._ready.is_set() or self._head().behind:
                return None
            state = State(dict(self.state.hosts), dict(self.state.claims), vital=self.state.vital)
            return state, self._cursor

    # The thread

    def run(self) -> None:
        interval = min(1.0, max(0.25, settings.DASHBOARD_INTERVAL))
        follower: Follower | None = None
        away = False
        while not self._is_over():
            began = time.monotonic()
            try:
                follower = follower or self._begin()
                self._tell(self._look(follower))
                if self._is_due("_last_compare", COMPARE):
                    self._tell(self._repair())
                away = False
            except (StoreUnavailable, SchemaMissing) as error:
                if not away:
                    log.warning("cell %s: %s; trying until it answers", self.home.cell, error)
                away = True
                self._tell(Delta())
                time.sleep(1.0)
            except Exception:  # the thread must live: begin anew, everybody gets a snapshot
                log.exception("following cell %s failed; beginning anew", self.home.cell)
                follower = None
                time.sleep(1.0)
            time.sleep(max(0.05, interval - (time.monotonic() - began)))

    def _begin(self) -> Follower:
        # Follows from a little before the reading: what is told twice changes nothing.
        start = horizon()
        early = start - dt.timedelta(seconds=OVERLAP)
        follower = Follower(self.home, encode_cursor(max_uuid_from_time(early.timestamp())))
        state = load(self.home)
        with self._lock:
            self.state, self._snapshot = state, None
            self._upto, self._kept, self._cursor = start, Kept(start), follower.cursor
            for viewer in self.viewers:
                viewer.offer(self._whole())
        self._last_look = self._last_compare = time.monotonic()
        self._ready.set()
        return follower

    def _look(self, follower: Follower) -> Delta:
        """What changed since the last look. The log is read last: whatever fails before it, no event is lost."""
        upto = horizon()
        fresh = vital(self.home) if self._is_due("_last_look", LOOK_AGAIN) else None
        figures = newest(self.home) if self._is_due("_last_figures", FIGURES) else None
        changed = self._put(follower.poll(), fresh)
        if figures is not None and figures != self._figures:
            self._figures = changed.figures = figures
        with self._lock:
            self._upto = max(self._upto, upto)
            # Up to OVERLAP behind the head nothing can be added any more, so a quiet cell's cursor moves on as well.
            settled = encode_cursor(max_uuid_from_time((self._upto - dt.timedelta(seconds=OVERLAP)).timestamp()))
            self._cursor = max(settled, follower.cursor, key=lambda cursor: decode_cursor(cursor).time)
        return changed

    def _repair(self) -> Delta:
        """What the log did not tell."""
        repaired = compare(self.state, self.home)
        with self._lock:
            self.state.put(repaired)
        return repaired

    def _is_due(self, last: str, every: float) -> bool:
        now = time.monotonic()
        due = bool(now - getattr(self, last) >= every)
        if due:
            setattr(self, last, now)
        return due

    def _put(self, events: list[Event], fresh: Mapping[str, Vital] | None) -> Delta:
        changed = Delta()
        with self._lock:
            for listener in self.listeners:
                listener(events, self.state)
            lines = [line_of(event) for event in events]
            self._lines.extend(lines)
            changed.lines = lines[-LINES:]
            for event in events:
                delta = apply(self.state, event)
                self.state.put(delta)
                changed.merge(delta)
            if fresh is not None:
                delta = hear(self.state, fresh)
                self.state.put(delta)
                self.state.vital = fresh
                changed.merge(delta)
        return changed

    def _tell(self, changed: Delta) -> None:
        now = time.monotonic()
        if not changed and now - self._last_told < PULSE:
            return
        with self._lock:
            if changed:
                self._kept.add(dt.datetime.now(dt.UTC), changed)
            self._snapshot = None  # its time is old even where nothing else is
            message = delta_of(self._head(), changed)
            self.viewers = {viewer for viewer in self.viewers if not viewer.gone}
            for viewer in self.viewers:
                viewer.offer(message)
        self._last_told = now

    def _head(self) -> Head:
        return Head(self._cursor, max(0.0, (horizon() - self._upto).total_seconds() - 1.0))

    def _whole(self) -> Message:
        if self._snapshot is None:
            self._snapshot = encode(
                SNAPSHOT, self._head(), whole(self.home.cell, self.state, list(self._lines), self._figures)
            )
        return self._snapshot

    def _is_over(self) -> bool:
        with _registry, self._lock:
            if not self.viewers and not self.listeners and time.monotonic() - self._alone_since > LINGER:
                self.ended = True
            if self.ended and _watches.get(self.home) is self:
                del _watches[self.home]
            return self.ended


_watches: dict[Home, Watch] = {}
_registry = threading.RLock()


def watch(home: Home) -> Watch:
    """This process's subscription to the cell, begun by the first who asks."""
    with _registry:
        found = _watches.get(home)
        if found is None or not found.is_alive():
            found = _watches[home] = Watch(home)
            found.start()
        found.expect()
        return found


def end_all() -> None:
    """Ends every subscription of this process and waits until they have."""
    with _registry:
        ending = list(_watches.values())
        for one in ending:
            one.ended = True
    for one in ending:
        one.join()

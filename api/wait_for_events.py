"""Rings when a cell has news: one reader of the log per cell and process, however many clients wait.

A hundred clients that each ask Cassandra once a second would be a hundred queries a second for nothing.
"""

import logging
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from django.conf import settings

from events.tail import Follower
from store.failures import StoreUnavailable
from store.home import Home

log = logging.getLogger("sched_portal.api")

PAUSE = 0.25  # seconds between two looks at a cell's log
Bell = threading.Event


class _Watch:
    """Looks at one cell's log while somebody waits for it."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._bells: set[Bell] = set()
        self._lock = threading.Lock()
        self._is_running = False

    def join(self, bell: Bell) -> None:
        with self._lock:
            self._bells.add(bell)
            if not self._is_running:
                self._is_running = True
                # The follower is made here, before its client looks for itself: what comes after that look, rings.
                arguments = (Follower(self._home),)
                threading.Thread(
                    target=self._run, args=arguments, name=f"events {self._home.cell}", daemon=True
                ).start()

    def leave(self, bell: Bell) -> None:
        with self._lock:
            self._bells.discard(bell)

    def _run(self, follower: Follower) -> None:
        due: list[float] = []
        while self._is_wanted():
            time.sleep(PAUSE)
            if due and due[0] <= time.time():
                due = [at for at in due if at > time.time()]
                self._ring()
            try:
                fresh = follower.poll()
            except StoreUnavailable as error:
                log.debug("events of %s: %s", self._home.cell, error)
                continue
            except Exception:  # whatever it is, nobody must wait for a thread that is gone
                log.exception("events of %s", self._home.cell)
                continue
            # A page stops where no earlier event can turn up any more: who is woken before that finds nothing.
            due += [event.at.timestamp() + settings.EVENTS_SETTLE for event in fresh]

    def _is_wanted(self) -> bool:
        with self._lock:
            self._is_running = bool(self._bells)
            return self._is_running

    def _ring(self) -> None:
        with self._lock:
            for bell in self._bells:
                bell.set()


_watches: dict[Home, _Watch] = {}
_lock = threading.Lock()


@contextmanager
def news_of(homes: Sequence[Home]) -> Iterator[Bell]:
    """A bell that rings whenever one of these cells has new events. Look once more after getting it, then wait."""
    bell = Bell()
    with ExitStack() as stack:
        for home in homes:
            watch = _watch(home)
            watch.join(bell)
            stack.callback(watch.leave, bell)
        yield bell


def _watch(home: Home) -> _Watch:
    with _lock:
        return _watches.setdefault(home, _Watch(home))

"""A value that each process keeps for a while: what hardly ever changes, and every decision needs."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from django.conf import settings

from store.failures import StoreUnavailable

log = logging.getLogger("sched_portal.store")
T = TypeVar("T")


class Kept(Generic[T]):
    """What `load` read, at the most POLICY_REFRESH seconds old; older while Cassandra does not answer.

    One thread reads it anew, the others go on with what there is.
    """

    def __init__(self, load: Callable[[], T]) -> None:
        self._load = load
        self._kept: tuple[float, T] | None = None  # until when, and the value
        self._forgotten = 0
        self._reading = threading.Lock()

    def get(self) -> T:
        """Raises StoreUnavailable when it was never read."""
        kept = self._kept
        if kept is not None and time.monotonic() < kept[0]:
            return kept[1]
        if kept is not None and not self._reading.acquire(blocking=False):
            return kept[1]
        if kept is None:
            self._reading.acquire()
        try:
            return self._read()
        finally:
            self._reading.release()

    def forget(self) -> None:
        """The next `get` reads it, after a write of this process's own."""
        self._forgotten += 1
        if self._kept is not None:
            self._kept = (0.0, self._kept[1])

    def _read(self) -> T:
        kept, forgotten = self._kept, self._forgotten
        if kept is not None and time.monotonic() < kept[0]:  # another thread was first
            return kept[1]
        try:
            value = self._load()
        except StoreUnavailable as error:
            if kept is None:
                raise
            log.warning("kept for now, because it cannot be read anew: %s", error)
            value = kept[1]
        # What was written while it was read may not be in it.
        until = time.monotonic() + settings.POLICY_REFRESH if forgotten == self._forgotten else 0.0
        self._kept = (until, value)
        return value

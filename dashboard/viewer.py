"""One connection's place in the audience: a short queue between the thread that follows a cell and an event loop."""

import asyncio
import threading
from collections import deque
from typing import Protocol

from dashboard.message import Message

WAITING = 64  # messages that may wait for a slow reader; with one more it gets a new snapshot instead
UNREAD = 32  # messages on the wire that a reader who acknowledges has not acknowledged, before the rest waits here


class Audience(Protocol):
    """Whoever is told: a connection, or a poll that waits."""

    gone: bool

    def offer(self, message: Message) -> None: ...

    def restart(self) -> None: ...


class Viewer:
    """`offer` is called from the following thread, everything else on the event loop `loop`."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.woken = asyncio.Event()
        self.gone = False
        self._loop = loop
        self._waiting: deque[Message] = deque()
        self._lock = threading.Lock()
        self._missed = False

    def offer(self, message: Message) -> None:
        with self._lock:
            if len(self._waiting) >= WAITING:
                self._waiting.clear()
                self._missed = True
            if not self._missed:
                self._waiting.append(message)
        self.wake()

    def wake(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self.woken.set)
        except RuntimeError:  # the loop is closed: its connection is gone with it
            self.gone = True

    def take(self) -> tuple[list[Message], bool]:
        """What waits, and whether something was missed, so that only a new snapshot helps."""
        with self._lock:
            messages, missed = list(self._waiting), self._missed
            self._waiting.clear()
            return messages, missed

    def restart(self) -> None:
        """A snapshot or a resumption covers everything that waited."""
        with self._lock:
            self._waiting.clear()
            self._missed = False

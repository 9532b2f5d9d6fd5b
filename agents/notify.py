"""Tells the agents connected to this process when there may be orders: one thread a cell follows its event log.

What is told is a hint and carries nothing: the agent then asks for its orders, and the records decide. A lost one costs
the time until the agent's next look, never a claim. So any process may write a claim, and any other tell its host.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Collection, Iterable, Mapping, Set
from uuid import UUID

from events.tail import BRIEF, OVERLAP, Follower
from events.types import CLAIM_CHANGED, CLAIM_REFUSED, CLAIM_TAKEN, PROVIDER_REPAIRED, Event
from providers.records import Location, location_of
from store.failures import SchemaMissing, StoreUnavailable
from store.home import Home
from store.session import keyspace, read_many

log = logging.getLogger("sched_portal.agents")

PAUSE = 0.2  # seconds between two looks at a cell's log; longer when a look takes longer
REREAD = 0.3  # seconds that a look reads again; with the log's whole overlap a busy cell is read fifteen times over
THOROUGH = 2.0  # seconds between two looks that do that all the same, for events that were written late
LINGER = 5.0  # seconds that a cell is followed on after its last agent left: one that comes back
GAP = 10.0  # seconds without a look after which the log is not caught up with: everybody looks for himself instead

# To build, to be released or destroyed, and what stands in for an event that a crash swallowed.
TELLING = frozenset({CLAIM_TAKEN, CLAIM_CHANGED, CLAIM_REFUSED, PROVIDER_REPAIRED})


class Listener:
    """One connection. `tell` and `tell_missed` are called from following threads, the rest on the event loop `loop`."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.woken = asyncio.Event()
        self._loop = loop
        self._lock = threading.Lock()
        self._told: set[UUID] = set()
        self._missed: set[UUID] = set()

    def tell(self, providers: Iterable[UUID]) -> None:
        """There may be orders for these."""
        with self._lock:
            self._told.update(providers)
        self._wake()

    def tell_missed(self, providers: Iterable[UUID]) -> None:
        """Something may have happened to these that was not told."""
        with self._lock:
            self._missed.update(providers)
        self._wake()

    def take(self) -> tuple[set[UUID], set[UUID]]:
        """What waits: told and missed. However often it was said, it is there once."""
        with self._lock:
            told, missed, self._told, self._missed = self._told, self._missed, set(), set()
            return told, missed

    def _wake(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self.woken.set)
        except RuntimeError:  # the loop is closed, and the connection is gone with it
            log.debug("a listener's event loop is closed")


class Watch(threading.Thread):
    """Follows one cell's log while agents listen."""

    def __init__(self, home: Home) -> None:
        super().__init__(name=f"agents-{home.cell}", daemon=True)
        self._home = home
        # Made here, before the first agent looks for itself: what comes after that look is told.
        self._follower = Follower(home, columns=BRIEF)
        self._looked = self._thorough = time.monotonic()
        self._left = time.monotonic()
        self.listeners: dict[UUID, set[Listener]] = {}

    def run(self) -> None:
        away = False
        while not self._is_over():
            began = time.monotonic()
            try:
                self._look()
                away = False
            except (StoreUnavailable, SchemaMissing) as error:
                if not away:
                    log.warning("cell %s: %s; agents poll until it answers", self._home.cell, error)
                away = True
            except Exception:  # the thread must live; after GAP it begins anew
                log.exception("following cell %s for its agents failed; trying again", self._home.cell)
            time.sleep(max(PAUSE, time.monotonic() - began))

    def _look(self) -> None:
        now = time.monotonic()
        is_gap, is_thorough = now - self._looked > GAP, now - self._thorough > THOROUGH
        if is_gap:
            self._follower = Follower(self._home, columns=BRIEF)
        events = self._follower.poll(OVERLAP + THOROUGH if is_thorough else REREAD)
        self._looked = now
        self._thorough = now if is_thorough else self._thorough
        if is_gap:
            self._tell_all()
        self._tell(events)

    def _tell(self, events: Iterable[Event]) -> None:
        # The root's agent answers for its whole tree.
        concerned = {one for event in events if event.type in TELLING for one in (event.provider_id, event.root_id)}
        if concerned:
            for listener, providers in self._listening(concerned).items():
                listener.tell(providers)

    def _tell_all(self) -> None:
        for listener, providers in self._listening(None).items():
            listener.tell_missed(providers)

    def _listening(self, concerned: Set[UUID | None] | None) -> dict[Listener, list[UUID]]:
        """Who listens for these (None: for any), and for which of them."""
        found: dict[Listener, list[UUID]] = {}
        with _lock:
            for provider_id, listeners in self.listeners.items():
                if concerned is None or provider_id in concerned:
                    for listener in listeners:
                        found.setdefault(listener, []).append(provider_id)
        return found

    def _is_over(self) -> bool:
        with _lock:
            if self.listeners or time.monotonic() - self._left <= LINGER:
                return False
            if _watches.get(self._home) is self:
                del _watches[self._home]
            return True

    def leave(self, listener: Listener, provider_id: UUID) -> None:
        listening = self.listeners.get(provider_id, set())
        listening.discard(listener)
        if not listening:
            self.listeners.pop(provider_id, None)
        self._left = time.monotonic()


_watches: dict[Home, Watch] = {}
_lock = threading.Lock()  # of all watches and who listens to them


def places_of(providers: Collection[UUID]) -> dict[UUID, Location]:
    """Where these providers live; those that are not there are left out. Raises StoreUnavailable."""
    cql = f"SELECT * FROM {keyspace()}.providers_by_id WHERE provider_id = ?"
    found = read_many((cql, [provider_id]) for provider_id in providers)
    locations = [location_of(rows[0]) for rows in found if rows and not rows[0]["removed"]]
    return {location.provider_id: location for location in locations}


def homes_of(providers: Collection[UUID]) -> dict[UUID, Home]:
    """As `places_of`, their homes alone."""
    return {provider_id: place.home for provider_id, place in places_of(providers).items()}


def listen(listener: Listener, homes: Mapping[UUID, Home]) -> None:
    """From now on the listener is told of these providers' orders."""
    with _lock:
        for provider_id, home in homes.items():
            watch = _watches.get(home)
            if watch is None:
                watch = _watches[home] = Watch(home)
                watch.start()
            watch.listeners.setdefault(provider_id, set()).add(listener)


def leave(listener: Listener, homes: Mapping[UUID, Home]) -> None:
    with _lock:
        for provider_id, home in homes.items():
            if home in _watches:
                _watches[home].leave(listener, provider_id)

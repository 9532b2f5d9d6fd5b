import logging
import signal
import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from claims.lookups import SLOTS
from conductor.duties import DUTIES
from conductor.liveness import Watch, give_back, watch
from conductor.recover import recover_cell
from conductor.retire import retire_ended
from conductor.sweep import shards_in_turn, sweep_claims, sweep_shard
from providers import cells
from providers.maintenance import begin_and_end_windows
from providers.unprojected import finish
from store.failures import SchemaMissing, StoreUnavailable
from store.home import Home

RETIRE_EVERY = 60.0  # seconds
LAST_ROUND = 6.0  # seconds that one that is to stop waits for its round over the hosts

log = logging.getLogger("sched_portal.conductor")


class Command(BaseCommand):
    help = "Finishes what others began: open requests, expired claims, stale projections. Run as many as you like."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--once", action="store_true", help="one look at every cell, then exit")

    def handle(self, *args: Any, **options: Any) -> None:
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        self.stdout.write("conductor: looking after open requests")
        self.stdout.flush()
        if options["once"]:
            finish_work()
            keep_windows()
            retire_work()
            sweep_all()
            return
        # Beside the rest: moving many old requests away takes its time, and nothing waits for it.
        retiring = threading.Thread(target=repeat, args=(retire_work, RETIRE_EVERY, stop), daemon=True)
        retiring.start()
        watching = WatchHosts()
        rounds = threading.Thread(target=repeat, args=(watching, settings.LIVENESS_INTERVAL, stop), daemon=True)
        rounds.start()
        for sweep in (SweepShards(), SweepClaims(), keep_windows):
            threading.Thread(target=repeat, args=(sweep, settings.CONDUCTOR_INTERVAL, stop), daemon=True).start()
        duties = [(duty.make(), duty.every) for duty in DUTIES]
        works = [threading.Thread(target=repeat, args=(work, every, stop), daemon=True) for work, every in duties]
        for one in works:
            one.start()
        repeat(partial(finish_work, stop), settings.CONDUCTOR_INTERVAL, stop)
        rounds.join(LAST_ROUND)
        watching.give_back()
        for thread, (work, _) in zip(works, duties, strict=True):
            thread.join(LAST_ROUND)
            work.give_back()
        self.stdout.write("conductor: stopped")


def repeat(work: Callable[[], None], every: float, stop: threading.Event) -> None:
    """Does the work every so many seconds until told to stop, whatever becomes of it: Cassandra may be away."""
    while not stop.is_set():
        try:
            work()
        except (StoreUnavailable, SchemaMissing) as error:
            log.warning("%s; trying again", error)
        except Exception:
            log.exception("%s failed; trying again", work)
        stop.wait(every)


def finish_work(stop: threading.Event | None = None) -> None:
    """One look at the open work of every home; removed cells too, whose requests may still have an end to reach."""
    for home in cells.all_homes():
        if stop is not None and stop.is_set():
            return
        moved = recover_cell(home) + finish(home)
        if moved:
            log.info("cell %s: %d requests and providers moved on", home.cell, moved)


def keep_windows() -> None:
    """Maintenance that is due begins, and ends."""
    for home in cells.all_homes():
        begin_and_end_windows(home)


def retire_work() -> None:
    for home in cells.all_homes():
        retire_ended(home)


def sweep_all() -> None:
    """Every shard and every list of claims once."""
    for shard in shards_in_turn():
        sweep_shard(*shard)
    for home in cells.all_homes():
        for slot in range(SLOTS):
            _, after = sweep_claims(home, slot, None)
            while after is not None:
                _, after = sweep_claims(home, slot, after)


class WatchHosts:
    """One round over the hosts of every cell that no other conductor watches."""

    def __init__(self) -> None:
        self._seen: dict[Home, Watch] = {}

    def __call__(self) -> None:
        for cell in cells.all_cells():
            watch(self._seen.setdefault(cell.home, Watch(cell.home)))

    def give_back(self) -> None:
        """Another conductor need not wait until this one's leases are over."""
        try:
            for home in self._seen:
                give_back(home)
        except (StoreUnavailable, SchemaMissing) as error:
            log.warning("%s; the leases end by themselves", error)


class SweepShards:
    """One shard of the capacity table a call, in turn: compared with the records, and repaired."""

    def __init__(self) -> None:
        self._shards = shards_in_turn()

    def __call__(self) -> None:
        shard = next(self._shards, None)
        if shard is None:
            self._shards = shards_in_turn()
            return
        repaired = sweep_shard(*shard)
        if repaired:
            log.info("cell %s, %s shard %d: %d projections repaired", shard[0].cell, shard[1], shard[2], repaired)


class SweepClaims:
    """One page of the list of claims of a cell a call, in turn, removed cells too."""

    def __init__(self) -> None:
        self._lists = self._in_turn()
        self._at: tuple[Home, int] | None = None
        self._after: UUID | None = None

    def _in_turn(self) -> Iterator[tuple[Home, int]]:
        return ((home, slot) for home in cells.all_homes() for slot in range(SLOTS))

    def __call__(self) -> None:
        if self._after is None:
            self._at = next(self._lists, None)
        if self._at is None:
            self._lists = self._in_turn()
            return
        swept, self._after = sweep_claims(*self._at, self._after)
        if swept.ghosts or swept.closed:
            cell = self._at[0].cell
            log.info("cell %s: %d claims without a request, %d closed ids removed", cell, swept.ghosts, swept.closed)

import logging
import signal
import threading
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from conductor.recover import recover_cell, shards_in_turn, sweep_shard
from conductor.retire import retire_ended
from providers import cells
from store.failures import SchemaMissing, StoreUnavailable

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
        shards = shards_in_turn()
        while not stop.is_set():
            try:
                for cell in cells.all_cells():
                    moved = recover_cell(cell.home)
                    if moved:
                        log.info("cell %s: %d requests moved on", cell.name, moved)
                    retire_ended(cell.home)
                shard = next(shards, None)
                if shard is None:
                    shards = shards_in_turn()
                elif (repaired := sweep_shard(*shard)) > 0:
                    log.info(
                        "cell %s, %s shard %d: %d projections repaired", shard[0].cell, shard[1], shard[2], repaired
                    )
            except (StoreUnavailable, SchemaMissing) as error:
                log.warning("%s; trying again", error)
                shards = shards_in_turn()
            if options["once"]:
                break
            stop.wait(settings.CONDUCTOR_INTERVAL)
        self.stdout.write("conductor: stopped")

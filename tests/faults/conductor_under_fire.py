"""A conductor that works while things break: open requests are finished, closed ids removed. Run as a script.

It never takes a claim for a ghost, neither those of the authors that work without requests, nor one that a defect left
behind: the test is to find that one.
"""

import datetime as dt
import itertools
import json
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from proxy import go_through

from claims.lookups import SLOTS
from conductor import sweep
from conductor.recover import recover_cell
from providers.cells import all_homes
from providers.projection import projector
from providers.refusals import Undecided
from store.failures import StoreUnavailable
from store.home import Home

PAUSE = 0.5


def look(homes: Sequence[Home], lists: Iterator[tuple[Home, int]], done: Counter[str]) -> None:
    """The open work of the run's homes, and one list of claims."""
    for home in homes:
        done["moved on"] += recover_cell(home)
    done["closed ids removed"] += sweep.sweep_claims(*next(lists), None)[0].closed


def main(proxies: dict[str, str], cells: list[str], report: str) -> None:
    go_through(proxies)
    sweep.YOUNG = dt.timedelta(days=1)
    stop = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), stop.set()), daemon=True).start()
    done: Counter[str] = Counter()
    homes = [home for home in all_homes() if home.cell in cells]
    lists = itertools.cycle([(home, slot) for home in homes for slot in range(SLOTS)])
    while not stop.is_set():
        try:
            look(homes, lists, done)
        except (StoreUnavailable, Undecided):
            done["no answer"] += 1
        stop.wait(PAUSE)
    projector().drain()
    Path(report).write_text(json.dumps(done))


if __name__ == "__main__":
    main(**json.loads(sys.argv[1]))

"""One thread that works while things break: it repeats what failed until it knows, and remembers what it was told."""

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from unknowns import Unknowns

from providers.refusals import Busy, Undecided
from store.failures import StoreUnavailable

KEEPS = 6  # claims that one author keeps while it wants more, or half as many requests
TOGETHER = 6  # claims of one order, or of one request, at the most
KNOWN = 120.0  # seconds until an author must have learned what became of something
PAUSE = 0.2
MAYBE = "maybe"  # there or not: its author never learned it, which is a finding of its own
NO_ANSWER = (StoreUnavailable, Undecided, Busy)


@dataclass(frozen=True)
class Work:
    """`claims`: how many this process is to have acknowledged. `hosts` are roots in the cell of the claims, the
    requests go to a cell of their own. On `roomy` ones half of the claims stay for good: giving back costs more."""

    proxies: dict[str, str]
    claims_cell: str
    requests_cell: str
    datacenter: str
    hosts: list[str]
    roomy: list[str]
    claim_authors: int
    request_authors: int
    claims: int
    seconds: float
    seed: int
    report: str


@dataclass
class Report:
    unknowns: Unknowns
    lock: threading.Lock = field(default_factory=threading.Lock)
    claims: int = 0
    ids: dict[str, str | None] = field(default_factory=dict)  # claim -> what must be there; without requests
    told: dict[str, list[Any]] = field(
        default_factory=dict
    )  # request -> its claims, whether it was given back (None: maybe)
    counts: Counter[str] = field(default_factory=Counter)
    surprises: list[str] = field(default_factory=list)
    slowest: dict[str, float] = field(default_factory=dict)

    def timed(self, what: str, since: float) -> None:
        with self.lock:
            self.counts[what] += 1
            self.slowest[what] = max(time.monotonic() - since, self.slowest.get(what, 0.0))

    def write(self, path: str) -> None:
        watched = self.unknowns
        Path(path).write_text(
            json.dumps(
                {
                    "claims": self.claims,
                    "ids": self.ids,
                    "told": self.told,
                    "counts": self.counts,
                    "surprises": self.surprises,
                    "slowest": self.slowest,
                    "unknown": {"names": watched.names, "errors": watched.errors, "seconds": watched.seconds},
                    "slowest_to_settle": watched.slowest,
                }
            )
        )


class Author:
    """One thread."""

    def __init__(self, work: Work, report: Report, stop: threading.Event, number: int) -> None:
        self.work, self.report, self.stop = work, report, stop
        self.rng = random.Random(work.seed * 1000 + number)
        self.until = time.monotonic() + work.seconds

    def run(self) -> None:
        while not self.stop.is_set() and time.monotonic() < self.until:
            with self.report.lock:
                enough = self.report.claims >= self.work.claims
            if enough:
                return
            try:
                self.one_step()
            except Exception as error:
                self.surprise(f"{type(error).__name__}: {error}")

    def one_step(self) -> None:
        raise NotImplementedError

    def surprise(self, what: str) -> None:
        with self.report.lock:
            self.report.surprises.append(what)

    def until_known(self, what: str, run: Callable[[], Any]) -> Any:
        """Repeats what got no answer. Whoever asks again may do so: everything here is the same when done twice."""
        since = time.monotonic()
        while True:
            try:
                answer = run()
            except NO_ANSWER:
                if time.monotonic() - since > KNOWN:
                    raise
                self.report.timed(f"{what}, no answer", since)
                time.sleep(PAUSE)
            else:
                self.report.timed(what, since)
                return answer

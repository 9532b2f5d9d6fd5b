"""Counts a process's transactions that got no answer, and how long each was open until it was settled.

The clock starts when a transaction is known to be unknown, and stops when the same thread has a definite answer to it:
from a repetition, or from the closing write for a claim.
"""

import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from store import lwt
from store.lwt import Outcome, Statement, Unknown

SETTLED_BY = {"claims.close": "claims.take"}


@dataclass
class Unknowns:
    """`seconds`: of each that was settled. What a thread leaves open is settled when `all_settled` is called in it."""

    names: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    slowest: dict[str, float] = field(default_factory=dict)
    _own: threading.local = field(default_factory=threading.local)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def watch(self) -> None:
        """From now on; every module that runs transactions must have been imported."""
        original = lwt.run

        def run(statements: Sequence[Statement], datacenter: str, name: str = "", attempt: int = 0) -> Outcome:
            outcome = original(statements, datacenter, name, attempt)
            self._note(name, outcome)
            return outcome

        for module in list(sys.modules.values()):
            if module is not lwt and getattr(module, "run", None) is original:
                module.run = run  # type: ignore[attr-defined]

    def _open(self) -> dict[str, float]:
        if not hasattr(self._own, "open"):
            self._own.open = {}
        found: dict[str, float] = self._own.open
        return found

    def _note(self, name: str, outcome: Outcome) -> None:
        name = SETTLED_BY.get(name, name)
        if not isinstance(outcome, Unknown):
            self._settle(name)
        elif name not in self._open():
            self._open()[name] = time.monotonic()
            with self._lock:
                self.names[name] += 1
                self.errors[outcome.error.partition(":")[0]] += 1

    def _settle(self, name: str) -> None:
        since = self._open().pop(name, None)
        if since is not None:
            with self._lock:
                took = time.monotonic() - since
                self.seconds.append(took)
                self.slowest[name] = max(took, self.slowest.get(name, 0.0))

    def left_open(self) -> list[str]:
        return list(self._open())

    def all_settled(self) -> None:
        """This thread has learned from somebody else what became of all that it left open."""
        for name in self.left_open():
            self._settle(name)

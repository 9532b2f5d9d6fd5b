"""Callers in threads of this process that do the same thing again and again; what each time took, and what it cost."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from bench.cpu import Meter
from providers.projection import projector
from store.failures import StoreUnavailable


@dataclass
class Measured:
    """One way of doing something, over one turn or several."""

    callers: int
    times: list[float] = field(default_factory=list)  # seconds, of each time that it did what it should
    failed: int = 0
    seconds: float = 0.0
    cpu: dict[str, float] = field(default_factory=dict)  # CPU-seconds by process

    def add(self, turn: "Measured") -> None:
        self.times += turn.times
        self.failed += turn.failed
        self.seconds += turn.seconds
        for name, used in turn.cpu.items():
            self.cpu[name] = self.cpu.get(name, 0.0) + used

    @property
    def per_second(self) -> float:
        return len(self.times) / self.seconds

    def milliseconds(self, share: float) -> float:
        """The time that this share of them took at most: 0.5 is the median."""
        return sorted(self.times)[min(int(len(self.times) * share), len(self.times) - 1)] * 1000 if self.times else 0.0

    def cpu_ms(self, name: str) -> float:
        """CPU-milliseconds of that process per operation; not a number when it is on another machine."""
        return self.cpu.get(name, float("nan")) / max(1, len(self.times)) * 1000


def run(operation: Callable[[], bool], callers: int, seconds: float, processes: Mapping[str, int]) -> Measured:
    """For so many seconds; what was begun by then is finished and counted. `operation` says whether it succeeded."""
    turn = Measured(callers)
    lock = threading.Lock()
    meter, began = Meter(processes), time.monotonic()

    def call() -> None:
        times, failed = [], 0
        while (now := time.monotonic()) < began + seconds:
            try:
                succeeded = operation()
            except StoreUnavailable:
                succeeded = False
            if succeeded:
                times.append(time.monotonic() - now)
            else:
                failed += 1
        with lock:
            turn.times += times
            turn.failed += failed

    threads = [threading.Thread(target=call) for _ in range(callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    turn.seconds = time.monotonic() - began
    projector().drain(60)  # what it costs counts; what it takes does not: no caller waits for it
    turn.cpu = meter.read()
    return turn

"""What is measured is said at once, row by row, and kept as text under bench/results."""

import datetime as dt
import os
import platform
from collections.abc import Iterable, Sequence
from pathlib import Path

RESULTS = Path(__file__).parent / "results"


class Report:
    def __init__(self) -> None:
        self._lines: list[str] = []
        self.say(f"{_now():%Y-%m-%d %H:%M} UTC, {os.cpu_count()} CPUs, {platform.machine()}, load before: {load()}")

    def say(self, text: str = "") -> None:
        print(text, flush=True)
        self._lines.append(text)

    def table(self, title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """A column is as wide as its head, spaces before it included. A row is said when `rows` yields it."""
        widths = [len(head) for head in columns]
        self.say(f"\n{title}")
        self.say(_line([head.strip() for head in columns], widths))
        for row in rows:
            self.say(_line(row, widths))
        self.say(f"load after: {load()}")

    def keep(self) -> Path:
        RESULTS.mkdir(exist_ok=True)
        path = RESULTS / f"{_now():%Y%m%d-%H%M%S}.txt"
        path.write_text("\n".join(self._lines) + "\n")
        return path


def load() -> str:
    """Processes that ran or waited for a CPU, on average over 1, 5 and 15 minutes."""
    return " ".join(f"{one:.1f}" for one in os.getloadavg())


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(cell.rjust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)

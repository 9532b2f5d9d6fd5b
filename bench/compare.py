"""Two checkouts side by side: the same claims and requests on both, by turns, on one Cassandra with two keyspaces.

Within a pair of turns the order alternates, so that what the machine does beside it, or a drift of it, falls on both.
The ratios of the pairs are what counts: their geometric mean, and two standard errors to each side of it.
"""

import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench.callers import Measured
from bench.report import Report
from bench.side import CALLERS, HOSTS
from bench.surroundings import cassandra

HERE = Path(__file__).parent
RATES = {"claims": "client", "schedule": "portal"}  # and the process whose CPU is counted beside Cassandra's
PAIRS = 16
WARM, SECONDS = 15.0, 3.0
TITLE = (
    f"claims.take and POST /api/schedule with {CALLERS} callers on {HOSTS} hosts; this checkout as a share of {{other}}"
)
COLUMNS = (
    *("rate".rjust(8), "what".rjust(16), "this".rjust(8), "other".rjust(8), "this/other", " from", "   to", "pairs"),
    "failed",
)


def compare(report: Report, other: Path, pairs: int) -> None:
    report.table(TITLE.format(other=other), COLUMNS, _measure(other.resolve(), pairs))


def _measure(other: Path, pairs: int) -> Iterator[tuple[str, ...]]:
    with tempfile.TemporaryDirectory(prefix="sched-bench-") as directory, ExitStack() as stack:
        pid = stack.enter_context(cassandra(Path(directory)))
        sides = [
            stack.enter_context(_side(checkout, Path(directory) / name, pid))
            for name, checkout in (("this", HERE.parent), ("other", other))
        ]
        for rate, process in RATES.items():
            for side in sides:
                _turn(side, rate, WARM)
            turns: tuple[list[Measured], list[Measured]] = ([], [])
            for number in range(pairs):
                for which in (0, 1) if number % 2 == 0 else (1, 0):
                    turns[which].append(_turn(sides[which], rate, SECONDS))
                print(f"  {rate}: pair {number + 1} of {pairs}", file=sys.stderr, flush=True)
            yield from _rows(rate, process, *turns)


@contextmanager
def _side(checkout: Path, var: Path, pid: int | None) -> Iterator[subprocess.Popen[str]]:
    """A process that has its modules from `checkout`, but for the bench, which is this one (a link in a directory that
    comes first): it measures both sides with the same ruler, and an older checkout need not have it."""
    rulers = var / "first"
    rulers.mkdir(parents=True)
    (rulers / "bench").symlink_to(HERE)
    environment = os.environ | {"SCHED_VAR": str(var), "PYTHONPATH": f"{rulers}{os.pathsep}{checkout}"}
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "bench.side", str(pid or 0)],
        cwd=checkout,
        env=environment,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        _answer(process)
        yield process
    finally:
        assert process.stdin is not None
        process.stdin.close()
        process.wait(120)


def _turn(side: subprocess.Popen[str], rate: str, seconds: float) -> Measured:
    assert side.stdin is not None
    side.stdin.write(json.dumps({"rate": rate, "seconds": seconds}) + "\n")
    side.stdin.flush()
    return Measured(**json.loads(_answer(side)))


def _answer(side: subprocess.Popen[str]) -> str:
    assert side.stdout is not None
    line = side.stdout.readline()
    if not line:
        raise SystemExit("one side ended; its error is above")
    return line


def _rows(rate: str, process: str, ours: Sequence[Measured], theirs: Sequence[Measured]) -> Iterator[tuple[str, ...]]:
    failed = str(sum(turn.failed for turn in (*ours, *theirs)))
    quantities: dict[str, Callable[[Measured], float]] = {
        "per second": lambda turn: turn.per_second,
        "p50 ms": lambda turn: turn.milliseconds(0.5),
        f"{process} CPU-ms": lambda turn: turn.cpu_ms(process),
        "Cassandra CPU-ms": lambda turn: turn.cpu_ms("cassandra"),
        "both CPU-ms": lambda turn: turn.cpu_ms(process) + turn.cpu_ms("cassandra"),
    }
    for name, quantity in quantities.items():
        this, other = [quantity(turn) for turn in ours], [quantity(turn) for turn in theirs]
        mean, low, high = spread([a / b for a, b in zip(this, other, strict=True)])
        values = (f"{statistics.median(this):.2f}", f"{statistics.median(other):.2f}")
        yield rate, name, *values, f"{mean:.3f}", f"{low:.3f}", f"{high:.3f}", str(len(this)), failed


def spread(ratios: Sequence[float]) -> tuple[float, float, float]:
    """Geometric mean of the ratios, and two standard errors below and above it."""
    logs = [math.log(ratio) for ratio in ratios]
    mean = statistics.fmean(logs)
    error = 2 * statistics.stdev(logs) / math.sqrt(len(logs)) if len(logs) > 1 else math.inf
    return math.exp(mean), math.exp(mean - error), math.exp(mean + error)

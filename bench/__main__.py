"""`make bench`: measures, prints, and keeps the same text under bench/results."""

import datetime as dt
import os
import platform
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench import claim_rate, schedule_rate
from bench.surroundings import portal, surroundings

RESULTS = Path(__file__).parent / "results"
PLACEMENT = """\
For scale: OpenStack Placement 16 on MariaDB, on a machine like this one, spends 0.09 CPU-s on a candidates query and an
allocation at 100 hosts, 0.24 at 1,000 and 1.8 at 10,000. Our aim: 0.02 or less for a whole schedule-and-claim,
Cassandra included, at any number."""
CLAIM_HEADS = ("callers", "way", "claims/s", "of raw", "client CPU-ms", "Cassandra CPU-ms")
SCHEDULE_HEADS = ("hosts", "clients", "req/s", "p50 ms", "p95 ms", "portal CPU-ms", "Cassandra", "client")
TOTAL_HEADS = ("portal+Cassandra CPU-s", "answers")


def main() -> None:
    lines: list[str] = []

    def say(text: str = "") -> None:
        print(text, flush=True)
        lines.append(text)

    say(_where_and_when())
    with tempfile.TemporaryDirectory(prefix="sched-bench-") as directory, surroundings(Path(directory)) as around:
        say(f"\n(a) Claims on {claim_rate.HOSTS} hosts: one process, its threads call; raw and take by turns")
        say(table(CLAIM_HEADS, claim_rate.rows(claim_rate.measure(around.cassandra))))
        with portal(around.var) as started:
            measured = schedule_rate.measure(started, around.cassandra)
        say("\n(b) POST /api/schedule: one daphne process, one client process, connections kept")
        say(table((*SCHEDULE_HEADS, *TOTAL_HEADS), schedule_rate.rows(measured)))
    say(f"\nCPU is user and system time of each process, per operation.\n{PLACEMENT}")
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{dt.datetime.now(dt.UTC):%Y%m%d-%H%M%S}.txt").write_text("\n".join(lines) + "\n")


def _where_and_when() -> str:
    load = " ".join(f"{one:.1f}" for one in os.getloadavg())
    now = f"{dt.datetime.now(dt.UTC):%Y-%m-%d %H:%M} UTC"
    return f"{now}, {os.cpu_count()} CPUs, {platform.machine()}, load before: {load}"


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as their widest entry, two spaces apart."""
    widths = [max(len(row[column]) for row in (heads, *rows)) for column in range(len(heads))]
    lines = [[cell.rjust(width) for cell, width in zip(row, widths, strict=True)] for row in (heads, *rows)]
    return "\n".join("  ".join(line) for line in lines)


if __name__ == "__main__":
    main()

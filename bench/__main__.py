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
PLACEMENT = (
    "For scale, OpenStack Placement 16 on MariaDB, on a machine like this one, CPU-s for a candidates query and an\n"
    "allocation: 0.09 at 100 hosts, 0.24 at 1,000, 1.8 at 10,000. Our aim: 0.02 or less for a whole schedule-and-claim,\n"
    "Cassandra included, at any number."
)


def main() -> None:
    lines: list[str] = []

    def say(text: str = "") -> None:
        print(text, flush=True)
        lines.append(text)

    load = " ".join(f"{one:.1f}" for one in os.getloadavg())
    say(
        f"{dt.datetime.now(dt.UTC):%Y-%m-%d %H:%M} UTC, {os.cpu_count()} CPUs, {platform.machine()}, load before: {load}"
    )
    with tempfile.TemporaryDirectory(prefix="sched-bench-") as directory, surroundings(Path(directory)) as around:
        say()
        say(f"(a) Claims on {claim_rate.HOSTS} hosts: one process, its threads are the callers; raw and take by turns")
        say(
            table(
                ("callers", "way", "claims/s", "of raw", "client CPU-ms", "Cassandra CPU-ms"), _claims(around.cassandra)
            )
        )
        with portal(around.var) as started:
            measured = schedule_rate.measure(started, around.cassandra)
        say()
        say("(b) POST /api/schedule: one daphne process, one client process, connections kept")
        heads = ("hosts", "clients", "req/s", "p50 ms", "p95 ms", "portal CPU-ms", "Cassandra", "client")
        say(table((*heads, "portal+Cassandra CPU-s", "answers"), schedule_rate.rows(measured)))
    say()
    say(f"CPU is user and system time of each process per operation. {PLACEMENT}")
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{dt.datetime.now(dt.UTC):%Y%m%d-%H%M%S}.txt").write_text("\n".join(lines) + "\n")


def _claims(cassandra: int | None) -> list[tuple[str, ...]]:
    return claim_rate.rows(claim_rate.measure(cassandra))


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as their widest entry, two spaces apart."""
    widths = [max(len(row[column]) for row in (heads, *rows)) for column in range(len(heads))]
    return "\n".join(
        "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in (heads, *rows)
    )


if __name__ == "__main__":
    main()

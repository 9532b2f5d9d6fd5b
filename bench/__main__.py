"""`make bench`: measures, says each row as it is measured, and keeps the same text under bench/results.

`python -m bench` runs all parts, `python -m bench candidates trees` those named, and `python -m bench compare CHECKOUT`
this checkout against another one.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench import (
    admin_pages,
    candidate_rate,
    claim_rate,
    contention_rate,
    count_rate,
    dashboard_live,
    schedule_rate,
    tree_rate,
)
from bench.compare import PAIRS, compare
from bench.report import Report
from bench.surroundings import surroundings

PARTS = {
    "claims": claim_rate,
    "schedule": schedule_rate,
    "candidates": candidate_rate,
    "trees": tree_rate,
    "contention": contention_rate,
    "count": count_rate,
    "pages": admin_pages,
    "dashboard": dashboard_live,
}
NOTES = """\
CPU is user and system time of each process, per operation.
For scale: OpenStack Placement 16 on MariaDB, on a machine like this one, spends 0.09 CPU-s on a candidates query and an
allocation at 100 hosts, 0.24 at 1,000 and 1.8 at 10,000. Our aim: 0.02 or less for a whole schedule-and-claim,
Cassandra included, at any number."""


def main(arguments: Sequence[str]) -> None:
    if arguments[:1] == ["compare"]:
        _compare(arguments[1:])
    else:
        _measure(arguments)


def _compare(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser("python -m bench compare", description="This checkout against another one.")
    parser.add_argument("checkout", type=Path, help="a directory, as `git worktree add` makes one")
    parser.add_argument("--pairs", type=int, default=PAIRS, help="turns on each side (default %(default)s)")
    options = parser.parse_args(arguments)
    report = Report()
    compare(report, options.checkout, options.pairs)
    report.keep()


def _measure(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser("python -m bench", description=f"All parts: {', '.join(PARTS)}; or those named.")
    parser.add_argument("parts", nargs="*", metavar="part")
    parser.add_argument("--most-hosts", type=int, default=10_000, help="leave out what has more (default %(default)s)")
    options = parser.parse_args(arguments)
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}, and compare")
    report = Report()
    with (
        tempfile.TemporaryDirectory(prefix="sched-bench-") as directory,
        surroundings(Path(directory), options.most_hosts) as around,
    ):
        for name in options.parts or PARTS:
            part = PARTS[name]
            report.table(part.TITLE, part.COLUMNS, part.measure(around))
    report.say(f"\n{NOTES}")
    report.keep()


if __name__ == "__main__":
    main(sys.argv[1:])

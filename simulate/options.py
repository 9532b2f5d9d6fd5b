"""What `manage.py simulate` is told, checked: every mistake is one line that names the option."""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from api.simulated_hosts import DEFAULT_SHARES

POISSON, EVEN = "poisson", "even"
MINUTES, LONGEST_DAY = 10.0, 1440.0
MOST_HOSTS = 100_000
PROCESS_HOSTS = 250


@dataclass(frozen=True)
class Options:
    """Times are seconds, shares 0 to 1."""

    portal: str
    token_file: Path
    var: Path
    cell: str
    hosts: int
    classes: Mapping[str, float]
    rate: float
    arrivals: str
    seconds: float  # infinite: until all of a trace has lived
    lifetime: float
    failures: float
    build: tuple[float, float]
    kill: float
    down: tuple[float, float]
    process_hosts: int
    seed: int
    trace: Path | None
    speed: float
    save_trace: Path | None
    settle: float
    every: float


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--hosts", type=_whole(1, MOST_HOSTS), default=100, help="simulated hosts (default %(default)s)")
    add("--classes", type=_shares, default=dict(DEFAULT_SHARES), metavar="CLASS=SHARE,...",
        help="what the hosts are (default compute=70,baremetal=10,block_storage=10,network=10)")  # fmt: skip
    add("--rate", type=_number(0.001, 10_000), default=5.0, help="requests a second (default %(default)s)")
    add("--arrivals", choices=(POISSON, EVEN), default=POISSON, help="at random, or evenly (default %(default)s)")
    add("--minutes", type=_number(0.01, LONGEST_DAY),
        help=f"how long requests are made (default {MINUTES:g}, or as long as the trace is)")  # fmt: skip
    add("--lifetime", type=_number(0.1, 1e6), default=60.0,
        help="seconds that an instance lives, on average (default %(default)s)")  # fmt: skip
    add("--failures", type=_number(0, 1), default=0.0, help="share of the builds that fail (default %(default)s)")
    add("--build", type=_span, default=(0.5, 2.0), metavar="A-B", help="seconds that a build takes (default 0.5-2)")
    add("--kill", type=_number(0, 1), default=0.0,
        help="share of the agents that are killed, and started again (default %(default)s)")  # fmt: skip
    add("--down", type=_span, default=(5.0, 40.0), metavar="A-B", help="seconds until that (default 5-40)")
    add("--process-hosts", type=_whole(1, 1000), default=PROCESS_HOSTS,
        help="hosts that one agent process drives (default %(default)s)")  # fmt: skip
    add("--seed", type=int, default=1, help="the same seed draws the same workload and victims (default %(default)s)")
    add("--trace", type=Path, metavar="FILE", help="make the requests of this file instead (docs/simulate.md)")
    add("--speed", type=_number(0.001, 100_000), default=1.0, help="play a trace so many times as fast")
    add("--save-trace", type=Path, metavar="FILE", help="write what was asked for, as a trace")
    add("--cell", type=_cell, default="sim", help="a cell of its own (default %(default)s)")
    add("--settle", type=_number(1, 100_000), default=180.0,
        help="seconds that the end of all requests is waited for (default %(default)s)")  # fmt: skip
    add("--every", type=_number(0.1, 3600), default=5.0,
        help="seconds between two lines of progress (default %(default)s)")  # fmt: skip
    add("--portal", default="", metavar="URL", help="the portal (default: the one of this machine's settings)")
    add("--token-file", type=Path, metavar="FILE", help="an admin's token (default: var/admin-token)")


def read_options(given: Mapping[str, Any], portal: str, var: Path) -> Options:
    """`portal` and `var` are the defaults of whoever calls."""
    return Options(
        portal=(given["portal"] or portal).rstrip("/"),
        token_file=given["token_file"] or var / "admin-token",
        var=var / "simulate" / given["cell"],
        cell=given["cell"],
        hosts=given["hosts"],
        classes=given["classes"],
        rate=given["rate"],
        arrivals=given["arrivals"],
        seconds=math.inf if given["trace"] and not given["minutes"] else (given["minutes"] or MINUTES) * 60,
        lifetime=given["lifetime"],
        failures=given["failures"],
        build=given["build"],
        kill=given["kill"],
        down=given["down"],
        process_hosts=given["process_hosts"],
        seed=given["seed"],
        trace=given["trace"],
        speed=given["speed"],
        save_trace=given["save_trace"],
        settle=given["settle"],
        every=given["every"],
    )


def _whole(least: int, most: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not text.isascii() or not text.isdigit() or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"a whole number from {least} to {most}, not {text!r}")
        return int(text)

    return read


def _number(least: float, most: float) -> Callable[[str], float]:
    def read(text: str) -> float:
        found = _float(text)
        if not least <= found <= most:
            raise argparse.ArgumentTypeError(f"a number from {least:g} to {most:g}, not {text!r}")
        return found

    return read


def _cell(text: str) -> str:
    """Its files are in a directory of this name, which `--cleanup` removes."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}", text):
        raise argparse.ArgumentTypeError(f"letters, digits, - and _, 63 at the most, not {text!r}")
    return text


def _span(text: str) -> tuple[float, float]:
    """`5-40`, or `5` for always the same."""
    shortest, _, longest = text.partition("-")
    found = _float(shortest), _float(longest or shortest)
    if not 0 <= found[0] <= found[1] < math.inf:
        raise argparse.ArgumentTypeError(f"seconds as A-B, the shorter first, not {text!r}")
    return found


def _shares(text: str) -> dict[str, float]:
    found: dict[str, float] = {}
    for one in text.split(","):
        name, _, share = one.partition("=")
        if name not in DEFAULT_SHARES or name in found or not 0 <= _float(share or "1") < math.inf:
            known = ", ".join(DEFAULT_SHARES)
            raise argparse.ArgumentTypeError(f"CLASS=SHARE,... with each of {known} once at the most, not {text!r}")
        found[name] = _float(share or "1")
    if not sum(found.values()):
        raise argparse.ArgumentTypeError(f"one share above 0 at least, not {text!r}")
    return found


def _float(text: str) -> float:
    """Not a number is none that fits."""
    try:
        return float(text)
    except ValueError:
        return math.nan

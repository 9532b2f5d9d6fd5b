"""The weighers, listed by hand. One file each. A multiplier below zero turns a weigher round."""

from scheduler.weighers import balance, builds, cell, conflicts, failed_builds, free_amount, group
from scheduler.weighers.kind import Weigher

WEIGHERS: tuple[Weigher, ...] = (
    free_amount.WEIGHER,  # spread with a multiplier above zero, pack below it
    balance.WEIGHER,  # no stranded memory or CPU
    failed_builds.WEIGHER,
    conflicts.WEIGHER,
    builds.WEIGHER,
    cell.WEIGHER,
    group.WEIGHER,  # only for requests with a group under a soft rule
)
BY_NAME = {w.name: w for w in WEIGHERS}


def find(name: str) -> Weigher | None:
    """The weigher of that name; `free_amount.` may be followed by a column of any class."""
    kind, dot, column = name.partition(".")
    if dot:
        return free_amount.of_column(column) if kind == free_amount.WEIGHER.name and column else None
    return BY_NAME.get(name)

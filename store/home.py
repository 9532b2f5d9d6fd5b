"""Where a row lives: every row that is written by a lightweight transaction has one home, a cell in a data centre."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Home:
    """A cell and the Cassandra data centre that its transactions run in (immutable once the cell is used)."""

    cell: str
    datacenter: str

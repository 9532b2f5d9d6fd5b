"""What the start page says of each cell: how many hosts, how many of them can take something, claims in flight."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from dashboard.snapshot import heard, read_shards
from providers import cells
from providers.cells import Cell
from providers.heartbeat import ALWAYS, mode_of


@dataclass(frozen=True, slots=True)
class CellLine:
    """One cell of the overview. `silent` hosts are those whose agents are not heard from."""

    cell: Cell
    hosts: int
    silent: int
    not_enabled: int
    claims: int
    classes: Sequence[tuple[str, int]]


def overview() -> list[CellLine]:
    """Every cell. Raises StoreUnavailable."""
    return [_line(cell) for cell in cells.all_cells()]


def _line(cell: Cell) -> CellLine:
    rows = list(read_shards(cell.home, "root_id, resource_class, heartbeat, root_heartbeat, state, claims"))
    beating = heard(cell.home)
    classes = Counter(row["resource_class"] for row in rows)
    return CellLine(
        cell,
        hosts=len(rows),
        silent=sum(1 for row in rows if mode_of(row) != ALWAYS and str(row["root_id"]) not in beating),
        not_enabled=sum(1 for row in rows if row["state"] != "enabled"),
        claims=sum(row["claims"] or 0 for row in rows),
        classes=sorted(classes.items()),
    )

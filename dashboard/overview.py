"""What the start page says of each cell: its newest figures, which a conductor keeps, and whether they are of now."""

import datetime as dt
from collections.abc import Mapping
from typing import Any

from dashboard.figures_table import STEP, newest_of
from providers import cells

OLD = 6 * STEP  # seconds after which figures are not of now any more


def overview() -> list[Mapping[str, Any]]:
    """Every cell: a query for its name, and one for its figures. Raises StoreUnavailable."""
    known = cells.all_cells()
    now = dt.datetime.now(dt.UTC)
    rows = newest_of([cell.home for cell in known])
    return [
        {
            "name": cell.name,
            "state": cell.state,
            "description": cell.description,
            "datacenter": cell.datacenter,
            "figures": row,
            "health": _health(cell.state, row, now),
        }
        for cell, row in zip(known, rows, strict=True)
    ]


def _health(state: str, row: Mapping[str, Any] | None, now: dt.datetime) -> Mapping[str, str]:
    """`level` is good, warn or bad; `text` says why."""
    if row is None:
        return {"level": "warn", "text": "no figures: no conductor keeps them"}
    old = (now - dt.datetime.fromisoformat(row["at"])).total_seconds()
    if old > OLD:
        return {"level": "bad", "text": f"figures are {old:.0f} s old: no conductor keeps them"}
    hosts = row["hosts"]
    if hosts["all"] and hosts["silent"] >= hosts["all"]:
        return {"level": "bad", "text": "no host is heard from"}
    if hosts["silent"]:
        return {"level": "warn", "text": f"{hosts['silent']} of {hosts['all']} hosts are silent"}
    if state != "enabled":
        return {"level": "warn", "text": f"the cell is {state}"}
    if not hosts["all"]:
        return {"level": "warn", "text": "no hosts yet"}
    return {"level": "good", "text": "all hosts are heard from"}

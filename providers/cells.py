"""Cells: failure and latency domains, each at home in one Cassandra data centre.

A cell's data centre never changes, so the answer to "where does this cell live?" is kept for good; its state is read.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings

from events.append import append
from events.types import CELL_CHANGED, News
from providers.refusals import Conflict, Invalid, NotFound, Undecided
from providers.shards import has_providers
from store.home import Home
from store.lwt import Applied, Outcome, Refused, Statement, run
from store.session import datacenters, keyspace, read

TRIES = 64
ENABLED, DISABLED = "enabled", "disabled"
SLOTS = 64  # client-made request ids hash to these; each slot has one data centre for ever
_homes: dict[str, Home] = {}
_numbers: dict[str, int] = {}


@dataclass(frozen=True, slots=True)
class Cell:
    name: str
    datacenter: str
    state: str
    description: str
    number: int
    created_at: dt.datetime | None

    @property
    def home(self) -> Home:
        return Home(self.name, self.datacenter)


def find(name: str) -> Cell:
    """Raises NotFound."""
    rows = read(f"SELECT * FROM {keyspace()}.cells WHERE all_cells = 'all' AND name = ?", [name])
    if not rows:
        raise NotFound(f"no cell {name}")
    return _cell(rows[0])


def all_cells() -> list[Cell]:
    """Every cell, by name. There are tens of them, in one partition."""
    return [_cell(row) for row in read(f"SELECT * FROM {keyspace()}.cells WHERE all_cells = 'all'", [])]


def home_of(name: str) -> Home:
    """Where the cell's rows live. Raises NotFound."""
    home = _homes.get(name)
    if home is None:
        home = _homes[name] = find(name).home
    return home


def number_of(name: str) -> int:
    """The number that ids made at home in the cell carry. Raises NotFound."""
    number = _numbers.get(name)
    if number is None:
        number = _numbers[name] = find(name).number
    return number


def create(name: str, datacenter: str | None = None, state: str = ENABLED, description: str = "") -> Cell:
    """Makes a cell. Raises Invalid (unknown data centre), Conflict (the name is taken)."""
    datacenter = datacenter or settings.CASSANDRA["local_datacenter"]
    if datacenter not in datacenters():
        raise Invalid(
            "datacenter", f"is not one of the data centres of CASSANDRA_REPLICATION: {', '.join(datacenters())}"
        )
    number = _take_number(Home(name, datacenter))
    _fill_slots(Home(name, datacenter))
    outcome = _run(
        f"INSERT INTO {keyspace()}.cells (all_cells, name, datacenter, number, state, description, created_at) "
        "VALUES ('all', ?, ?, ?, ?, ?, toTimestamp(now())) IF NOT EXISTS",
        [name, datacenter, number, state, description],
    )
    made = find(name) if not isinstance(outcome, Refused) else None
    if made is None or made.number != number:
        raise Conflict(f"cell {name} exists")
    append(made.home, [News(CELL_CHANGED, data={"cell": name, "state": state})])
    return made


def change(name: str, state: str | None = None, description: str | None = None) -> Cell:
    """Changes what is named. Raises NotFound, Conflict when it was changed meanwhile, Undecided."""
    cell = find(name)
    new_state = cell.state if state is None else state
    outcome = _run(
        f"UPDATE {keyspace()}.cells SET state = ?, description = ? WHERE all_cells = 'all' AND name = ? "
        "IF state = ? AND description = ?",
        [new_state, cell.description if description is None else description, name, cell.state, cell.description],
    )
    if isinstance(outcome, Refused):
        find(name)  # NotFound when it was removed
        raise Conflict(f"cell {name} was changed by somebody else just now; read it again and repeat")
    if not isinstance(outcome, Applied):
        raise Undecided(f"the change of cell {name} got no answer: {outcome.error}; read the cell, then repeat")
    append(cell.home, [News(CELL_CHANGED, data={"cell": name, "state": new_state})])
    return find(name)


def delete(name: str) -> None:
    """Removes an empty cell. Raises NotFound, Conflict while it has providers."""
    cell = find(name)
    if has_providers(cell.home):
        raise Conflict(f"cell {name} has providers: delete them or keep the cell disabled")
    outcome = _run(f"DELETE FROM {keyspace()}.cells WHERE all_cells = 'all' AND name = ? IF EXISTS", [name])
    if isinstance(outcome, Refused):
        raise NotFound(f"no cell {name}")
    _homes.pop(name, None)
    _numbers.pop(name, None)


def home_of_number(number: int) -> Home | None:
    """The home that a number in an id stands for (cells: 1 and up; hash slots: below zero), also of a removed cell."""
    kept = _homes.get(f"#{number}")
    if kept is None:
        rows = read(f"SELECT cell, datacenter FROM {keyspace()}.homes WHERE number = ?", [number])
        if not rows:
            return None
        kept = _homes[f"#{number}"] = Home(rows[0]["cell"], rows[0]["datacenter"])
    return kept


def all_homes() -> list[Home]:
    """Every home that a request id may have, also of cells that were removed: where open work is looked for.

    Reads the whole table of homes: 64 slots and a row per cell there ever was, so tens of rows.
    """
    rows = read(f"SELECT cell, datacenter FROM {keyspace()}.homes", [])
    return sorted({Home(row["cell"], row["datacenter"]) for row in rows}, key=lambda home: (home.cell, home.datacenter))


def slot_of(identifier: UUID) -> int:
    """The hash slot of a client-made id: -1 to -SLOTS."""
    return -1 - identifier.int % SLOTS


def _take_number(home: Home) -> int:
    """The next free number, by INSERT IF NOT EXISTS: whoever loses a number tries the one after."""
    number = max((cell.number for cell in all_cells()), default=0) + 1
    for _ in range(TRIES):
        outcome = _run(
            f"INSERT INTO {keyspace()}.homes (number, cell, datacenter) VALUES (?, ?, ?) IF NOT EXISTS",
            [number, home.cell, home.datacenter],
        )
        if isinstance(outcome, Applied):
            return number
        number += 1  # taken, or unknown: a number is never worth a second thought
    raise Undecided(f"no number could be had for cell {home.cell}; repeat")


def _fill_slots(home: Home) -> None:
    """Gives the hash slots to the first cell's data centre; later cells find them taken."""
    if home_of_number(-SLOTS) is not None:
        return
    for number in range(-1, -SLOTS - 1, -1):  # the last one last: its presence says that all are there
        outcome = _run(
            f"INSERT INTO {keyspace()}.homes (number, cell, datacenter) VALUES (?, ?, ?) IF NOT EXISTS",
            [number, home.cell, home.datacenter],
        )
        if not isinstance(outcome, Applied | Refused):
            raise Undecided(f"slot {number} got no answer ({outcome.error}); repeat")


def _run(cql: str, values: list[Any]) -> Outcome:
    # The global keyspace's transactions have one home too: the first data centre.
    return run([Statement(cql, values)], datacenters()[0])


def _cell(row: dict[str, Any]) -> Cell:
    return Cell(
        row["name"],
        row["datacenter"],
        row["state"],
        row["description"] or "",
        row["number"],
        row["created_at"].replace(tzinfo=dt.UTC) if row["created_at"] else None,
    )

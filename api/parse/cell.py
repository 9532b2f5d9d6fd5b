"""A cell, as it is created or changed."""

from dataclasses import dataclass

from api.fields import Fields
from providers.cells import DISABLED, ENABLED

STATES = (ENABLED, DISABLED)
DESCRIPTION = 2000  # characters


@dataclass(frozen=True, slots=True)
class NewCell:
    name: str
    datacenter: str | None
    state: str
    description: str


@dataclass(frozen=True, slots=True)
class CellChange:
    """None: stays as it is."""

    state: str | None
    description: str | None


def new_cell(body: Fields) -> NewCell:
    found = NewCell(
        body.label("name"),
        body.label("datacenter", None),
        body.choice("state", STATES, ENABLED),
        body.label("description", "", least=0, most=DESCRIPTION),
    )
    body.done()
    return found


def cell_change(body: Fields) -> CellChange:
    for name in ("name", "datacenter"):
        if name in body:
            body.take(name)
            body.wrong(name, "cannot be changed: make another cell")
    found = CellChange(body.choice("state", STATES, None), body.label("description", None, least=0, most=DESCRIPTION))
    body.done()
    return found

"""What the admin of Cassandra records shows: pages of a list, filters, sections of facts. Values, no behaviour."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from store.record_roles import ADMIN, OPERATOR

AT_ONCE = 100  # records of one selection: each is a transaction or more, and somebody waits


@dataclass(frozen=True, slots=True)
class ListPage:
    """Some records and the cursor for the next ones (None: that was all). May be short before the end. `sections`
    stand above them."""

    records: Sequence[Any]
    next: str | None = None
    sections: Sequence["Section"] = ()


@dataclass(frozen=True, slots=True)
class ListFilter:
    """A filter that the list pushes down: with choices (value, label) a list of links, without them a field of an HTML
    type. `none` is the link to the list without it."""

    name: str
    title: str
    choices: tuple[tuple[str, str], ...] = ()
    none: str = "All"
    type: str = "text"


class Row(NamedTuple):
    """A line of a list: where its record's page is, its cells (value, is it a number, the number it is sorted by), and
    its key."""

    url: str
    cells: Sequence[tuple[Any, bool, float | None]]
    key: str


@dataclass(frozen=True, slots=True)
class Selection:
    """What may be done with several records of a list: a page (the name of its url in the admin), which gets the chosen
    keys as `field` in its query (the same for all of a list) and asks before it does anything. Offered to those
    with one of the `roles`."""

    label: str
    view: str
    field: str
    roles: tuple[str, ...] = (OPERATOR, ADMIN)


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a record's page: facts (label, value) and then a table, each possibly empty."""

    title: str
    facts: Sequence[tuple[str, Any]] = ()
    headers: Sequence[str] = ()
    rows: Sequence[Sequence[Any]] = ()
    empty: str = ""
    note: str = ""
    last_is_total: bool = False


class Shown:
    """A record as Django's admin templates want an object: a key for its urls, a name, and its model's names."""

    def __init__(self, record: Any, key: str, name: str, meta: Any) -> None:
        self.record, self.pk, self._name, self._meta = record, key, name, meta

    def __str__(self) -> str:
        return self._name

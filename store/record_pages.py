"""What the admin of Cassandra records shows: pages of a list, filters, sections of facts. Values, no behaviour."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class ListPage:
    """Some records and the cursor for the next ones (None: that was all). May be short before the end."""

    records: Sequence[Any]
    next: str | None = None


@dataclass(frozen=True, slots=True)
class ListFilter:
    """A filter that the list pushes down: with choices (value, label) a list of links, without them a text field."""

    name: str
    title: str
    choices: tuple[tuple[str, str], ...] = ()


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

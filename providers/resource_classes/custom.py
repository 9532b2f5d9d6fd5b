"""An operator's own resource classes: made at run time, without a change of the schema."""

import json
import re
import time
from collections.abc import Mapping, Sequence
from typing import Any

from providers.refusals import Conflict, Invalid, NotFound, Undecided
from providers.resource_classes.kind import AMOUNT, INTEGER, PROPERTY, STRING, Column, ResourceClass
from store.lwt import Outcome, Refused, Statement, Unknown, run
from store.session import READ, datacenters, keyspace, read

NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
MAX_COLUMNS = 50
TRIES = 4
_CACHE_SECONDS = 5.0
_cache: dict[str, tuple[float, ResourceClass | None]] = {}


def load(name: str) -> ResourceClass | None:
    """The class of that name, deleted ones too, or None. Kept for five seconds: its columns hardly ever change."""
    kept = _cache.get(name)
    if kept is not None and kept[0] > time.monotonic() and kept[1] is not None:
        return kept[1]
    return load_now(name)


def load_now(name: str) -> ResourceClass | None:
    """The same, as it is now."""
    rows = read(f"SELECT * FROM {keyspace()}.resource_classes WHERE all_classes = 'all' AND name = ?", [name])
    found = _parse(rows[0]) if rows else None
    _cache[name] = (time.monotonic() + _CACHE_SECONDS, found)
    return found


def load_all() -> list[ResourceClass]:
    """Those that are not deleted."""
    rows = read(f"SELECT * FROM {keyspace()}.resource_classes WHERE all_classes = 'all'", [], READ)
    return [found for found in map(_parse, rows) if not found.closed]


def create(name: str, columns: Sequence[Column]) -> ResourceClass:
    """Makes a class; a deleted one's name may be used again. Raises Invalid, Conflict when the name is taken."""
    check(name, columns)
    stored = json.dumps([[c.name, c.unit, c.kind, c.type] for c in columns])
    table = f"{keyspace()}.resource_classes"
    insert = (
        f"INSERT INTO {table} (all_classes, name, columns, closed, created_at) "
        "VALUES ('all', ?, ?, false, toTimestamp(now())) IF NOT EXISTS"
    )
    again = (
        f"UPDATE {table} SET columns = ?, closed = false, created_at = toTimestamp(now()) "
        "WHERE all_classes = 'all' AND name = ? IF closed = true"
    )
    outcome = _run(insert, [name, stored])
    if isinstance(outcome, Refused):
        outcome = _run(again, [stored, name])
    _cache.pop(name, None)
    if isinstance(outcome, Refused):
        raise Conflict(f"resource class {name} exists")
    made = load_now(name)
    if made is None or made.closed or made.columns != tuple(columns):
        raise Conflict(f"resource class {name} could not be made for certain; look whether it is there, and repeat")
    return made


def delete(name: str, closed: bool = True) -> None:
    """Nothing of this class is registered or scheduled any more (`closed` False: again). Whether a provider has it is
    for the caller to look at, afterwards. Raises NotFound, Undecided."""
    cql = f"UPDATE {keyspace()}.resource_classes SET closed = ? WHERE all_classes = 'all' AND name = ? IF EXISTS"
    for _ in range(TRIES):
        outcome = _run(cql, [closed, name])
        if not isinstance(outcome, Unknown):
            break
    _cache.pop(name, None)
    if isinstance(outcome, Refused):
        raise NotFound(f"no resource class {name}")
    if isinstance(outcome, Unknown):
        raise Undecided(f"resource class {name}: no answer ({outcome.error}); look at it again, and repeat")


def _run(cql: str, values: Sequence[object]) -> Outcome:
    return run([Statement(cql, values)], datacenters()[0])


def check(name: str, columns: Sequence[Column]) -> None:
    """Raises Invalid."""
    if not NAME.fullmatch(name):
        raise Invalid("name", "must be lower-case letters, digits and _, starting with a letter, 63 at the most")
    if not columns or len(columns) > MAX_COLUMNS:
        raise Invalid("columns", f"must be 1 to {MAX_COLUMNS} columns")
    names = [c.name for c in columns]
    if len(set(names)) != len(names):
        raise Invalid("columns", "names must differ")
    for index, column in enumerate(columns):
        where = f"columns.{index}"
        if not NAME.fullmatch(column.name):
            raise Invalid(f"{where}.name", "must be lower-case letters, digits and _, starting with a letter")
        if column.kind not in (AMOUNT, PROPERTY):
            raise Invalid(f"{where}.kind", f"must be {AMOUNT} or {PROPERTY}")
        if column.type not in (INTEGER, STRING) or (column.kind == AMOUNT and column.type != INTEGER):
            raise Invalid(f"{where}.type", f"must be {INTEGER} (amounts always are) or {STRING}")
    if not any(c.kind == AMOUNT for c in columns):
        raise Invalid("columns", "at least one must be an amount, else there is nothing to claim")


def _parse(row: Mapping[str, Any]) -> ResourceClass:
    columns = tuple(Column(*column) for column in json.loads(row["columns"]))
    return ResourceClass(row["name"], columns, custom=True, closed=bool(row["closed"]))

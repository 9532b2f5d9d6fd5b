"""An operator's own resource classes: made at run time, without a change of the schema."""

import json
import re
import time
from collections.abc import Sequence

from providers.refusals import Conflict, Invalid, NotFound
from providers.resource_classes.kind import AMOUNT, INTEGER, PROPERTY, STRING, Column, ResourceClass
from store.lwt import Applied, Refused, Statement, Unknown, run
from store.session import READ, datacenters, keyspace, read

NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
MAX_COLUMNS = 50
_CACHE_SECONDS = 5.0
_cache: dict[str, tuple[float, ResourceClass | None]] = {}


def load(name: str) -> ResourceClass | None:
    """The class of that name, or None. Kept for five seconds: its columns never change, only whether it is there."""
    kept = _cache.get(name)
    if kept is not None and kept[0] > time.monotonic() and kept[1] is not None:
        return kept[1]
    rows = read(f"SELECT * FROM {keyspace()}.resource_classes WHERE all_classes = 'all' AND name = ?", [name])
    found = _parse(rows[0]["name"], rows[0]["columns"]) if rows else None
    _cache[name] = (time.monotonic() + _CACHE_SECONDS, found)
    return found


def load_all() -> list[ResourceClass]:
    rows = read(f"SELECT name, columns FROM {keyspace()}.resource_classes WHERE all_classes = 'all'", [], READ)
    return [_parse(row["name"], row["columns"]) for row in rows]


def create(name: str, columns: Sequence[Column]) -> ResourceClass:
    """Makes a class. Raises Invalid, Conflict when the name is taken."""
    check(name, columns)
    stored = json.dumps([[c.name, c.unit, c.kind, c.type] for c in columns])
    outcome = run(
        [
            Statement(
                f"INSERT INTO {keyspace()}.resource_classes (all_classes, name, columns, created_at) "
                "VALUES ('all', ?, ?, toTimestamp(now())) IF NOT EXISTS",
                [name, stored],
            )
        ],
        datacenters()[0],
    )
    match outcome:
        case Applied():
            return _parse(name, stored)
        case Refused():
            raise Conflict(f"resource class {name} exists")
        case Unknown():
            made = load(name)
            if made is None or made != _parse(name, stored):
                raise Conflict(
                    f"resource class {name} could not be made for certain; look whether it is there, and repeat"
                )
            return made


def delete(name: str) -> None:
    """Removes a class that has no providers (the caller has looked). Raises NotFound."""
    outcome = run(
        [
            Statement(
                f"DELETE FROM {keyspace()}.resource_classes WHERE all_classes = 'all' AND name = ? IF EXISTS", [name]
            )
        ],
        datacenters()[0],
    )
    _cache.pop(name, None)
    if isinstance(outcome, Refused):
        raise NotFound(f"no resource class {name}")


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


def _parse(name: str, stored: str) -> ResourceClass:
    return ResourceClass(name, tuple(Column(*column) for column in json.loads(stored)), custom=True)

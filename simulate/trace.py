"""Workload traces: when what is asked for, and how long it lives. Read from JSONL or CSV, written as JSONL.

The format is in docs/simulate.md. A line that makes no sense ends the reading, with its number: a workload of which a
part was left out measures something else.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simulate import SimulationError

PROJECT = "simulate"
COLUMNS = ("at_seconds", "resource_class", "amounts", "count", "lifetime", "project")
FIELDS = ("at_seconds", "resources", "count", "lifetime", "project")
NEEDED = {"jsonl": FIELDS[:2], "csv": COLUMNS[:3]}


class TraceError(SimulationError):
    """`FILE:LINE: what is wrong`."""


@dataclass(frozen=True)
class Entry:
    """One request. `at` is seconds from the beginning, `lifetime` from when it is active until it is deleted."""

    at: float
    resources: Sequence[Mapping[str, Any]]
    count: int
    lifetime: float
    project: str = PROJECT

    def body(self) -> dict[str, Any]:
        """What of it goes into `POST /api/schedule`."""
        return {"resources": list(self.resources), "count": self.count, "project": self.project}


def read_trace(path: Path, lifetime: float) -> list[Entry]:
    """In the order of time; `lifetime` is for lines that say none. Raises TraceError."""
    read = _csv_lines if path.suffix.lower() == ".csv" else _json_lines
    try:
        entries = [_entry(fields, lifetime, f"{path}:{number}") for number, fields in read(path)]
    except OSError as error:
        raise TraceError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise TraceError(f"{path}: not UTF-8") from error
    if not entries:
        raise TraceError(f"{path}: no requests in it")
    return sorted(entries, key=lambda entry: entry.at)


def write_trace(path: Path, entries: Iterable[Entry]) -> None:
    """Raises TraceError when it cannot be written."""
    try:
        with path.open("w", encoding="utf-8") as file:
            for one in entries:
                line = {"at_seconds": round(one.at, 3), "resources": list(one.resources), "count": one.count,
                        "lifetime": round(one.lifetime, 3), "project": one.project}  # fmt: skip
                file.write(json.dumps(line, separators=(",", ":")) + "\n")
    except OSError as error:
        raise TraceError(f"{path}: {error.strerror}") from error


def faster(entries: Iterable[Entry], speed: float) -> list[Entry]:
    """The same in less time: lifetimes are shorter as well, so that as much runs at once."""
    return [Entry(one.at / speed, one.resources, one.count, one.lifetime / speed, one.project) for one in entries]


def _json_lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                fields = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise TraceError(f"{path}:{number}: not JSON") from error
            if not isinstance(fields, dict):
                raise TraceError(f"{path}:{number}: not an object")
            _check_names(fields, FIELDS, NEEDED["jsonl"], f"{path}:{number}")
            yield number, fields


def _csv_lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """One resource a line: `amounts` is `vcpus=2 memory_mb=4096`."""
    with path.open(encoding="utf-8", newline="") as file:
        lines = csv.reader(file)
        heads = [head.strip() for head in next(lines, [])]
        _check_names(dict.fromkeys(heads), COLUMNS, NEEDED["csv"], f"{path}:1")
        for cells in lines:
            where = f"{path}:{lines.line_num}"
            if not cells:
                continue
            if len(cells) != len(heads):
                raise TraceError(f"{where}: {len(cells)} cells under {len(heads)} heads")
            said = {head: cell.strip() for head, cell in zip(heads, cells, strict=True) if cell.strip()}
            _check_names(said, COLUMNS, NEEDED["csv"], where)
            amounts = dict(_amount(word, where) for word in said.pop("amounts").split())
            resource = {"resource_class": said.pop("resource_class"), "amounts": amounts}
            numbers = {
                name: _parsed(said.pop(name), name, where) for name in COLUMNS if name in said and name in NUMBERS
            }
            yield lines.line_num, {**said, **numbers, "resources": [resource]}


NUMBERS = ("at_seconds", "count", "lifetime")


def _amount(word: str, where: str) -> tuple[str, Any]:
    name, _, amount = word.partition("=")
    return name, _parsed(amount, f"amounts.{name}", where)


def _parsed(text: str, name: str, where: str) -> Any:
    try:
        return int(text) if text.isdigit() else float(text)
    except ValueError as error:
        raise TraceError(f"{where}: {name}: {text!r} is not a number") from error


def _check_names(fields: Mapping[str, Any], known: Sequence[str], needed: Sequence[str], where: str) -> None:
    if missing := [name for name in needed if name not in fields]:
        raise TraceError(f"{where}: {', '.join(missing)} missing")
    if unknown := [name for name in fields if name not in known]:
        raise TraceError(f"{where}: {', '.join(map(repr, unknown))} unknown; there are {', '.join(known)}")


def _entry(fields: Mapping[str, Any], lifetime: float, where: str) -> Entry:
    resources, count, project = fields["resources"], fields.get("count", 1), fields.get("project", PROJECT)
    if not isinstance(resources, list) or not resources or not all(map(_is_resource, resources)):
        raise TraceError(
            f"{where}: resources: a list of objects with resource_class and amounts, whole numbers by column"
        )
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise TraceError(f"{where}: count: a whole number from 1")
    if not isinstance(project, str) or not project:
        raise TraceError(f"{where}: project: a name")
    at, lives = fields["at_seconds"], fields.get("lifetime", lifetime)
    for name, value in (("at_seconds", at), ("lifetime", lives)):
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
            raise TraceError(f"{where}: {name}: seconds, from 0")
    return Entry(float(at), resources, count, float(lives), project)


def _is_resource(one: object) -> bool:
    if not isinstance(one, dict) or not isinstance(one.get("resource_class"), str) or not one["resource_class"]:
        return False
    amounts = one.get("amounts")
    if not isinstance(amounts, dict) or not amounts:
        return False
    return all(isinstance(value, int) and not isinstance(value, bool) and value >= 0 for value in amounts.values())

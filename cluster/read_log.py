"""What a node's log says about why it did not come up."""

from __future__ import annotations

import re
from pathlib import Path

_LEVEL = re.compile(r"^(TRACE|DEBUG|INFO|WARN|ERROR)\b")
_LONGEST = 300


def last_error(home: Path, since: int) -> str:
    """The last ERROR line of system.log after byte `since`, else the last line the JVM printed, else an empty text."""
    errors = [line for line in _lines(home / "log" / "system.log", since) if line.startswith("ERROR")]
    if errors:
        return _message(errors[-1])
    printed = [line for line in _lines(home / "log" / "console.log", 0) if line.strip() and not line.startswith("\t")]
    return printed[-1].strip()[:_LONGEST] if printed else ""


def log_size(home: Path) -> int:
    """Where the next line of system.log will be written."""
    path = home / "log" / "system.log"
    return path.stat().st_size if path.exists() else 0


def _lines(path: Path, since: int) -> list[str]:
    if not path.exists():
        return []
    with path.open("rb") as file:
        # A log that is shorter than it was has been rolled over: all of it is new.
        file.seek(since if since <= path.stat().st_size else 0)
        return file.read().decode(errors="replace").splitlines()


def _message(line: str) -> str:
    """The line without level, thread and time."""
    return line.split(" - ", 1)[-1].strip()[:_LONGEST] if _LEVEL.match(line) else line[:_LONGEST]

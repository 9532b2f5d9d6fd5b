"""Log lines a machine can read: one event a line, as key=value pairs or as JSON.

An agent drives up to hundreds of hosts, so every line carries what it is about (provider, claim) as fields.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Mapping

LOGGER = "sched.agent"


class Journal:
    """Writes events with the fields it was bound to; binding makes a new journal and changes nothing."""

    def __init__(self, fields: Mapping[str, object] | None = None) -> None:
        self._fields = dict(fields or {})
        self._log = logging.getLogger(LOGGER)

    def bind(self, **fields: object) -> Journal:
        return Journal({**self._fields, **fields})

    def info(self, event: str, **fields: object) -> None:
        self._write(logging.INFO, event, fields)

    def warning(self, event: str, **fields: object) -> None:
        self._write(logging.WARNING, event, fields)

    def error(self, event: str, **fields: object) -> None:
        self._write(logging.ERROR, event, fields)

    def _write(self, level: int, event: str, fields: Mapping[str, object]) -> None:
        said = {name: value for name, value in fields.items() if value != ""}
        self._log.log(level, event, extra={"fields": {**self._fields, **said}})


class LineFormatter(logging.Formatter):
    """`time=... level=... event="..." key=value ...`, or the same as one JSON object."""

    def __init__(self, as_json: bool) -> None:
        super().__init__()
        self._as_json = as_json

    def format(self, record: logging.LogRecord) -> str:
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z"
        line: dict[str, object] = {"time": stamp, "level": record.levelname.lower(), "event": record.getMessage()}
        line.update(getattr(record, "fields", {}))
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        if self._as_json:
            return json.dumps(line, default=str)
        return " ".join(f"{key}={_quote(value)}" for key, value in line.items())


def open_journal(as_json: bool) -> Journal:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(LineFormatter(as_json))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger(LOGGER).setLevel(logging.INFO)
    return Journal()


def _quote(value: object) -> str:
    text = str(value)
    if text and not any(char.isspace() or char in "\"'=" or not char.isprintable() for char in text):
        return text
    return json.dumps(text, ensure_ascii=False)

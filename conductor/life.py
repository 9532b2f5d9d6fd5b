"""A request's life as it is told: who moved it to which state, when and why, from its beginning on."""

from typing import Any

from conductor.states import CLAIMED, FAILED, SCHEDULING
from conductor.types import RequestView
from events.tail import time_of

Line = dict[str, Any]  # at, state, who, why


def life_of(view: RequestView) -> list[Line]:
    """Its whole history, oldest first; `view` was read with its lines (`read_request`)."""
    lines = [
        {"at": time_of(line["id"])} | {name: line[name] for name in ("state", "who", "why")} for line in view.history
    ]
    return [*_beginning(view), *lines]


def _beginning(view: RequestView) -> list[Line]:
    """How it began: in the row and the claims themselves, so that no transaction is spent on a line of history."""
    who = view.username or "unknown"
    lines: list[Line] = [{"at": view.created_at, "state": SCHEDULING, "who": who, "why": "asked for"}]
    for record in view.records:
        why = f"{record.resource_class} on {record.provider_name}"
        lines.append({"at": record.created_at, "state": CLAIMED, "who": "scheduler", "why": why})
    if not view.history and view.state == FAILED:
        lines.append({"at": view.updated_at, "state": FAILED, "who": "scheduler", "why": view.reason})
    return lines

"""What viewers are sent. Encoded once for all of them: only type and seq differ from connection to connection."""

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from dashboard.types import Delta, Line, State
from providers.resource_classes.registry import all_classes

SNAPSHOT, DELTA, ERROR = "snapshot", "delta", "error"


@dataclass(frozen=True, slots=True)
class Message:
    """`body` is the JSON after type and seq. `is_empty`: it tells only that all is well."""

    type: str
    body: str
    is_empty: bool = False

    def text(self, seq: int) -> str:
        return f'{{"type":"{self.type}","seq":{seq},{self.body}'


@dataclass(frozen=True, slots=True)
class Head:
    """Where in time a message stands: `behind` is in seconds, 0 while all is well."""

    cursor: str
    behind: float


def encode(kind: str, head: Head, rest: Mapping[str, Any]) -> Message:
    at = dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds")
    whole = {"cursor": head.cursor, "at": at, "behind": round(head.behind, 1), **rest}
    return Message(kind, json.dumps(whole, separators=(",", ":"), default=str)[1:])


def delta_of(head: Head, delta: Delta) -> Message:
    made = encode(DELTA, head, changes(delta))
    return replace(made, is_empty=not delta)


def changes(delta: Delta) -> dict[str, Any]:
    """What a delta says. `events` and `figures` only where there are any."""
    told: dict[str, Any] = {
        "hosts": [host for host in delta.hosts.values() if host is not None],
        "removed": [host_id for host_id, host in delta.hosts.items() if host is None],
        "claims": [claim for claim in delta.claims.values() if claim is not None],
        "ended": [claim_id for claim_id, claim in delta.claims.items() if claim is None],
    }
    if delta.lines:
        told["events"] = delta.lines
    if delta.figures is not None:
        told["figures"] = delta.figures
    return told


def whole(
    cell: str, state: State, lines: Sequence[Line] = (), figures: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    return {
        "cell": cell,
        "units": units(),
        "hosts": list(state.hosts.values()),
        "claims": list(state.claims.values()),
        "events": list(lines),
        "figures": figures,
    }


def units() -> dict[str, dict[str, str]]:
    """Of each resource class the units of its amounts."""
    return {c.name: {n.name: n.unit for n in c.columns if n.kind == "amount"} for c in all_classes()}


def error(code: str, detail: str) -> str:
    return json.dumps({"type": ERROR, "code": code, "detail": detail})

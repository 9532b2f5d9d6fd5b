"""What viewers are sent. Encoded once for all of them: only type and seq differ from connection to connection."""

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dashboard.types import Delta, State
from providers.resource_classes.registry import all_classes

SNAPSHOT, DELTA, ERROR = "snapshot", "delta", "error"


@dataclass(frozen=True, slots=True)
class Message:
    """`body` is the JSON after type and seq."""

    type: str
    body: str

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
    return Message(kind, json.dumps(whole, separators=(",", ":"))[1:])


def changes(delta: Delta) -> dict[str, Any]:
    return {
        "hosts": [host for host in delta.hosts.values() if host is not None],
        "removed": [host_id for host_id, host in delta.hosts.items() if host is None],
        "claims": [claim for claim in delta.claims.values() if claim is not None],
        "ended": [claim_id for claim_id, claim in delta.claims.items() if claim is None],
    }


def whole(cell: str, state: State) -> dict[str, Any]:
    units = {c.name: {n.name: n.unit for n in c.columns if n.kind == "amount"} for c in all_classes()}
    return {
        "cell": cell,
        "units": units,
        "hosts": list(state.hosts.values()),
        "claims": list(state.claims.values()),
    }


def error(code: str, detail: str) -> str:
    return json.dumps({"type": ERROR, "code": code, "detail": detail})

"""What the dashboard's tests share: real claims, and waiting for what is to come."""

import time
import uuid
from collections.abc import Callable
from typing import Any

from conductor.place import schedule
from conductor.types import Placed, ScheduleRequest
from dashboard.types import State
from providers.cells import Cell
from scheduler.types import Resource


def request(cell: Cell, vcpus: int = 1) -> ScheduleRequest:
    amounts = {"vcpus": vcpus, "memory_mb": 256, "disk_gb": 1}
    body = {"consumer": "web", "cell": cell.name, "n": str(uuid.uuid4())}
    return ScheduleRequest(
        consumer="web",
        project="p",
        resources=(Resource("compute", amounts),),
        body=body,
        username="admin",
        cell=cell.name,
    )


def claim(cell: Cell, vcpus: int = 1) -> uuid.UUID | None:
    placed = schedule(request(cell, vcpus))
    return uuid.UUID(placed.claims[0]["id"]) if isinstance(placed, Placed) else None


def content(state: State) -> tuple[Any, Any]:
    """Without `since`: a claim whose making was not seen is dated by the event that showed it."""
    claims = {key: {k: v for k, v in one.items() if k != "since"} for key, one in state.claims.items()}
    return state.hosts, claims


def until(happens: Callable[[], bool], what: str, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < deadline, f"waited {seconds:.0f} s for {what}"
        time.sleep(0.05)

"""What was asked for and what became of it, as the portal tells: its answers and its events, with its own times."""

from __future__ import annotations

import asyncio
import datetime as dt
import math
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from simulate.rest import Answer
from simulate.trace import Entry

PLACED = "placed"
ACTIVE, RELEASED, FAILED, RESCHEDULING = "active", "released", "failed", "rescheduling"
ENDED = (RELEASED, FAILED)


@dataclass(eq=False)
class Asked:
    """One request. `settled` is set when it is active or over, `over` when nothing of it is left."""

    entry: Entry
    request_id: str
    outcome: str = ""  # PLACED, or why not
    answered_after: float = 0.0  # seconds from when it was due
    claimed_at: dt.datetime | None = None
    active_at: dt.datetime | None = None
    state: str = ""
    reason: str = ""
    rescheduled: int = 0
    is_deleted: bool = False
    placed_at: float = 0.0
    asked_after: float = 0.0
    settled: asyncio.Event = field(default_factory=asyncio.Event)
    over: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def claim_to_active(self) -> float | None:
        """Seconds, both times being the portal's."""
        if self.claimed_at is None or self.active_at is None:
            return None
        return (self.active_at - self.claimed_at).total_seconds()


class Ledger:
    def __init__(self) -> None:
        self.asked: dict[str, Asked] = {}
        self.failed_builds = 0
        self.errors: Counter[str] = Counter()
        self._asked_back: set[str] = set()

    def ask(self, one: Asked) -> None:
        self.asked[one.request_id] = one

    def answered(self, one: Asked, answer: Answer, seconds: float) -> None:
        """What `POST /api/schedule` said. An outcome that is not known yet counts as placed: its state will tell."""
        one.answered_after = seconds
        one.outcome = PLACED if answer.is_success else _refusal(answer)
        one.placed_at = one.asked_after = time.monotonic()
        claims: Sequence[Mapping[str, Any]] = answer.body.get("claims", ())
        times = [at for claim in claims if (at := parse_time(claim.get("created_at")))]
        one.claimed_at = min(times, default=None)
        if one.outcome != PLACED:
            one.settled.set()
            one.over.set()

    def hear(self, event: Mapping[str, Any]) -> None:
        """An event of the cell."""
        one = self.asked.get(event.get("request_id") or "")
        if one is None:
            return
        if event["type"] == "claim.changed" and event["data"].get("state") == "building":
            self._asked_back.add(event["claim_id"])  # another part of its request failed: its host says `failed` too
        elif event["type"] == "claim.failed":
            self.failed_builds += event["claim_id"] not in self._asked_back
        elif event["type"] == "request.state":
            self.moved(one, event["data"]["state"], parse_time(event["at"]), event["data"].get("reason") or "")

    def moved(self, one: Asked, state: str, at: dt.datetime | None, reason: str = "") -> None:
        if one.over.is_set():
            return
        one.rescheduled += state == RESCHEDULING
        one.state, one.reason = state, reason or one.reason
        if state == ACTIVE and one.active_at is None:
            one.active_at = at
        if state == ACTIVE or state in ENDED:
            one.settled.set()
        if state in ENDED:
            one.over.set()

    def placed(self) -> list[Asked]:
        return [one for one in self.asked.values() if one.outcome == PLACED]

    def refused(self) -> Counter[str]:
        return Counter(one.outcome for one in self.asked.values() if one.outcome not in ("", PLACED))

    def active(self) -> int:
        return sum(one.state == ACTIVE for one in self.asked.values())

    def open(self) -> list[Asked]:
        return [one for one in self.placed() if not one.over.is_set()]


def _refusal(answer: Answer) -> str:
    """The code, and of "no valid host" the stage that left nobody."""
    if answer.code != "no_valid_host":
        return answer.code
    funnel = (answer.body.get("explain") or {}).get("funnel") or []
    stage = next((one["stage"] for one in funnel if not one["left"]), "")
    return f"{answer.code}/{stage}" if stage else answer.code


def parse_time(text: object) -> dt.datetime | None:
    return dt.datetime.fromisoformat(text) if isinstance(text, str) else None


def percentile(values: Iterable[float], share: float) -> float:
    """The value that this share of them does not exceed; not a number when there are none."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * share) - 1)] if ordered else math.nan

"""A cell's figures: what it has, and what happened in it lately. Pure: nothing is read or written.

`Tally` counts events as they pass; `figures` makes a row of what was counted and of the cell as it is. Rows of a few
seconds are laid together into longer ones by `together`.
"""

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from dashboard.types import State
from events.types import (
    CLAIM_CONSUMED,
    CLAIM_FAILED,
    CLAIM_REFUSED,
    CLAIM_RELEASED,
    CLAIM_TAKEN,
    REQUEST_STATE,
    Event,
)

Figures = dict[str, Any]
HAPPENED = {
    CLAIM_TAKEN: "claimed",
    CLAIM_CONSUMED: "active",
    CLAIM_RELEASED: "released",
    CLAIM_FAILED: "failed",
    CLAIM_REFUSED: "lost",
}
PARTS = ("capacity", "used", "claimed", "available")


class Tally:
    """What happened since the last row."""

    def __init__(self) -> None:
        self.events = 0
        self.happened: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.to_active: list[float] = []  # seconds from a claim to its instance

    def hear(self, events: Sequence[Event], before: State) -> None:
        """`before`: the cell before these events, which knows since when a claim is there."""
        self.events += len(events)
        for event in events:
            name = HAPPENED.get(event.type)
            if name is not None:
                self.happened[name] += 1
            if event.type == CLAIM_CONSUMED:
                self._note_time(event, before)
            elif event.type == REQUEST_STATE and event.data.get("state") == "failed":
                reason = str(event.data.get("reason") or "failed")
                stage = event.data.get("stage")
                self.refused[f"{reason}: {stage}" if stage else reason] += 1

    def _note_time(self, event: Event, before: State) -> None:
        claim = before.claims.get(str(event.claim_id))
        if claim is not None:
            took = (event.at - dt.datetime.fromisoformat(claim["since"])).total_seconds()
            self.to_active.append(max(0.0, round(took, 3)))


def figures(state: State, tally: Tally, at: dt.datetime, step: int) -> Figures:
    """The cell at `at`, and what was counted in the `step` seconds before it."""
    return {
        "at": at.isoformat(timespec="seconds"),
        "step": step,
        "hosts": _hosts(state),
        "classes": _classes(state),
        "claims": _claims(state),
        "happened": dict(tally.happened),
        "refused": dict(tally.refused),
        "to_active": times(tally.to_active),
    }


def together(rows: Sequence[Mapping[str, Any]], samples: Sequence[float], step: int) -> Figures:
    """Rows of short steps, oldest first, as one of a longer: the last of what there is, the sums of what happened.
    `samples`: the times to active of all of them."""
    last = dict(rows[-1])
    for name in ("happened", "refused"):
        last[name] = dict(sum((Counter(row[name]) for row in rows), Counter()))
    return {**last, "step": step, "to_active": times(samples)}


def times(samples: Sequence[float]) -> dict[str, float] | None:
    """Half of them took no longer than `p50` seconds, and 95 of 100 no longer than `p95`."""
    if not samples:
        return None
    ordered = sorted(samples)
    at = {name: ordered[min(len(ordered) - 1, int(len(ordered) * share))] for name, share in SHARES}
    return {"n": len(ordered), **at}


SHARES = (("p50", 0.5), ("p95", 0.95))


def _hosts(state: State) -> dict[str, int]:
    states = Counter(host["state"] for host in state.hosts.values())
    silent = sum(1 for host in state.hosts.values() if not host["alive"])
    return {"all": len(state.hosts), "silent": silent, **states}


def _classes(state: State) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for host in state.hosts.values():
        one = found.setdefault(host["resource_class"], {"hosts": 0, "amounts": {}})
        one["hosts"] += 1
        for name, amount in host["amounts"].items():
            sums = one["amounts"].setdefault(name, dict.fromkeys(PARTS, 0))
            for part in PARTS:
                sums[part] += amount[part]  # type: ignore[literal-required]
    return found


def _claims(state: State) -> dict[str, Any]:
    oldest = min(state.claims.values(), key=lambda claim: claim["since"], default=None)
    return {
        "all": len(state.claims),
        "oldest": oldest["since"] if oldest else None,
        "oldest_id": oldest["id"] if oldest else None,
        **_states(claim["state"] for claim in state.claims.values()),
    }


def _states(states: Iterable[str]) -> dict[str, int]:
    return dict(Counter(states))

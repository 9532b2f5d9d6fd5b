"""Empties a provider: no new claims on it or below it, nothing is moved; and how far it is from being empty."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from providers.change import Changes, change
from providers.history import STATE, Line, history_at
from providers.records import OwnRow, Record, Tree, read_provider
from providers.refusals import Busy, Conflict
from providers.register import DRAINING
from providers.subtree import count, on_subtree

TRIES = 8
LOOKED_BACK = 200  # lines of its history, for when it began


@dataclass(frozen=True, slots=True)
class Drain:
    """A provider and what is on it and below it. `began`: when it stopped taking more, by whom, why and with how much
    on it; None while it takes more, or when nobody knows any more."""

    tree: Tree
    own: OwnRow
    records: Sequence[Record]
    claims: int
    instances: int
    began: Line | None

    @property
    def empty(self) -> bool:
        return not self.records

    @property
    def first(self) -> int:
        """How many claims and instances there were when it began."""
        had = (self.began.claims or 0) + (self.began.instances or 0) if self.began else 0
        return max(had, len(self.records))


def read_drain(provider_id: UUID) -> Drain:
    """How far it is. Raises NotFound."""
    return drain_of(*read_provider(provider_id))


def drain_of(tree: Tree, own: OwnRow) -> Drain:
    """The same of one that was read already."""
    records = on_subtree(tree, own.id)
    return Drain(tree, own, records, *count(records), _began(tree, own))


def start_drain(provider_id: UUID, reason: str, who: str, state_version: int | None = None) -> Drain:
    """It takes nothing more from now on. Repeated, it changes nothing; with another reason, the reason.

    `state_version`: what it was based on; None: however it is. Raises NotFound, Conflict, Undecided.
    """
    for _ in range(TRIES):
        tree, own = read_provider(provider_id)
        based_on = own.state_version if state_version is None else state_version
        is_so = (own.row["state"], own.row["state_reason"]) == (DRAINING, reason)
        if is_so and based_on == own.state_version:
            return drain_of(tree, own)
        try:
            changes = Changes({"state": DRAINING, "state_reason": reason}, {}, {})
            return drain_of(*change(provider_id, based_on, changes, who))
        except Conflict:
            if state_version is not None:
                raise
    raise Busy(f"provider {provider_id} is being changed by others all the time; repeat")


def _began(tree: Tree, own: OwnRow) -> Line | None:
    if own.row["state"] != DRAINING:
        return None
    lines = history_at(tree.home, own.id, LOOKED_BACK).lines
    line = next((one for one in lines if one.what == STATE and one.before != one.after), None)
    return line if line is not None and line.after == DRAINING else None

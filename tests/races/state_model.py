"""The model of the state machine: what a provider tree must hold after each operation, and what its caller is told.

Plain Python that shares no arithmetic and no table of states with the code it judges.
"""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from math import floor
from typing import Any
from uuid import UUID

from claims.types import Order

CLAIM, INSTANCE, CLOSED = "claim", "instance", "closed"
# Mark -> the kind and the states it starts from, the state it leads to.
MARKS = {
    "building": (CLAIM, ("claimed", "notified"), "building"),
    "confirm": (CLAIM, ("held",), "claimed"),
    "active": (CLAIM, ("held", "claimed", "notified"), "active"),
    "to_be_destroyed": (INSTANCE, ("active",), "destroying"),
}
# What a take whose answer was lost says instead; a removal that is repeated finds nothing to remove.
AFTER_LOSS = {"Removed": ("Kept",), "Taken": ("Unsettled",), "Lost": ("Unsettled",), "Closed": ("Unsettled",)}


@dataclass(frozen=True)
class Answer:
    """What the caller is told. `detail` (None: any) is compared only where nothing else runs: what a refused operation
    reads afterwards may be newer than what refused it."""

    name: str
    detail: object = None


@dataclass
class Provider:
    """`inventory`: amount -> total, reserved, ratio. `own` and `available` as in the provider's own row."""

    resource_class: str
    inventory: dict[str, tuple[int, int, float]]
    state: str = "enabled"
    state_version: int = 1
    own: dict[str, int] = field(default_factory=dict)
    available: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.own = {name: effective(*one) for name, one in self.inventory.items()}
        self.available = dict(self.own)

    def resize(self, changes: Mapping[str, tuple[int, int, float]]) -> None:
        for name, one in changes.items():
            change = effective(*one) - effective(*self.inventory[name])
            self.own[name] += change
            self.available[name] += change
            self.inventory[name] = one


@dataclass
class Row:
    """A claim, an instance or a closed id; amounts are positive."""

    provider: UUID
    request: UUID
    kind: str
    state: str
    amounts: dict[str, int] = field(default_factory=dict)
    gives_back: dict[str, int] = field(default_factory=dict)
    asked_back: bool = False


def effective(total: int, reserved: int, ratio: float) -> int:
    return floor(Fraction(total) * Fraction(str(ratio))) - reserved


class Model:
    """One tree."""

    def __init__(self, root: UUID, providers: dict[UUID, Provider]) -> None:
        self.root, self.providers = root, providers
        self.rows: dict[UUID, Row] = {}
        self.generation = len(providers)  # each registration is a transaction

    def copy(self) -> "Model":
        return copy.deepcopy(self)

    def image(self) -> dict[str, object]:
        """Everything, in the form of state_rows.image_of."""
        image: dict[str, object] = {"generation": self.generation}
        for provider_id, one in self.providers.items():
            image[str(provider_id)] = {
                "state": one.state,
                "state_version": one.state_version,
                "inventory": dict(one.inventory),
                "own": dict(one.own),
                "available": dict(one.available),
            }
        for record_id, row in self.rows.items():
            image[str(record_id)] = dict(vars(row))
        return image

    def take(self, order: Order) -> Answer:
        there = [self.rows[m.claim_id] for m in order.members if m.claim_id in self.rows]
        if there:
            return Answer("Closed" if any(row.kind == CLOSED for row in there) else "Taken")
        if not self._is_as_seen(order) or not self._fits(order):
            return Answer("Lost", self._free(order))
        for m in order.members:
            amounts = {name: amount for name, amount in m.amounts.items() if amount}
            self.rows[m.claim_id] = Row(m.provider_id, order.request_id, CLAIM, order.state, amounts)
            self._add(self.providers[m.provider_id].available, amounts, -1)
        self.generation += 1
        return Answer("Taken")

    def _is_as_seen(self, order: Order) -> bool:
        seen = {self.root: order.root_state_version} | {m.provider_id: m.state_version for m in order.members}
        return all(self.providers[one].state_version == version for one, version in seen.items())

    def _fits(self, order: Order) -> bool:
        wanted: dict[tuple[UUID, str], int] = {}
        for m in order.members:
            for name, amount in m.amounts.items():
                wanted[m.provider_id, name] = wanted.get((m.provider_id, name), 0) + amount
        return all(self.providers[one].available[name] >= n for (one, name), n in wanted.items() if n)

    def _free(self, order: Order) -> object:
        return {m.provider_id: dict(self.providers[m.provider_id].available) for m in order.members}

    def close(self, claim_id: UUID, provider: UUID, request: UUID) -> Answer:
        row = self.rows.get(claim_id)
        if row is not None:
            return Answer("Shut") if row.kind == CLOSED else Answer("Found", row.kind)
        self.rows[claim_id] = Row(provider, request, CLOSED, CLOSED)
        self.generation += 1
        return Answer("Shut")

    def consume(self, claim_id: UUID, as_read: str) -> Answer:
        """`as_read`: the kind of the record that the caller has, maybe long since another."""
        row = self.rows.get(claim_id)
        if as_read != CLAIM:
            return Answer("Already" if as_read == INSTANCE else "Not")
        if row is None or row.kind != CLAIM or row.state not in ("claimed", "notified", "building"):
            return Answer("Already") if row is not None and row.kind == INSTANCE else self._not(row)
        row.kind, row.state = INSTANCE, "active"
        row.amounts, row.gives_back = {}, row.amounts
        self._add(self.providers[row.provider].own, row.gives_back, -1)
        self.generation += 1
        return Answer("Done")

    def release(self, claim_id: UUID, as_read: str, states: Sequence[str]) -> Answer:
        row = self.rows.get(claim_id)
        if as_read != CLAIM:
            return Answer("Already" if as_read == CLOSED else "Not")
        if row is None or row.kind == CLOSED:
            return Answer("Already")
        if row.kind != CLAIM or row.state not in states:
            return self._not(row)
        self._add(self.providers[row.provider].available, row.amounts)
        return self._end(row)

    def destroy(self, claim_id: UUID) -> Answer:
        row = self.rows.get(claim_id)
        if row is not None and row.kind == INSTANCE:
            self._add(self.providers[row.provider].own, row.gives_back)
            self._add(self.providers[row.provider].available, row.gives_back)
            return self._end(row)
        return Answer("Already") if row is None or row.kind == CLOSED else self._not(row)

    def mark(self, name: str, claim_id: UUID) -> Answer:
        row = self.rows.get(claim_id)
        kind, sources, target = MARKS[name]
        if row is None or row.kind != kind or (name == "building" and row.asked_back):
            return self._not(row)
        if row.state in sources:
            row.state = target
            self.generation += 1
            return Answer("Done")
        return Answer("Already") if row.state == target else self._not(row)

    def to_be_released(self, claim_id: UUID) -> Answer:
        row = self.rows.get(claim_id)
        if row is None or row.kind != CLAIM or row.state != "building":
            return self._not(row)
        if row.asked_back:
            return Answer("Already")
        row.asked_back = True
        self.generation += 1
        return Answer("Done")

    def remove_closed(self, ids: Sequence[UUID]) -> Answer:
        rows = [self.rows.get(one) for one in ids]
        if not all(row is not None and row.kind == CLOSED for row in rows):
            return Answer("Kept")
        for provider in {self.rows.pop(one).provider for one in ids}:
            self.providers[provider].state_version += 1
        self.generation += 1
        return Answer("Removed", len(ids))

    def report(self, provider: UUID, totals: Mapping[str, int]) -> Answer:
        one = self.providers[provider]
        news = {n: (total, *one.inventory[n][1:]) for n, total in totals.items() if total != one.inventory[n][0]}
        if news:
            self._change(one, news)
        return Answer("Changed", one.state_version)

    def change(
        self, provider: UUID, state_version: int, state: str | None, news: Mapping[str, tuple[int, int, float]]
    ) -> Answer:
        one = self.providers[provider]
        if one.state_version != state_version:
            return Answer("Conflict")
        if any(effective(*new) < 0 for new in news.values()):
            return Answer("Invalid")
        one.state = state or one.state
        self._change(one, news)
        return Answer("Changed", one.state_version)

    def _change(self, one: Provider, news: Mapping[str, tuple[int, int, float]]) -> None:
        one.resize(news)
        one.state_version += 1
        self.generation += 1

    def _end(self, row: Row) -> Answer:
        row.kind, row.state, row.amounts, row.gives_back, row.asked_back = CLOSED, "released", {}, {}, False
        self.generation += 1
        return Answer("Done")

    @staticmethod
    def _add(to: dict[str, int], amounts: Mapping[str, int], times: int = 1) -> None:
        for name, amount in amounts.items():
            to[name] += times * amount

    @staticmethod
    def _not(row: Row | None) -> Answer:
        return Answer("Not", "gone" if row is None else (row.kind, row.state))


def agree(expected: Answer, got: Answer, lost: str) -> bool:
    """Whether the caller was told what the model says. Of a take whose answer was lost: nothing. Of the others, which
    are repeated inside: that it had been done before, or, raced, that somebody did the next thing after it."""
    if got.name == expected.name:
        return True
    if expected.name == "Done":
        return got.name in {"": (), "alone": ("Already",), "raced": ("Already", "Not")}[lost]
    return bool(lost) and got.name in AFTER_LOSS.get(expected.name, ())


def different(expected: Answer, got: Answer) -> bool:
    return expected.name == got.name and None not in (expected.detail, got.detail) and expected.detail != got.detail


def differences(rows: dict[str, Any], model: dict[str, Any]) -> dict[str, Any]:
    keys = sorted({*rows, *model})
    return {key: (rows.get(key), model.get(key)) for key in keys if rows.get(key) != model.get(key)}

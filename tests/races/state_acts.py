"""What the state machine does: each step says what to call and what the model expects of it.

A step is drawn as plain numbers, whose meaning is found when it runs: which record is there depends on who won the
races before, and a draw must not.
"""

import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from state_model import Answer, Model
from state_rows import OWN_CLASS

from claims import closed, mark
from claims.consume import consume
from claims.release import ANY, NOT_STARTED, destroy, release
from claims.settle import close
from claims.take import take
from claims.types import Closed, Lost, Member, Not, Order, Taken, Unsettled, claim_id
from providers.change import Changes, change, report
from providers.inventory import Inventory
from providers.records import OwnRow, Record
from providers.refusals import Conflict, Invalid
from store.home import Home


@dataclass(frozen=True)
class Act:
    """One call, bound to its arguments; `point` is what failpoints know its transaction as. `counted`: a claim of an
    own class, which any other transaction on the tree may overtake."""

    text: str
    point: str
    call: Callable[[], Answer]
    expect: Callable[[Model], Answer]
    counted: bool = False


@dataclass
class Cast:
    """One tree, what was ordered on it, and every version of each record that was ever read."""

    home: Home
    providers: list[UUID]  # the root first
    names: Mapping[UUID, tuple[str, ...]]  # of the amounts
    model: Model
    orders: dict[UUID, Order] = field(default_factory=dict)  # by each of their claim ids
    read: dict[UUID, list[Record]] = field(default_factory=dict)

    def provider(self, number: int) -> UUID:
        return self.providers[number % len(self.providers)]

    def pick(self, which: int, kinds: Sequence[str] = ("claim", "instance")) -> UUID | None:
        """A record of these kinds (0-5), or any other id: closed, removed, never taken (6-7, or when there is none)."""
        wanted = [one for one in self.orders if self._kind(one) in kinds]
        others = [one for one in self.orders if one not in wanted]
        ids = (wanted or others) if which < 6 else (others or wanted)
        return ids[which % len(ids)] if ids else None

    def record(self, one: UUID | None, age: int) -> Record | None:
        """As it was some changes ago (0: as it is now, or was when it was removed)."""
        versions = self.read.get(one, []) if one else []
        return versions[-1 - min(age, len(versions) - 1)] if versions else None

    def closed(self) -> list[Record]:
        """Closed ids, those that are still there first."""
        last = [versions[-1] for versions in self.read.values() if versions[-1].kind == "closed"]
        return sorted(last, key=lambda record: record.id not in self.model.rows)

    def label(self, one: UUID) -> str:
        if one in self.providers:
            return f"provider {self.providers.index(one)}"
        return f"{list(self.orders).index(one)}"

    def _kind(self, one: UUID) -> str:
        return self.model.rows[one].kind if one in self.model.rows else ""


@dataclass(frozen=True)
class Take:
    """Members are provider, first amount, second amount. `stale`: decided on an older state of the providers (of the
    root when they are its children)."""

    members: tuple[tuple[int, int, int], ...]
    held: bool = False
    stale: str = ""

    def bind(self, cast: Cast) -> Act:
        request, versions = uuid.uuid4(), {one: p.state_version for one, p in cast.model.providers.items()}
        members = []
        for number, (provider, first, second) in enumerate(self.members):
            one = cast.provider(provider)
            amounts = dict(zip(cast.names[one], (first, second if first or second else 1), strict=False))
            of_class = cast.model.providers[one].resource_class
            version = versions[one] - (self.stale == "providers")
            members.append(Member(claim_id(request, 0, number, 0), number, one, "host", of_class, amounts, version))
        root, state = cast.providers[0], "held" if self.held else "claimed"
        of_root = versions[root] - (self.stale == "root")
        order = Order(cast.home, root, of_root, request, 0, "someone", "races", tuple(members), state)
        cast.orders |= {m.claim_id: order for m in members}
        return take_of(cast, order)


@dataclass(frozen=True)
class TakeAgain:
    """`fresh`: decided again on the state as it is now."""

    which: int = 0
    fresh: bool = False
    on: UUID | None = None

    def bind(self, cast: Cast) -> Act | None:
        one = self.on or cast.pick(self.which)
        if one is None:
            return None
        order = cast.orders[one]
        if self.fresh:
            now = {p: state.state_version for p, state in cast.model.providers.items()}
            members = tuple(replace(m, state_version=now[m.provider_id]) for m in order.members)
            order = replace(order, root_state_version=now[order.root_id], members=members)
        return take_of(cast, order)


@dataclass(frozen=True)
class Close:
    """Settles an id. `first`: an id that is closed before its claim is ever taken."""

    which: int = 0
    first: bool = False
    on: UUID | None = None

    def bind(self, cast: Cast) -> Act | None:
        if self.first:
            Take(((self.which, 1, 0), (self.which + 1, 1, 1))).bind(cast)
        one = next(reversed(cast.orders)) if self.first else self.on or cast.pick(self.which)
        return None if one is None else close_of(cast, one)


@dataclass(frozen=True)
class OnRecord:
    """An operation on one record, as read some changes ago."""

    name: str
    which: int = 0
    age: int = 0
    on: UUID | None = None

    def bind(self, cast: Cast) -> Act | None:
        kind = "instance" if self.name in ("destroy", "to_be_destroyed") else "claim"
        record = cast.record(cast.pick(self.which, (kind,)) if self.on is None else self.on, self.age)
        if record is None:
            return None
        call, expect = OPERATIONS[self.name]
        text = f"{self.name} {cast.label(record.id)} read as {record.kind} {record.state}"
        point = f"claims.{'release' if self.name == 'release_any' else self.name}"
        return Act(text, point, lambda: told(call(record)), lambda model: expect(model, record))


@dataclass(frozen=True)
class Remove:
    """Removes some of the closed ids."""

    first: int = 0
    count: int = 3

    def bind(self, cast: Cast) -> Act | None:
        records = cast.closed()
        first = self.first % max(1, len(records))
        some = records[first : first + self.count]
        if not some:
            return None

        def call() -> Answer:
            removed = closed.remove(some)
            return Answer("Removed", removed) if removed else Answer("Kept")

        text = f"remove closed {', '.join(cast.label(r.id) for r in some)}"
        return Act(text, "claims.remove_closed", call, lambda model: model.remove_closed([r.id for r in some]))


@dataclass(frozen=True)
class Report:
    """The host's totals of its first amounts."""

    provider: int
    totals: tuple[int, ...]

    def bind(self, cast: Cast) -> Act:
        one = cast.provider(self.provider)
        totals = dict(zip(cast.names[one], self.totals, strict=False))
        text = f"report of {cast.label(one)}: {totals}"
        return Act(text, "", lambda: changed(report, one, totals, {}, None), lambda model: model.report(one, totals))


@dataclass(frozen=True)
class Change:
    """An operator's change of the first amount, or of the state."""

    provider: int
    state: str | None = None
    reserved: int | None = None
    ratio: float | None = None
    stale: bool = False

    def bind(self, cast: Cast) -> Act:
        one = cast.provider(self.provider)
        seen = cast.model.providers[one]
        name = cast.names[one][0]
        total, reserved, ratio = seen.inventory[name]
        new = (
            total,
            reserved if self.reserved is None else self.reserved,
            ratio if self.ratio is None else self.ratio,
        )
        news = {} if new == (total, reserved, ratio) else {name: new}
        changes = Changes({"state": self.state} if self.state else {}, {n: Inventory(*i) for n, i in news.items()}, {})
        version = seen.state_version - self.stale

        def expect(model: Model) -> Answer:
            return model.change(one, version, self.state, news)

        text = f"change {cast.label(one)} as of {version}: {self.state or ''} {news}"
        return Act(text, "", lambda: changed(change, one, version, changes), expect)


def take_of(cast: Cast, order: Order) -> Act:
    def call() -> Answer:
        match take(order):
            case Lost(tree):
                there = {m.provider_id: tree.providers.get(m.provider_id) for m in order.members}
                return Answer("Lost", {one: own.available for one, own in there.items() if own is not None})
            case Taken() | Closed() | Unsettled() as result:
                return Answer(type(result).__name__)

    members = [f"{m.amounts} of {cast.label(m.provider_id)} as {cast.label(m.claim_id)}" for m in order.members]
    counted = any(m.resource_class == OWN_CLASS for m in order.members)
    text = f"take {order.state} {'; '.join(members)}"
    return Act(text, "claims.take", call, lambda model: model.take(order), counted)


def close_of(cast: Cast, claim: UUID) -> Act:
    order = cast.orders[claim]
    on = next(m.provider_id for m in order.members if m.claim_id == claim)

    def call() -> Answer:
        found = close(order.home, order.root_id, on, claim, order.request_id, time.monotonic() + 20)
        return Answer("Shut") if found is None else Answer("Found", found.kind)

    text = f"close {cast.label(claim)}"
    return Act(text, "claims.close", call, lambda model: model.close(claim, on, order.request_id))


def told(result: Any) -> Answer:
    """Done, Already, or Not with how the record is."""
    if not isinstance(result, Not):
        return Answer(type(result).__name__)
    return Answer("Not", "gone" if result.record is None else (result.record.kind, result.record.state))


def changed(call: Callable[..., tuple[Any, OwnRow]], *arguments: Any) -> Answer:
    try:
        return Answer("Changed", call(*arguments)[1].state_version)
    except (Conflict, Invalid) as refusal:
        return Answer(type(refusal).__name__)


Operation = tuple[Callable[[Record], Any], Callable[[Model, Record], Answer]]


def _mark(name: str) -> Operation:
    return getattr(mark, name), lambda model, record: model.mark(name, record.id)


OPERATIONS: dict[str, Operation] = {
    "consume": (consume, lambda model, record: model.consume(record.id, record.kind)),
    "release": (
        lambda record: release(record, NOT_STARTED),
        lambda model, record: model.release(record.id, record.kind, ("held", "claimed", "active")),
    ),
    "release_any": (
        lambda record: release(record, ANY),
        lambda model, record: model.release(
            record.id, record.kind, ("held", "claimed", "notified", "building", "active")
        ),
    ),
    "destroy": (destroy, lambda model, record: model.destroy(record.id)),
    "building": _mark("building"),
    "confirm": _mark("confirm"),
    "active": _mark("active"),
    "to_be_destroyed": _mark("to_be_destroyed"),
    "to_be_released": (mark.to_be_released, lambda model, record: model.to_be_released(record.id)),
}

"""Compares what claimants were told with what Cassandra holds at the end: to the last amount, in both directions."""

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from serial_reader import AMOUNTS, read_serially, wrong_with

from claims import consume, release
from claims.find import find_any
from claims.settle import close
from providers.records import CLAIM, CLOSED, INSTANCE, NIL
from store.home import Home

GONE, REFUSED, UNKNOWN = "gone", "refused", "unknown"
AFTER = {"release": GONE, "consume": INSTANCE, "destroy": GONE}


@dataclass
class Told:
    """One claim, as its author was told about it. `state`: claim, instance, gone, refused, closed or unknown."""

    claim_id: UUID
    host: UUID
    request_id: UUID
    amounts: Mapping[str, int]
    state: str = UNKNOWN
    open_operation: str = "take"  # asked for and not answered


@dataclass
class Account:
    answers_get_lost: bool = False  # Cassandra is killed meanwhile: a step repeated inside may find itself done
    claims: dict[str, Told] = field(default_factory=dict)
    acknowledged: int = 0
    refused: int = 0
    unanswered: int = 0
    surprises: list[str] = field(default_factory=list)  # answers that one author's own history rules out

    def add(self, line: Mapping) -> None:
        for index, claim in enumerate(line.get("claims", ())):
            if line["step"] == "intent":
                self._intend(claim, index, line)
            elif line["step"] == "outcome":
                self._learn(self.claims[claim], line["operation"], line["outcome"])

    def _intend(self, claim: str, index: int, line: Mapping) -> None:
        if line["operation"] == "take":
            request, host = UUID(line["request"]), UUID(line["host"])
            self.claims[claim] = Told(UUID(claim), host, request, line["amounts"][index])
        else:
            self.claims[claim].open_operation = line["operation"]

    def _learn(self, told: Told, operation: str, outcome: str) -> None:
        if outcome in ("Unknown", "Unsettled"):
            self.unanswered += 1
            return
        told.open_operation = ""
        if operation == "take":
            self.acknowledged += outcome == "Taken"
            self.refused += outcome == "Lost"
            told.state = CLAIM if outcome == "Taken" else REFUSED
        elif outcome in ("Done", "Already"):
            told.state = AFTER[operation]
            if outcome == "Already" and not self.answers_get_lost:
                self.surprises.append(f"{told.claim_id}: {operation} had been done before")
        else:
            self.surprises.append(f"{told.claim_id}: {operation} answered {outcome}")


def account_of(histories: Iterable[Path], answers_get_lost: bool = False) -> Account:
    """`answers_get_lost`: Cassandra was killed meanwhile, so a step that was repeated inside may find itself done."""
    account = Account(answers_get_lost=answers_get_lost)
    for path in histories:
        for line in path.read_text().splitlines():
            if line.endswith("}"):  # a killed process leaves half a line
                account.add(json.loads(line))
    return account


def settle(account: Account, home: Home, seconds: float = 90.0) -> int:
    """Settles what got no answer: takes by the closing write, the others by doing them again. How many there were."""
    open_ones = [told for told in account.claims.values() if told.open_operation]
    for told in open_ones:
        if told.open_operation == "take":
            until = time.monotonic() + seconds
            found = close(home, told.host, told.host, told.claim_id, told.request_id, until)
            told.state = CLOSED if found is None else found.kind
        else:
            _again(told)
        told.open_operation = ""
    return len(open_ones)


def _again(told: Told) -> None:
    record = find_any(told.claim_id)
    run = {"release": release.release, "consume": consume.consume, "destroy": release.destroy}[told.open_operation]
    if record is not None:
        run(record)
    told.state = AFTER[told.open_operation]


def differences(account: Account, hosts: Sequence[UUID], home: Home, capacity: Mapping[str, int]) -> list[str]:
    """Every way in which the end state is not exactly what the acknowledged history says."""
    found = list(account.surprises)
    for host in hosts:
        rows = read_serially(host, home.datacenter)
        told = [t for t in account.claims.values() if t.host == host]
        found += [f"{host}: {wrong}" for wrong in [*wrong_with(rows), *_amounts(rows, told, capacity)]]
        found += _records({row["record_id"]: row for row in rows if row["record_id"] != NIL}, told)
    return found


def _amounts(rows: Sequence[Mapping], told: Sequence[Told], capacity: Mapping[str, int]) -> Iterable[str]:
    own = next(row for row in rows if row["record_id"] == NIL)
    for name in AMOUNTS:
        used = sum(t.amounts.get(name, 0) for t in told if t.state == INSTANCE)
        claimed = sum(t.amounts.get(name, 0) for t in told if t.state == CLAIM)
        if own[name] != capacity[name] - used:
            yield f"its own {name} is {own[name]}, history says {capacity[name] - used}"
        if own[f"available_{name}"] != capacity[name] - used - claimed:
            yield f"available_{name} is {own[f'available_{name}']}, history says {capacity[name] - used - claimed}"


def _records(rows: dict[UUID, Mapping], told: Sequence[Told]) -> Iterable[str]:
    for one in told:
        row = rows.pop(one.claim_id, None)
        there = row["kind"] if row else None
        expected = {GONE: (None, CLOSED), REFUSED: (None,)}.get(one.state, (one.state,))  # ids stay closed for a while
        if there not in expected:
            yield f"{one.claim_id} is {there}, history says {one.state}"
        elif row and there == CLAIM and any((row[name] or 0) != -one.amounts.get(name, 0) for name in AMOUNTS):
            yield f"{one.claim_id} has other amounts than were claimed"
    for record_id, row in rows.items():
        yield f"{record_id} is a {row['kind']} that nobody asked for"

"""Bugs to plant into the transactions on claims: from outside, by rewriting a batch on its way to Cassandra.

The state machine must notice each.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from seeded_bugs import _unsummed
from state_acts import Change, Close, OnRecord, Remove, Report, Take, TakeAgain
from state_rows import OWN_CLASS

from claims import repeat, settle, take
from store.lwt import Statement

Rewrite = Callable[[list[Statement]], list[Statement]]
STATES = r"state IN \([?, ]+\)"


def without(pattern: str) -> Rewrite:
    """Drops the statements that match."""
    return lambda batch: [statement for statement in batch if not re.search(pattern, statement.cql)]


def cut(pattern: str, instead: str = "") -> Rewrite:
    """Cuts what matches out of the statements, and the values that were bound to it."""
    return lambda batch: [_cut(statement, pattern, instead) for statement in batch]


def _cut(statement: Statement, pattern: str, instead: str) -> Statement:
    cql, values = statement.cql, list(statement.values)
    for found in reversed(list(re.finditer(pattern, cql))):
        begin = cql[: found.start()].count("?")
        del values[begin : begin + found.group().count("?")]
        cql = cql[: found.start()] + instead + cql[found.end() :]
    return Statement(cql, values)


@dataclass(frozen=True)
class Bug:
    """The transaction ("": each), how it is rewritten, and steps that end where it shows (a list of steps: at once)."""

    transaction: str
    rewrite: Rewrite
    steps: Sequence[Any]
    layout: Sequence[str] = ("compute",)


ONE = Take(((0, 1, 1),))
TWO_UPDATES = "two updates of a row"
BUGS = {
    "take does not ask for room": Bug(
        "claims.take", cut(r" AND available_\w+ >= \?"), [Take(((0, 5, 0),)), Take(((0, 5, 0),))]
    ),
    "take writes over what is there": Bug("claims.take", cut(" IF NOT EXISTS"), [ONE, TakeAgain()]),
    "a child is sold whatever its root is": Bug(
        "claims.take",
        without("SET touched"),
        [Change(0, "disabled"), Take(((1, 1, 1),), stale="root")],
        ("compute", "compute"),
    ),
    "consume leaves the amounts on the host": Bug(
        "claims.consume", without("state_version >= 0"), [ONE, OnRecord("consume")]
    ),
    "consume takes what is held": Bug(
        "claims.consume", cut(f" AND {STATES}"), [Take(((0, 1, 1),), held=True), OnRecord("consume")]
    ),
    "release does not look at the state": Bug(
        "claims.release", cut(f" AND {STATES}"), [ONE, OnRecord("building"), OnRecord("release")]
    ),
    "destroy asks only whether there is something": Bug(
        "claims.destroy",
        cut(rf"kind = \? AND {STATES}", "EXISTS"),
        [ONE, OnRecord("consume"), OnRecord("destroy"), OnRecord("destroy", age=1)],
    ),
    "confirming does not look at the state": Bug(
        "claims.confirm", cut(f" AND {STATES}"), [ONE, OnRecord("building"), OnRecord("confirm")]
    ),
    "settling closes nothing": Bug("claims.close", without("INSERT"), [Close(first=True)]),
    "closed ids go without a new state version": Bug(
        "claims.remove_closed", without("SET state_version"), [ONE, OnRecord("release"), Remove()]
    ),
    TWO_UPDATES: Bug("", lambda batch: batch, [Take(((0, 2, 0), (0, 2, 0)))]),
    "an own class is not counted by generation": Bug(
        "",
        cut(r"IF generation = \?", "IF generation >= 0"),
        [Report(0, (1000, 1000)), *[[ONE, ONE, ONE]] * 50],
        (OWN_CLASS,),
    ),
}


def plant(bug: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if bug == TWO_UPDATES:
        monkeypatch.setattr(take, "_shifts", _unsummed)
    planted = BUGS[bug]
    for module in (take, settle, repeat):
        monkeypatch.setattr(module, "run", _planted(module.run, planted.transaction, planted.rewrite))


def _planted(run: Callable[..., Any], transaction: str, rewrite: Rewrite) -> Callable[..., Any]:
    def planted(statements: Sequence[Statement], datacenter: str, name: str = "", attempt: int = 0) -> Any:
        rewritten = rewrite(list(statements)) if transaction in ("", name) else statements
        return run(rewritten, datacenter, name, attempt)

    return planted

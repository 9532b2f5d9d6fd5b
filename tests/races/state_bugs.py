"""Bugs to plant into the transactions on claims: from outside, by rewriting a batch on its way to Cassandra.

The state machine must notice each. `planted` undoes nothing itself: monkeypatch does.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from seeded_bugs import _unsummed

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


# What is wrong -> the transaction ("": each) and how it is rewritten.
BUGS: dict[str, tuple[str, Rewrite]] = {
    "take does not ask for room": ("claims.take", cut(r" AND available_\w+ >= \?")),
    "take writes over what is there": ("claims.take", cut(" IF NOT EXISTS")),
    "a child is sold whatever its root is": ("claims.take", without("SET touched")),
    "consume leaves the amounts on the host": ("claims.consume", without("state_version >= 0")),
    "consume takes what is held": ("claims.consume", cut(f" AND {STATES}")),
    "release does not look at the state": ("claims.release", cut(f" AND {STATES}")),
    "destroy asks only whether there is something": ("claims.destroy", cut(rf"kind = \? AND {STATES}", "EXISTS")),
    "confirming does not look at the state": ("claims.confirm", cut(f" AND {STATES}")),
    "settling closes nothing": ("claims.close", without("INSERT")),
    "closed ids go without a new state version": ("claims.remove_closed", without("SET state_version")),
    "an own class is not counted by generation": ("", cut(r"IF generation = \?", "IF generation >= 0")),
    "two updates of a row": ("", lambda batch: batch),
}


def plant(bug: str, monkeypatch: pytest.MonkeyPatch) -> None:
    transaction, rewrite = BUGS[bug]
    if bug == "two updates of a row":
        monkeypatch.setattr(take, "_shifts", _unsummed)
    for module in (take, settle, repeat):
        monkeypatch.setattr(module, "run", _planted(module.run, transaction, rewrite))


def _planted(run: Callable[..., Any], transaction: str, rewrite: Rewrite) -> Callable[..., Any]:
    def planted(statements: Sequence[Statement], datacenter: str, name: str = "", attempt: int = 0) -> Any:
        rewritten = rewrite(list(statements)) if transaction in ("", name) else statements
        return run(rewritten, datacenter, name, attempt)

    return planted

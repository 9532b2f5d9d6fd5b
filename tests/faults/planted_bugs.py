"""Bugs that the fault tests plant, to see that they would be noticed. Planted from outside, by replacing functions:
production code has no switch for them. `replace(object, name, value)` is setattr, or a test's that takes it back."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from cassandra.policies import RetryPolicy
from judge import tree_at

from claims import closed, consume, release, settle, take
from claims.release import release as give_back
from claims.types import HELD
from conductor import attempt, recover, rows
from conductor import release as request_release
from conductor.attempt import part_of
from conductor.commit import abort, refuse
from conductor.outcome import records_of
from store import session
from store.lwt import Statement

Replace = Callable[[Any, str, Any], None]


@dataclass(frozen=True, slots=True)
class Dropped:
    """One condition that is left out of one batch: `pattern` in those of its statements that have `where`."""

    where: str
    pattern: str
    instead: str = ""

    def __call__(self, statements: Sequence[Statement]) -> list[Statement]:
        assert any(self._found(s) for s in statements), "nothing to drop"
        return [self._without(s) if self._found(s) else s for s in statements]

    def _found(self, statement: Statement) -> bool:
        return self.where in statement.cql and re.search(self.pattern, statement.cql) is not None

    def _without(self, statement: Statement) -> Statement:
        found = re.search(self.pattern, statement.cql)
        assert found is not None
        first = statement.cql[: found.start()].count("?")
        after = first + found.group().count("?") - self.instead.count("?")
        cql = statement.cql[: found.start()] + self.instead + statement.cql[found.end() :]
        return Statement(cql, [*statement.values[:first], *statement.values[after:]])


def settle_by_read(replace: Replace) -> None:
    """An unknown claim is looked for with a SERIAL read; one that is not there is taken for one that will not come."""

    def look(home: Any, root_id: Any, provider_id: Any, claim_id: Any, request_id: Any, until: float) -> Any:
        return next((r for r in tree_at(home, root_id).records if r.id == claim_id), None)

    for module in (attempt, request_release):
        replace(module, "close", look)


def driver_retries(replace: Replace) -> None:
    """The driver's own policy, which sends a request again when its connection is lost. Before the session is made."""
    replace(session, "FallthroughRetryPolicy", RetryPolicy)


def removed_without_version(replace: Replace) -> None:
    """Closed ids are removed in a batch that leaves `state_version` as it is."""
    original = closed.repeat

    def repeat(name: str, home: Any, root_id: Any, build: Any, read_first: bool) -> Any:
        kept = [s for s in build(None) if "state_version + 1" not in s.cql]
        return original(name, home, root_id, lambda _: kept, read_first)

    replace(closed, "repeat", repeat)


def expiry_of_committed(replace: Replace) -> None:
    """What is still held when its time is over goes back, also when its request is committed."""

    def finish(row: Any) -> Any:
        for record in records_of(row.parts):
            if record is not None and record.state == HELD:
                give_back(record, (HELD,))
        return None, True

    replace(recover, "_finish_claimed", finish)


def expiry_before_the_row(replace: Replace) -> None:
    """Holds go back first, and the request row, which could still be committed, is moved after them."""

    def finish(row: Any) -> Any:
        abort(row, [part_of(row, m, n, t) for m in row.plan.members for n, t in enumerate(m.tries)])
        return None, refuse(row, "interrupted", {"attempts": row.attempts})

    replace(recover, "_finish_scheduling", finish)


def take_over_closed(replace: Replace) -> None:
    """The claim's row is inserted without IF NOT EXISTS."""
    _drop(replace, take, Dropped("INSERT INTO", " IF NOT EXISTS"))


def take_any_version(replace: Replace) -> None:
    """The claim is not conditioned on the provider's state version."""
    _drop(replace, take, Dropped("available_", r"state_version = \? AND "))


def close_over_claim(replace: Replace) -> None:
    """The closing write is without IF NOT EXISTS."""
    original, drop = settle.run, Dropped("INSERT INTO", " IF NOT EXISTS")
    replace(settle, "run", lambda batch, *rest: original(drop(batch), *rest))


def consume_any(replace: Replace) -> None:
    """The claim's row becomes an instance whatever it was."""
    _drop(replace, consume, Dropped("gives_back", r" IF kind = .*"))


def release_any(replace: Replace) -> None:
    """The claim's row is closed whatever it was."""
    original, drop = release.repeat, Dropped("gives_back", r" IF kind = .*")

    def repeat(name: str, home: Any, root_id: Any, build: Any, read_first: bool) -> Any:
        return original(name, home, root_id, lambda tree: drop(build(tree)), read_first)

    replace(release, "repeat", repeat)


def move_any_version(replace: Replace) -> None:
    """The request row is moved whoever moved it meanwhile."""
    original, drop = rows.run, Dropped("SET", r"IF version = \?", "IF EXISTS")

    def run(batch: Sequence[Statement], *rest: Any) -> Any:
        return original(drop(batch) if " SET " in batch[0].cql else batch, *rest)

    replace(rows, "run", run)


def _drop(replace: Replace, module: Any, drop: Dropped) -> None:
    original = module.statements
    replace(module, "statements", lambda *order: drop(original(*order)))

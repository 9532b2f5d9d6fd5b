"""Runs a transaction that may be repeated: each one here changes a record once, whoever repeats it finds it changed.

So an answer that was lost is no question: run it again, and read the refusal.
"""

import time
from collections.abc import Callable, Sequence
from uuid import UUID

from claims.overtaken import tries
from providers.records import Record, Tree, read_tree, record_of
from providers.refusals import Undecided
from store.failures import StoreUnavailable
from store.home import Home
from store.lwt import Applied, Outcome, Refused, Statement, Unknown, run
from store.session import keyspace, read

TRIES = 8
PAUSE = 0.2  # seconds, longer by that with each try that got no answer: a lost connection is made again in two seconds


def repeat(
    name: str, home: Home, root_id: UUID, build: Callable[[Tree | None], Sequence[Statement]], read_first: bool
) -> Applied | Refused:
    """Runs `build(tree)` until it is answered, each time through another coordinator. `name` is what fault tests call
    it. `read_first` (classes whose amounts are maps): gives it the tree, and reads again when something else happened
    meanwhile. Raises Undecided; StoreUnavailable when it certainly was not run."""
    outcome: Outcome = Unknown("not run yet")
    attempt = 0  # that got no answer
    for _ in tries():
        tree = None
        try:
            tree = read_tree(home, root_id) if read_first else None
            outcome = run(build(tree), home.datacenter, name, attempt)
        except StoreUnavailable as error:
            if not attempt:
                raise
            outcome = Unknown(str(error))  # the tries before this one got no answer: one may have been applied
        if isinstance(outcome, Unknown):
            attempt += 1
            if attempt == TRIES:
                break
            time.sleep(PAUSE * (attempt - 1))
            continue
        overtaken = tree is not None and isinstance(outcome, Refused) and _generation(outcome) != tree.generation
        if not overtaken:
            return outcome
    raise Undecided(f"the cell {home.cell} did not answer; read the record, then repeat ({outcome})")


def as_it_is(record: Record) -> Record | None:
    """The record now, after a refusal, None when it is gone. (A refusal shows all columns only when its batch has an
    IF [NOT] EXISTS, so it is read; losing is rare.)"""
    cql = (
        f"SELECT * FROM {keyspace(record.home.datacenter)}.provider_records "
        "WHERE root_id = ? AND provider_id = ? AND record_id = ?"
    )
    rows = read(cql, [record.root_id, record.provider_id, record.id])
    return record_of(record.home, rows[0]) if rows and rows[0]["kind"] else None


def _generation(refused: Refused) -> int:
    return next((int(row["generation"]) for row in refused.rows if row.get("generation") is not None), 0)

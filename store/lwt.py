"""Lightweight transactions and their three outcomes.

`Applied`, `Refused(rows)` (the condition did not hold; the current rows come with it) or `Unknown` (no answer: it may
have been applied, or may yet be). Unknown is settled by a write (see claims/settle.py), never by reading or waiting.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from cassandra import RequestValidationException, Unavailable
from cassandra.cluster import NoHostAvailable
from cassandra.connection import ConnectionBusy, ConnectionException
from cassandra.pool import NoConnectionsAvailable
from cassandra.query import BatchStatement, BatchType

from store import failpoints
from store.failures import StoreUnavailable
from store.session import coordinator, lwt_profile, prepare, session

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Statement:
    """One conditional statement: prepared CQL and its values, in order."""

    cql: str
    values: Sequence[Any]


@dataclass(frozen=True, slots=True)
class Applied:
    """The transaction was committed."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A condition did not hold, nothing was written; `rows` are the rows as they are now (all columns when the batch
    has an IF [NOT] EXISTS, else those of the conditions; empty when the row is not there)."""

    rows: tuple[Row, ...] = field(default=())

    @property
    def row(self) -> Row:
        return self.rows[0] if self.rows else {}


@dataclass(frozen=True, slots=True)
class Unknown:
    """No answer: applied, not applied, or applied later when a paused coordinator wakes up."""

    error: str


Outcome = Applied | Refused | Unknown


def run(statements: Sequence[Statement], datacenter: str, name: str = "", attempt: int = 0) -> Outcome:
    """Runs one conditional statement, or several as one batch on one partition, at their home data centre.

    `name` is what fault tests call it (store/failpoints.py). `attempt`: how many times it got no answer before; each
    goes to another coordinator, for the first may be paused. Raises StoreUnavailable when it certainly was not run: no
    coordinator could be reached, or too few replicas lived.
    """
    fault = failpoints.reach(name, failpoints.BEFORE)
    if fault == failpoints.LOST:
        return Unknown("failpoint: not sent")
    outcome = _run(statements, datacenter, attempt)
    if fault == failpoints.TWICE:
        outcome = _run(statements, datacenter, attempt)
    fault = failpoints.reach(name, failpoints.AFTER)
    if fault == failpoints.TWICE:
        _run(statements, datacenter, attempt)
    return Unknown("failpoint: answer lost") if fault == failpoints.LOST else outcome


def _run(statements: Sequence[Statement], datacenter: str, attempt: int) -> Outcome:
    profile = lwt_profile(datacenter)
    bound = [prepare(s.cql).bind(s.values) for s in statements]
    if len(bound) == 1:
        query: Any = bound[0]
    else:
        query = BatchStatement(BatchType.LOGGED)
        for statement in bound:
            query.add(statement)
    try:
        host = coordinator(query, profile, attempt) if attempt else None
        rows = session().execute(query, execution_profile=profile, host=host).all()
    except Unavailable as error:
        raise StoreUnavailable(f"too few replicas alive in {datacenter}: {error}") from error
    except NoHostAvailable as error:
        if _never_sent(error):
            raise StoreUnavailable(f"no coordinator reachable in {datacenter}") from error
        return Unknown(f"NoHostAvailable: {error}")
    except Exception as error:
        if _certainly_wrong(error):
            raise
        return Unknown(f"{type(error).__name__}: {error}")
    first = rows[0]
    if first["[applied]"]:
        return Applied()
    return Refused(tuple({k: v for k, v in row.items() if k != "[applied]"} for row in rows if len(row) > 1))


def _never_sent(error: NoHostAvailable) -> bool:
    """True when every host was passed over before the request left this process (down, no pool, no free connection)."""
    causes = error.errors.values() if isinstance(error.errors, dict) else []
    return all(isinstance(cause, (NoConnectionsAvailable, ConnectionBusy, ConnectionException)) for cause in causes)


def _certainly_wrong(error: Exception) -> bool:
    """A mistake in our own statement (syntax, wrong type): refused before Paxos, and hiding it would hide a bug."""
    return isinstance(error, (RequestValidationException, TypeError, ValueError, AttributeError, KeyError))

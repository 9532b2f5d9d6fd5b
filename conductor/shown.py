"""A host was shown its claims: a line in the history of each request, once a process. No transaction is spent on it."""

import datetime as dt
import logging
from collections.abc import Iterable
from uuid import UUID

from cassandra.util import uuid_from_time

from claims.types import CLAIMED
from conductor.identify import home_of
from conductor.states import NOTIFIED
from providers.records import Record
from store.failures import StoreUnavailable
from store.session import keyspace, write_many

log = logging.getLogger("sched_portal.conductor")

MOST = 20_000
_noted: set[UUID] = set()  # claims


def note_shown(records: Iterable[Record]) -> None:
    """Of those that nobody began yet. It only informs: nothing fails for it."""
    new = [record for record in records if record.state == CLAIMED and record.id not in _noted]
    if not new:
        return
    if len(_noted) > MOST:
        _noted.clear()
    _noted.update(record.id for record in new)
    writes = []
    for record in new:
        home = home_of(record.request_id)
        if home is not None:
            cql = (
                f"INSERT INTO {keyspace(home.datacenter)}.request_history (request_id, id, state, who, why) "
                "VALUES (?, ?, ?, ?, ?)"
            )
            at = uuid_from_time(dt.datetime.now(dt.UTC).timestamp())
            who = f"agent of {record.provider_name}"
            writes.append((cql, [record.request_id, at, NOTIFIED, who, f"was shown claim {record.id}"]))
    try:
        write_many(writes)
    except StoreUnavailable as error:
        log.info("that %d claims were shown is not written down: %s", len(writes), error)

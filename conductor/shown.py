"""A host was shown its claims: a line in the history of each request, once a process. No transaction is spent on it."""

import logging
from collections.abc import Iterable
from uuid import UUID

from claims.types import CLAIMED
from conductor.identify import home_of
from conductor.rows import line_of_history
from conductor.states import NOTIFIED
from providers.records import Record
from store.failures import StoreUnavailable
from store.session import write_many

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
            who, why = f"agent of {record.provider_name}", f"was shown claim {record.id}"
            writes.append(line_of_history(home, record.request_id, NOTIFIED, who, why))
    try:
        write_many(writes)
    except StoreUnavailable as error:
        log.info("that %d claims were shown is not written down: %s", len(writes), error)

"""Removes closed ids: some time after they were closed, and at once when a tree has many of them.

Only in a batch that also bumps the provider's `state_version`: every claim is conditioned on it, so a transaction that
is still on its way to one of these ids will be refused. Without that a late duplicate applied.
"""

import datetime as dt
import logging
import threading
from collections.abc import Sequence
from uuid import UUID

from claims.capacity import bump, table
from claims.lookups import forget
from claims.repeat import repeat
from events.types import PROVIDER_CHANGED, News
from providers.projection import project_soon
from providers.records import CLOSED, Record, Tree
from providers.refusals import Undecided
from providers.resource_classes.kind import NIL
from store.failures import StoreUnavailable
from store.lwt import Applied, Statement

log = logging.getLogger("sched_portal.claims")

AT_ONCE = 50  # rows of one batch
CROWDED = 64  # closed ids of one tree: whoever reads the tree reads them
STAY = 16  # the youngest, which their hosts and authors may be about to ask for

_busy: set[UUID] = set()
_lock = threading.Lock()


def thin_out(tree: Tree) -> int:
    """Removes most closed ids of a tree that has many; how many. What fails is left to the sweep."""
    over = sorted((r for r in tree.records if r.kind == CLOSED), key=_closed_at)
    if len(over) < CROWDED:
        return 0
    with _lock:  # one of this process's threads is enough; another process's batch loses and changes nothing
        if tree.root_id in _busy:
            return 0
        _busy.add(tree.root_id)
    try:
        return remove(over[:-STAY])
    except (Undecided, StoreUnavailable) as error:
        log.info("closed ids of %s are left to the sweep: %s", tree.root_id, error)
        return 0
    finally:
        _busy.discard(tree.root_id)


def _closed_at(record: Record) -> dt.datetime:
    return record.expires_at or dt.datetime.min.replace(tzinfo=dt.UTC)


def remove(records: Sequence[Record]) -> int:
    """Removes closed ids of one tree; how many. Raises Undecided, StoreUnavailable."""
    removed = 0
    for begin in range(0, len(records), AT_ONCE):
        removed += _remove(records[begin : begin + AT_ONCE])
    return removed


def _remove(records: Sequence[Record]) -> int:
    home, root_id = records[0].home, records[0].root_id
    cql = f"DELETE FROM {table(home)} WHERE root_id = ? AND provider_id = ? AND record_id = ? IF kind = ?"
    batch = [Statement(cql, [root_id, r.provider_id, r.id, CLOSED]) for r in records]
    cql = (
        f"UPDATE {table(home)} SET state_version = state_version + 1 "
        "WHERE root_id = ? AND provider_id = ? AND record_id = ? IF state_version >= 0"
    )
    providers = sorted({r.provider_id for r in records}, key=str)
    batch += [Statement(cql, [root_id, provider_id, NIL]) for provider_id in providers]
    batch.append(bump(home, root_id))
    outcome = repeat("claims.remove_closed", home, root_id, lambda _: batch, read_first=False)
    if not isinstance(outcome, Applied):  # another conductor did it, or the provider went and they with it
        return 0
    project_soon(home, root_id, *(News(PROVIDER_CHANGED, provider_id) for provider_id in providers))
    forget(home, [r.id for r in records])
    return len(records)

"""Removes closed ids, some time after they were closed.

Only in a batch that also bumps the provider's `state_version`: every claim is conditioned on it, so a transaction that
is still on its way to one of these ids will be refused. Without that a late duplicate applied.
"""

from collections.abc import Sequence

from claims.capacity import bump, table
from claims.lookups import forget
from claims.repeat import repeat
from events.types import PROVIDER_CHANGED, News
from providers.projection import project_soon
from providers.records import CLOSED, Record
from providers.resource_classes.kind import NIL
from store.lwt import Applied, Statement

AT_ONCE = 50  # rows of one batch


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

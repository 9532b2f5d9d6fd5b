"""Gives a claim in flight more time."""

import datetime as dt

from claims.capacity import bump, table
from claims.repeat import as_it_is, repeat
from claims.types import Already, Done, Not
from events.types import CLAIM_CHANGED, News
from providers.projection import project_soon
from providers.records import CLAIM, Record
from store.lwt import Applied, Statement


def extend(record: Record, until: dt.datetime) -> Done | Already | Not:
    """Its host may take until then. Not: it has no deadline, or another than this record's by now, is asked back, or is
    no claim any more. Raises Undecided, StoreUnavailable."""
    if record.expires_at is None:
        return Not(record)
    cql = (
        f"UPDATE {table(record.home)} SET expires_at = ? WHERE root_id = ? AND provider_id = ? AND record_id = ? "
        f"IF kind = '{CLAIM}' AND expires_at = ? AND release_requested = false"
    )
    key = [record.root_id, record.provider_id, record.id]
    batch = [Statement(cql, [until, *key, record.expires_at]), bump(record.home, record.root_id)]
    outcome = repeat("claims.extend", record.home, record.root_id, lambda _: batch, read_first=False)
    if isinstance(outcome, Applied):
        data = {"state": record.state, "expires_at": until}
        news = News(CLAIM_CHANGED, record.provider_id, record.id, record.request_id, data)
        project_soon(record.home, record.root_id, news)
        return Done()
    now = as_it_is(record)
    is_so = now is not None and now.kind == CLAIM and now.expires_at == until and not now.release_requested
    return Already() if is_so else Not(now)

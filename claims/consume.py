"""The host has built it: one transaction turns the claim into the host's own record of it.

The claim's amounts go to zero and come off the host's own amounts, so what is available does not change. The row stays,
as an instance under the claim's id: an id that is taken cannot be claimed again by a late duplicate (docs/adr/0002).
"""

from claims.capacity import Shift, bump, give_room, needs_tree, table
from claims.lookups import forget
from claims.repeat import as_it_is, repeat
from claims.types import ACTIVE, CONSUMABLE, Already, Done, Not
from events.types import CLAIM_CONSUMED, News
from providers.projection import project_soon
from providers.records import CLAIM, INSTANCE, Record, Tree
from providers.resource_classes.registry import resource_class
from store.lwt import Applied, Statement


def consume(record: Record) -> Done | Already | Not:
    """Repeated, it changes nothing. Held and closed records, and those that were released, can't be consumed (`Not`).

    Raises Undecided, StoreUnavailable.
    """
    if record.kind != CLAIM:  # an instance has no amounts left to take off
        return Already() if record.kind == INSTANCE else Not(record)
    read_first = needs_tree([record.resource_class])
    outcome = repeat("claims.consume", record.home, record.root_id, lambda tree: statements(record, tree), read_first)
    if isinstance(outcome, Applied):
        news = News(CLAIM_CONSUMED, record.provider_id, record.id, record.request_id, {"consumer": record.consumer})
        project_soon(record.home, record.root_id, news)
        forget(record.home, [record.id])
        return Done()
    now = as_it_is(record)
    if now is None or now.kind != INSTANCE:
        return Not(now)
    # The one before may have died before it told anyone.
    project_soon(record.home, record.root_id)
    forget(record.home, [record.id])
    return Already()


def statements(record: Record, tree: Tree | None = None) -> list[Statement]:
    """The batch: the row becomes an instance, its amounts come off the provider's own, the generation."""
    shift = Shift(record.provider_id, record.resource_class, dict(record.amounts), {})
    return [
        _to_instance(record),
        give_room(record.home, record.root_id, shift, tree),
        bump(record.home, record.root_id, tree),
    ]


def _to_instance(record: Record) -> Statement:
    of_class = resource_class(record.resource_class)
    gives_back = {name: -amount for name, amount in record.amounts.items()}
    sets = ["kind = ?", "state = ?", "gives_back = ?", "expires_at = null"]
    values = [INSTANCE, ACTIVE, gives_back]
    conditions, expected = [f"state IN ({', '.join('?' * len(CONSUMABLE))})"], list[object](CONSUMABLE)
    if of_class.custom:
        sets.append("own_amounts = null")
    else:
        sets += [f"{name} = 0" for name in of_class.amounts]
        for name, amount in sorted(record.amounts.items()):
            conditions.append(f"{name} = ?")
            expected.append(amount)
    cql = (
        f"UPDATE {table(record.home)} SET {', '.join(sets)} WHERE root_id = ? AND provider_id = ? AND record_id = ? "
        f"IF kind = '{CLAIM}' AND {' AND '.join(conditions)}"
    )
    return Statement(cql, [*values, record.root_id, record.provider_id, record.id, *expected])

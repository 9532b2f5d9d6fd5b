"""Bugs that the tests plant into a process of claimants, to see that they would be noticed.

Planted from outside, by replacing the function that builds the batch: production code has no switch for them.
"""

import re
from collections.abc import Sequence

from claims import take
from claims.capacity import Shift, negative
from claims.types import Order
from providers.records import Tree
from store.lwt import Statement

NO_CONDITIONS = "no conditions"
TWO_UPDATES = "two updates of a row"


def plant(bug: str) -> None:
    if bug == NO_CONDITIONS:
        take.statements = _without_conditions(take.statements)
    elif bug == TWO_UPDATES:
        take._shifts = _unsummed
    elif bug:
        raise ValueError(bug)


def _without_conditions(build):
    """The batch with its conditions on amounts taken out (arithmetic needs some condition: the state's stays)."""

    def statements(orders: Sequence[Order], tree: Tree | None = None) -> list[Statement]:
        return [_strip(statement) for statement in build(orders, tree)]

    return statements


def _strip(statement: Statement) -> Statement:
    cql, count = re.subn(r" AND available_\w+ >= \?", "", statement.cql)
    values: Sequence[object] = list(statement.values)
    return Statement(cql, values[: len(values) - count])


def _unsummed(orders: Sequence[Order]) -> list[Shift]:
    """One UPDATE a member, also of members on one host: they share a timestamp and one of them is lost."""
    return [Shift(m.provider_id, m.resource_class, {}, negative(m.amounts)) for order in orders for m in order.members]

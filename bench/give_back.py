"""Gives all claims on some hosts back between two measurements, many in one transaction: it is not what is measured."""

from collections.abc import Iterator, Sequence
from uuid import UUID

from claims.capacity import Shift, bump, give_room, table
from providers.projection import project_now
from providers.records import CLAIM, Record, Tree, read_tree
from store.home import Home
from store.lwt import Applied, Statement, run

AT_ONCE = 100  # claims a transaction


def give_back(home: Home, roots: Sequence[UUID]) -> None:
    """Of providers without children."""
    for root in roots:
        tree = read_tree(home, root)
        claims = [r for r in tree.records if r.kind == CLAIM]
        for begin in range(0, len(claims), AT_ONCE):
            outcome = run(list(_statements(tree, claims[begin : begin + AT_ONCE])), home.datacenter)
            if not isinstance(outcome, Applied):
                raise RuntimeError(f"claims on {root} were not given back: {outcome}")
        if claims:
            project_now(home, root)


def _statements(tree: Tree, claims: Sequence[Record]) -> Iterator[Statement]:
    back: dict[str, int] = {}
    for record in claims:
        for name, amount in record.amounts.items():
            back[name] = back.get(name, 0) - amount
        cql = f"DELETE FROM {table(tree.home)} WHERE root_id = ? AND provider_id = ? AND record_id = ? IF EXISTS"
        yield Statement(cql, [record.root_id, record.provider_id, record.id])
    yield give_room(tree.home, tree.root_id, Shift(tree.root_id, claims[0].resource_class, {}, back), None)
    yield bump(tree.home, tree.root_id)

"""Providers of a decision from their own records, as they are now: what the capacity table shows may lag.

`beside` reads what else is on the trees of a sample, `reread` the same providers again.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace

from providers.admission import admission, multipliers
from providers.aggregates import all_aggregates
from providers.records import candidate_of, read_tree, tree_of
from providers.resource_classes.kind import NIL
from providers.tree_columns import columns_of, complete, select
from scheduler.types import Candidate
from store.home import Home
from store.session import keyspace, read_many

TOGETHER = 32  # partitions read by one message
AT_ONCE = 4  # such messages side by side


def beside(candidates: Sequence[Candidate], classes: Collection[str]) -> list[Candidate]:
    """All providers of these classes on the candidates' trees, before any filter, from their own records. One partition
    a tree: as many as the sample found, however large the cloud is."""
    heard = {c.root_id: c for c in candidates}  # the root's agent speaks for the whole tree
    known = {c.provider_id: c for c in candidates}
    homes = {c.root_id: Home(c.cell, c.datacenter) for c in candidates}
    found: list[Candidate] = []
    selects = {root: select(home, root) for root, home in homes.items()}
    # ALLOW FILTERING inside one partition: its claims and instances are not wanted.
    pages = read_many([(f"{selects[root][0]} AND record_id = ? ALLOW FILTERING", [root, NIL]) for root in homes])
    for (root, home), rows in zip(homes.items(), pages, strict=True):
        enough = complete(root, rows, selects[root][1])
        tree = tree_of(home, root, rows) if enough else read_tree(home, root)
        wanted = [own for own in tree.providers.values() if own.row["resource_class"] in classes]
        found += [_still(candidate_of(tree, own, heard[root].alive), known.get(own.id, heard[root])) for own in wanted]
    return found


def reread(candidates: Sequence[Candidate]) -> list[Candidate]:
    """The same providers from their own records, as they are now: the projection may lag. Removed ones are left out."""
    roots: dict[tuple[Home, str], list[Candidate]] = {}
    children: list[Candidate] = []
    for candidate in candidates:
        if candidate.parent_id is None:
            home = Home(candidate.cell, candidate.datacenter)
            roots.setdefault((home, candidate.resource_class), []).append(candidate)
        else:
            children.append(candidate)
    fresh = [one for (home, of_class), some in roots.items() for one in _reread_roots(home, of_class, some)]
    return [*fresh, *_reread_children(children)]


def _reread_roots(home: Home, of_class: str, candidates: Sequence[Candidate]) -> list[Candidate]:
    """Own rows alone say all of a root; several partitions a message, for the message costs more than the row."""
    cql = (
        f"SELECT {columns_of(frozenset([of_class]))} FROM {keyspace(home.datacenter)}.provider_records "
        "WHERE root_id IN ? AND provider_id IN ? AND record_id = ?"
    )
    old = {c.provider_id: c for c in candidates}
    ids = list(old)
    fresh: list[Candidate] = []
    for begin in range(0, len(ids), TOGETHER * AT_ONCE):
        group = ids[begin : begin + TOGETHER * AT_ONCE]
        some = [group[first : first + TOGETHER] for first in range(0, len(group), TOGETHER)]
        for rows in read_many((cql, [few, few, NIL]) for few in some):
            for row in rows:
                tree = tree_of(home, row["root_id"], [row])
                before = old[row["root_id"]]
                fresh.append(_still(candidate_of(tree, tree.providers[row["root_id"]], before.alive), before))
    return fresh


def _reread_children(candidates: Sequence[Candidate]) -> list[Candidate]:
    """With their trees: whoever is above them decides with them."""
    fresh: list[Candidate] = []
    for begin in range(0, len(candidates), TOGETHER):
        group = candidates[begin : begin + TOGETHER]
        cql = "SELECT * FROM {}.provider_records WHERE root_id = ?"
        pages = read_many((cql.format(keyspace(c.datacenter)), [c.root_id]) for c in group)
        for old, rows in zip(group, pages, strict=True):
            tree = tree_of(Home(old.cell, old.datacenter), old.root_id, rows)
            if old.provider_id in tree.providers:
                fresh.append(_still(candidate_of(tree, tree.providers[old.provider_id], old.alive), old))
    return fresh


def _still(fresh: Candidate, before: Candidate) -> Candidate:
    """What own rows do not say stays as the projection had it; the aggregates are looked up again."""
    aggregates = all_aggregates()
    same = fresh.provider_id == before.provider_id
    return replace(
        fresh,
        claims=before.claims if same else 0,
        instances=before.instances if same else 0,
        failed_builds=before.failed_builds,
        conflicts=before.conflicts,
        admits=admission(fresh.aggregates, aggregates),
        multipliers=multipliers(fresh.aggregates, aggregates),
    )

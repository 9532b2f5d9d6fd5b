"""A provider with all that is below it: whoever stops selling it stops selling its children."""

from uuid import UUID

from providers.records import CLAIM, INSTANCE, OwnRow, Record, Tree


def subtree(tree: Tree, provider_id: UUID) -> list[OwnRow]:
    """The provider and its children, children's children and so on; each after those below it."""
    below: dict[UUID | None, list[OwnRow]] = {}
    for own in tree.providers.values():
        below.setdefault(own.row["parent_id"], []).append(own)
    found = [tree.providers[provider_id]]
    for own in found:  # grows as it goes
        found += below.get(own.id, ())
    return found[::-1]


def on_subtree(tree: Tree, provider_id: UUID) -> list[Record]:
    """Claims and instances on the provider and on what is below it."""
    ids = {own.id for own in subtree(tree, provider_id)}
    return [r for r in tree.records if r.provider_id in ids and r.kind in (CLAIM, INSTANCE)]


def count(records: list[Record]) -> tuple[int, int]:
    """How many claims and how many instances."""
    claims = sum(1 for record in records if record.kind == CLAIM)
    return claims, len(records) - claims

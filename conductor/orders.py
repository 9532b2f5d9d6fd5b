"""What an agent is to do and what it should be running, from its provider's tree."""

from collections.abc import Collection
from uuid import UUID

from claims.types import DESTROYING, HELD
from providers.heartbeat import ALWAYS
from providers.records import CLAIM, INSTANCE, OwnRow, Record, Tree


def to_do(tree: Tree, own: OwnRow, root_has_agent: bool) -> list[Record]:
    """Claims to build or give up, instances to destroy. A tree's orders go to one agent, or they would be built twice:
    the root's, and a child's own only where the root has none. Claims on children without a heartbeat wait for no
    agent."""
    if own.id != tree.root_id:
        mine = [] if root_has_agent else [r for r in tree.records if r.provider_id == own.id]
    else:
        waiting = {one.id for one in tree.providers.values() if one is own or one.row["heartbeat"] != ALWAYS}
        mine = [r for r in tree.records if r.provider_id in waiting or r.kind == INSTANCE]
    return [r for r in mine if is_to_build(r) or is_to_destroy(r)]


def is_to_build(record: Record) -> bool:
    return record.kind == CLAIM and record.state != HELD


def is_to_destroy(record: Record) -> bool:
    return record.kind == INSTANCE and record.state == DESTROYING


def should_run(tree: Tree, own: OwnRow, with_agents: Collection[UUID]) -> list[Record]:
    """The instances that this agent would know of: not those on a child with an agent of its own (`with_agents`), which
    may run what was claimed before the root had one."""
    mine = {own.id} if own.id != tree.root_id else {own.id, *(tree.providers.keys() - set(with_agents))}
    return [r for r in tree.records if r.kind == INSTANCE and r.provider_id in mine]

"""A provider goes: only when nothing is on it, and its id is never used again."""

from uuid import UUID

from events.types import PROVIDER_REMOVED, News
from providers.heartbeat import silence
from providers.own_row import Key, delete
from providers.projection import project_now
from providers.records import CLOSED, Tree, locate, read_tree
from providers.refusals import Busy, Conflict, NotFound
from store.lwt import Applied
from store.session import keyspace, write_many

TRIES = 8


def remove(provider_id: UUID) -> None:
    """Raises NotFound, Conflict (it has claims, instances or children; says how many), Undecided."""
    location = locate(provider_id)
    for _ in range(TRIES):
        tree = read_tree(location.home, location.root_id)
        if provider_id not in tree.providers:
            raise NotFound(f"no provider {provider_id}")
        _refuse_while_in_use(tree, provider_id)
        name = tree.providers[provider_id].row["name"]
        closed = [r.id for r in tree.records if r.provider_id == provider_id and r.kind == CLOSED]
        if isinstance(delete(Key(location.home, location.root_id, provider_id), tree.generation, closed), Applied):
            break
    else:
        raise Busy(f"provider {provider_id} is being changed by others all the time; repeat")
    gone = {"resource_class": location.resource_class, "shard": location.shard, "name": name}
    project_now(location.home, location.root_id, News(PROVIDER_REMOVED, provider_id, data=gone))
    silence(location)
    space = keyspace()
    write_many(
        [
            (f"DELETE FROM {space}.providers_by_name WHERE name = ? AND provider_id = ?", [name, provider_id]),
            (f"DELETE FROM {space}.providers_by_id WHERE provider_id = ?", [provider_id]),
        ]
    )


def _refuse_while_in_use(tree: Tree, provider_id: UUID) -> None:
    claims, instances = len(tree.claims_on(provider_id)), len(tree.instances_on(provider_id))
    children = sum(1 for own in tree.providers.values() if own.row["parent_id"] == provider_id)
    if claims or instances or children:
        raise Conflict(
            f"provider {provider_id} is in use: {claims} claims, {instances} instances, {children} children; "
            "release, destroy or delete them first"
        )

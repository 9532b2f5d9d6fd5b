"""A provider goes: only when nothing is on it, and its id is never used again."""

from typing import Any
from uuid import UUID

from events.types import PROVIDER_REMOVED, News
from providers.heartbeat import silence
from providers.history import REMOVED, remember
from providers.own_row import Key, delete
from providers.records import Location, Tree, locate, read_tree
from providers.refusals import Busy, Conflict, NotFound
from providers.unprojected import project_location, put_on
from store.lwt import Applied
from store.session import keyspace, write_many

TRIES = 8


def remove(provider_id: UUID, who: str = "", why: str = "") -> None:
    """`who` and `why` are for its history, which stays.

    Raises NotFound, Conflict (it has claims, instances or children; says how many), Undecided.
    """
    location = locate(provider_id)
    put_on(location)
    name = ""
    for attempt in range(TRIES):
        tree = read_tree(location.home, location.root_id)
        if provider_id not in tree.providers:
            _clear_up(location, name)
            if attempt:
                return  # a try whose answer was lost had removed it
            raise NotFound(f"no provider {provider_id}")
        _refuse_while_in_use(tree, provider_id)
        name = tree.providers[provider_id].row["name"]
        if isinstance(delete(Key(location.home, location.root_id, provider_id), tree.generation), Applied):
            remember(location.home, provider_id, who, REMOVED, tree.providers[provider_id].row["state"], why=why)
            _clear_up(location, name)
            return
    raise Busy(f"provider {provider_id} is being changed by others all the time; repeat")


def _clear_up(location: Location, name: str) -> None:
    """Repeated by whoever finds the provider gone: projection and event, heartbeat, lookups. The id stays known, so
    that it is never used again."""
    gone = {"resource_class": location.resource_class, "shard": location.shard, "name": name}
    project_location(location, News(PROVIDER_REMOVED, location.provider_id, data=gone))
    silence(location)
    space = keyspace()
    writes: list[tuple[str, list[Any]]] = [
        (f"INSERT INTO {space}.providers_by_id (provider_id, removed) VALUES (?, true)", [location.provider_id]),
    ]
    if name:
        delete_name = f"DELETE FROM {space}.providers_by_name WHERE name = ? AND provider_id = ?"
        writes.append((delete_name, [name, location.provider_id]))
    write_many(writes)


def _refuse_while_in_use(tree: Tree, provider_id: UUID) -> None:
    claims, instances = len(tree.claims_on(provider_id)), len(tree.instances_on(provider_id))
    children = sum(1 for own in tree.providers.values() if own.row["parent_id"] == provider_id)
    if claims or instances or children:
        raise Conflict(
            f"provider {provider_id} is in use: {claims} claims, {instances} instances, {children} children; "
            "release, destroy or delete them first"
        )

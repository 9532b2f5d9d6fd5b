"""An operator's own resource class is made, or goes when no provider has it.

A class that went while a provider of it came would leave a tree that nobody can read. So the class is closed first and
then looked for; a registration puts itself on the list of the unprojected first and then looks at the class.
"""

from collections.abc import Sequence

from providers import cells, unprojected
from providers.refusals import Conflict
from providers.resource_classes import custom
from providers.resource_classes.kind import Column, ResourceClass
from providers.resource_classes.registry import BUILT_IN, resource_class
from providers.shards import shards
from store.home import Home
from store.session import QUORUM, keyspace, read


def create(name: str, columns: Sequence[Column]) -> ResourceClass:
    """Raises Invalid, Conflict (the name is taken, or built in)."""
    if name in BUILT_IN:
        raise Conflict(f"{name} is a built-in resource class")
    return custom.create(name, columns)


def delete(name: str) -> None:
    """Raises NotFound, Conflict (it is built in, or a provider has it), Undecided."""
    if name in BUILT_IN:
        raise Conflict(f"{name} is built in and stays")
    custom.delete(resource_class(name).name)
    if any(_is_used(cell.home, name) for cell in cells.all_cells()):
        custom.delete(name, closed=False)
        raise Conflict(f"{name} has providers: delete them first")


def _is_used(home: Home, name: str) -> bool:
    # The list first: whoever leaves it is in the capacity table by then.
    if unprojected.has_any(home, name):
        return True
    cql = (
        f"SELECT name FROM {keyspace(home.datacenter)}.capacity "
        "WHERE cell = ? AND resource_class = ? AND shard = ? LIMIT 1"
    )
    return any(read(cql, [home.cell, name, shard]) for shard in range(shards(home, name, QUORUM)))

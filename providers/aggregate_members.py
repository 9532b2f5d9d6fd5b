"""Who is in an aggregate: the label in each provider's own row, put there and taken away by ordinary changes of it."""

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from providers import cells
from providers.change import Changes, change
from providers.records import read_provider
from providers.refusals import Conflict, Invalid, NotFound, Undecided
from providers.shards import all_shards
from store.failures import StoreUnavailable
from store.session import keyspace, read, read_many

ADDED, REMOVED, UNCHANGED = "added", "removed", "unchanged"
NOT_FOUND, CONTENDED, UNKNOWN = "not_found", "contended", "unknown"
OUTCOMES = (ADDED, REMOVED, UNCHANGED, NOT_FOUND, CONTENDED, UNKNOWN)
TRIES = 4
AT_ONCE = 100  # providers of one call: each is a transaction, and somebody waits
SHARDS_AT_ONCE = 64
NAMED = 3


@dataclass(frozen=True, slots=True)
class Membership:
    """What became of one provider: one of OUTCOMES, and a sentence where there is something to say."""

    provider_id: UUID
    outcome: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Member:
    """A provider that carries the label."""

    provider_id: UUID
    name: str
    resource_class: str
    cell: str
    state: str


def in_use(name: str, most: int = NAMED) -> tuple[int, list[Member]]:
    """How many providers carry the label, in all cells, and at the most so many of them.

    Reads every shard there is: for a page or a deletion, not for a decision.
    """
    shards = [
        (cell.home, of_class, shard)
        for cell in cells.all_cells()
        for of_class, count in all_shards(cell.home).items()
        for shard in range(count)
    ]
    total = 0
    some: list[Member] = []
    for begin in range(0, len(shards), SHARDS_AT_ONCE):
        block = shards[begin : begin + SHARDS_AT_ONCE]
        keys = [[home.cell, of_class, shard, name] for home, of_class, shard in block]
        asked = [(_among(home.datacenter, "count(*) AS n"), key) for (home, *_), key in zip(block, keys, strict=True)]
        for (home, *_), key, rows in zip(block, keys, read_many(asked), strict=True):
            total += rows[0]["n"]
            if rows[0]["n"] and len(some) < most:
                columns = "provider_id, name, resource_class, cell, state"
                found = read(_among(home.datacenter, columns, "LIMIT ?"), [*key, most - len(some)])
                some += [Member(**row) for row in found]
    return total, some


def change_members(name: str, add: Collection[UUID], remove: Collection[UUID]) -> list[Membership]:
    """Puts the label on providers and takes it off others, one after the other, each for itself.

    Raises Invalid when there are none, more than AT_ONCE, or some in both.
    """
    both = set(add) & set(remove)
    if both:
        raise Invalid("remove", f"{sorted(both, key=str)[0]} is in `add` too")
    if not 1 <= len(add) + len(remove) <= AT_ONCE:
        raise Invalid("add", f"must be 1 to {AT_ONCE} providers, together with `remove`")
    return [*(_changed(one, name, ADDED) for one in add), *(_changed(one, name, REMOVED) for one in remove)]


def _changed(provider_id: UUID, name: str, outcome: str) -> Membership:
    try:
        for _ in range(TRIES):
            _, own = read_provider(provider_id)
            labels = set(own.row["aggregates"] or ())
            wanted = labels | {name} if outcome == ADDED else labels - {name}
            if wanted == labels:
                return Membership(provider_id, UNCHANGED)
            try:
                change(provider_id, own.state_version, Changes({"aggregates": sorted(wanted)}, {}, {}))
            except Conflict:
                continue  # it was changed by others meanwhile: again, on what they made of it
            return Membership(provider_id, outcome)
    except NotFound as error:
        return Membership(provider_id, NOT_FOUND, str(error))
    except (Undecided, StoreUnavailable) as error:
        return Membership(provider_id, UNKNOWN, str(error))
    return Membership(provider_id, CONTENDED, "it is being changed by others all the time; repeat")


def _among(datacenter: str, columns: str, limit: str = "") -> str:
    where = "cell = ? AND resource_class = ? AND shard = ? AND aggregates CONTAINS ?"
    # Filtering inside one partition of about 256 rows, as in find.py.
    return f"SELECT {columns} FROM {keyspace(datacenter)}.capacity WHERE {where} {limit} ALLOW FILTERING"

"""The filters, listed by hand in the order they run, each with the reason for its place. One file each."""

from scheduler.filters import (
    aggregates,
    alive,
    builds,
    capacity,
    cell,
    crowd,
    group,
    hosts,
    isolation,
    properties,
    state,
    traits,
)
from scheduler.filters.kind import Filter

FILTERS: tuple[Filter, ...] = (
    cell.FILTER,  # which hosts are asked at all
    alive.FILTER,  # first: a dead host's other answers mean nothing
    state.FILTER,  # what the operator said comes before what the host has
    hosts.FILTER,
    isolation.FILTER,
    aggregates.FILTER,  # set membership: cheap, and usually cuts deepest
    traits.FILTER,
    properties.FILTER,
    group.FILTER,  # only for requests with a group
    crowd.FILTER,  # limits of the policy
    builds.FILTER,
    capacity.FILTER,  # last: what is left after it fits, and what it removed are the nearest misses
)
BY_NAME = {f.name: f for f in FILTERS}
# Cannot be switched off: the query is by cell, the claim's transaction insists on state and capacity, and what a
# request names or an aggregate is kept for is no matter of taste.
ALWAYS = ("cell", "state", "hosts", "isolation", "capacity")

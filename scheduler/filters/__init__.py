"""The filters, listed by hand in the order they run, each with the reason for its place. One file each."""

from scheduler.filters import aggregates, alive, capacity, group, properties, state, traits
from scheduler.filters.kind import Filter

FILTERS: tuple[Filter, ...] = (
    alive.FILTER,  # first: a dead host's other answers mean nothing
    state.FILTER,  # what the operator said comes before what the host has
    aggregates.FILTER,  # set membership: cheap, and usually cuts deepest
    traits.FILTER,
    properties.FILTER,
    group.FILTER,  # only for requests with a group
    capacity.FILTER,  # last: what is left after it fits, and what it removed are the nearest misses
)
BY_NAME = {f.name: f for f in FILTERS}
ALWAYS = ("state", "capacity")  # cannot be switched off: the claim's transaction insists on both anyway

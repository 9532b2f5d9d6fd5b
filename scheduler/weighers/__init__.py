"""The weighers, listed by hand. One file each. A multiplier below zero turns a weigher round."""

from scheduler.weighers import free_amount, group
from scheduler.weighers.kind import Weigher

WEIGHERS: tuple[Weigher, ...] = (
    free_amount.WEIGHER,  # spread with a multiplier above zero, pack below it
    group.WEIGHER,  # only for requests with a group under a soft rule
)
BY_NAME = {w.name: w for w in WEIGHERS}

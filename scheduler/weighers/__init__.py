"""The weighers, listed by hand. One file each. A multiplier below zero turns a weigher round."""

from scheduler.weighers import free_amount
from scheduler.weighers.kind import Weigher

WEIGHERS: tuple[Weigher, ...] = (
    free_amount.WEIGHER,  # spread with a multiplier above zero, pack below it
)
BY_NAME = {w.name: w for w in WEIGHERS}

"""Prefers the portal's own cell: 1 there, 0 elsewhere; the same everywhere when the portal is in none."""

from scheduler.types import Policy
from scheduler.weighers.kind import Weigh, Weigher


def under(policy: Policy) -> Weigh:
    return lambda candidate, resource: float(candidate.cell == policy.home_cell)


WEIGHER = Weigher("cell", lambda candidate, resource: 0.0, under)

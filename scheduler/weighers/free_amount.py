"""Prefers what is emptiest: the mean share of each requested amount that would still be free after this claim.

Multiplier above zero spreads, below zero packs.
"""

from scheduler.types import Candidate, Resource
from scheduler.weighers.kind import Weigher


def weigh(candidate: Candidate, resource: Resource) -> float:
    shares = []
    for name, wanted in resource.amounts.items():
        total = candidate.totals.get(name, 0)
        if wanted and total > 0:
            left = candidate.available.get(name, 0) - wanted
            shares.append(min(1.0, max(0.0, left / total)))
    return sum(shares) / len(shares) if shares else 0.0


WEIGHER = Weigher("free_amount", weigh)

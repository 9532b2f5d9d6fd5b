"""Prefers what is emptiest: the mean share of each requested amount that would still be free after this claim.

Multiplier above zero spreads, below zero packs.
"""

from scheduler.types import Candidate, Resource
from scheduler.weighers.kind import Weigher


def weigh(candidate: Candidate, resource: Resource) -> float:
    summed, count = 0.0, 0
    for name, wanted in resource.amounts.items():
        total = candidate.totals.get(name, 0)
        if wanted and total > 0:
            left = candidate.available.get(name, 0) - wanted
            summed += 0.0 if left <= 0 else 1.0 if left >= total else left / total
            count += 1
    return summed / count if count else 0.0


WEIGHER = Weigher("free_amount", weigh)

"""Prefers what is emptiest: the mean share of each requested amount that would still be free after this claim;
`free_amount.vcpus` looks at that one column, asked for or not.

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


def of_column(column: str) -> Weigher:
    def weigh_column(candidate: Candidate, resource: Resource) -> float:
        total = candidate.totals.get(column, 0)
        left = candidate.available.get(column, 0) - resource.amounts.get(column, 0)
        return min(1.0, max(0.0, left / total)) if total > 0 else 0.0

    return Weigher(f"{WEIGHER.name}.{column}", weigh_column)


WEIGHER = Weigher("free_amount", weigh)

"""Prefers hosts whose columns would be used evenly after this claim: what is free of one amount is worth nothing when
another is used up. 1 when all used shares are equal, towards 0 the further they are apart.
"""

from scheduler.types import Candidate, Resource
from scheduler.weighers.kind import Weigher


def weigh(candidate: Candidate, resource: Resource) -> float:
    used = []
    for name, total in candidate.totals.items():
        if total > 0:
            left = candidate.available.get(name, 0) - resource.amounts.get(name, 0)
            used.append(min(1.0, max(0.0, 1.0 - left / total)))
    return 1.0 - (max(used) - min(used)) if used else 1.0


WEIGHER = Weigher("balance", weigh)

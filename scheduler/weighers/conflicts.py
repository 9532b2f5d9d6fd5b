"""Prefers hosts on which no claims were refused in the last minutes for want of room: others are at them too."""

from scheduler.types import Candidate, Resource
from scheduler.weighers.kind import Weigher


def weigh(candidate: Candidate, resource: Resource) -> float:
    return 1.0 / (1 + candidate.conflicts)


WEIGHER = Weigher("conflicts", weigh)

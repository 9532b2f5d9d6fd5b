"""Prefers hosts with few builds in flight: 1 for none, a half for one, a third for two."""

from scheduler.types import Candidate, Resource
from scheduler.weighers.kind import Weigher


def weigh(candidate: Candidate, resource: Resource) -> float:
    return 1.0 / (1 + candidate.builds)


WEIGHER = Weigher("builds", weigh)

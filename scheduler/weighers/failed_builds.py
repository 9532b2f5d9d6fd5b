"""Prefers hosts on which nothing failed to build lately: 1 for none, a half for one, a third for two."""

from scheduler.types import Candidate, Resource
from scheduler.weighers.kind import Weigher


def weigh(candidate: Candidate, resource: Resource) -> float:
    return 1.0 / (1 + candidate.failed_builds)


WEIGHER = Weigher("failed_builds", weigh)

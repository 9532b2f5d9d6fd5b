"""Passes hosts with fewer builds in flight than the policy allows on one."""

from scheduler import reasons
from scheduler.filters.kind import Check, Filter
from scheduler.types import Candidate, Policy, Refusal, Resource


def under(policy: Policy) -> Check | None:
    if not policy.max_builds:
        return None

    def check(candidate: Candidate, resource: Resource) -> Refusal | None:
        if candidate.builds >= policy.max_builds:
            return Refusal(reasons.BUILDS, f"has {candidate.builds} builds in flight, {policy.max_builds} are the most")
        return None

    return check


FILTER = Filter("builds", reasons.BUILDS, pushed_down=False, check=lambda candidate, resource: None, under=under)

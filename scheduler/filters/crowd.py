"""Passes hosts with fewer instances and claims than the policy allows on one."""

from scheduler import reasons
from scheduler.filters.kind import Check, Filter
from scheduler.types import Candidate, Policy, Refusal, Resource


def under(policy: Policy) -> Check | None:
    if not policy.max_instances:
        return None

    def check(candidate: Candidate, resource: Resource) -> Refusal | None:
        there = candidate.instances + candidate.claims
        if there >= policy.max_instances:
            return Refusal(reasons.CROWD, f"has {there} instances and claims, {policy.max_instances} are the most")
        return None

    return check


FILTER = Filter("crowd", reasons.CROWD, pushed_down=False, check=lambda candidate, resource: None, under=under)

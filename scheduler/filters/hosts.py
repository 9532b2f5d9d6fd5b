"""Passes hosts where the requests are that this one must be with, and none with one that it must be apart from."""

from scheduler import reasons
from scheduler.filters.kind import Filter
from scheduler.types import Candidate, Refusal, Resource


def check(candidate: Candidate, resource: Resource) -> Refusal | None:
    if resource.only_on is not None and candidate.root_id not in resource.only_on:
        return Refusal(reasons.HOSTS, "none of the requests that it must be with is there")
    if candidate.root_id in resource.not_on:
        return Refusal(reasons.HOSTS, "a request that it must be apart from is there, or it was tried there before")
    return None


# Not pushed down: a list of ids has no form in a filter of a CQL partition.
FILTER = Filter("hosts", reasons.HOSTS, pushed_down=False, check=check)

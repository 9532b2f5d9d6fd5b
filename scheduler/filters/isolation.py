"""Passes providers whose aggregates admit the request's project and image."""

from scheduler import reasons
from scheduler.filters.kind import Filter
from scheduler.types import Candidate, Refusal, Resource


def check(candidate: Candidate, resource: Resource) -> Refusal | None:
    admits = candidate.admits
    if admits.tenants is not None and resource.project not in admits.tenants:
        return Refusal(reasons.ISOLATION, f"its aggregates are for other projects than {resource.project}")
    if admits.images is not None and resource.image not in admits.images:
        return Refusal(reasons.ISOLATION, f"its aggregates are for other images than {resource.image or 'none'}")
    return None


# Not pushed down: what an aggregate admits is data of its own.
FILTER = Filter("isolation", reasons.ISOLATION, pushed_down=False, check=check)

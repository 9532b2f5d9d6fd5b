"""`fits`: the one answer to "does this provider do for this resource?".

The query, the dry run, the explanation and the retry after a lost race all use it; two versions of it is how other
schedulers loop for ever.
"""

from collections.abc import Sequence

from scheduler.filters import FILTERS
from scheduler.filters.kind import Filter
from scheduler.types import Candidate, Refusal, Resource


def fits(candidate: Candidate, resource: Resource, filters: Sequence[Filter] = FILTERS) -> Refusal | None:
    """None when the candidate fits, else the first refusal."""
    if candidate.resource_class != resource.resource_class:
        raise ValueError(f"{candidate.resource_class} provider compared with a {resource.resource_class} request")
    for one in filters:
        refusal = one.check(candidate, resource)
        if refusal is not None:
            return refusal
    return None

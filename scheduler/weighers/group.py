"""1 where the request's group wants its next member by a rule that bars nobody, else 0."""

from scheduler.filters.group import place_of
from scheduler.types import SOFT_POLICIES, Candidate, Resource
from scheduler.weighers.kind import Weigher


def weigh(candidate: Candidate, resource: Resource) -> float:
    rule = resource.group
    if rule is None or rule.policy not in SOFT_POLICIES:
        return 0.0
    place = place_of(candidate, rule.scope)
    has_member = place in rule.places
    return float(has_member if rule.policy == SOFT_POLICIES[0] else bool(place) and not has_member)


WEIGHER = Weigher("group", weigh)

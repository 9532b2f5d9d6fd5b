"""Passes providers whose place (host, rack or zone) the request's group allows it; one without the label fails."""

from scheduler import reasons
from scheduler.filters.kind import Filter
from scheduler.types import AFFINITY, ANTI_AFFINITY, SPREAD, Candidate, GroupRule, Refusal, Resource


def place_of(candidate: Candidate, scope: str) -> str:
    """The candidate's place; "" when it has no such label."""
    return str(candidate.root_id) if scope == "host" else candidate.rack if scope == "rack" else candidate.zone


def skew_with(rule: GroupRule, place: str) -> int:
    """How many members this place would have more than the emptiest one, with one more here."""
    return rule.members.get(place, 0) + 1 - min((rule.members.get(one, 0) for one in rule.domains), default=0)


def check(candidate: Candidate, resource: Resource) -> Refusal | None:
    rule = resource.group
    if rule is None or rule.policy not in (AFFINITY, ANTI_AFFINITY, SPREAD):
        return None
    place = place_of(candidate, rule.scope)
    if not place:
        return Refusal(reasons.GROUP, f"it has no {rule.scope}")
    if rule.policy == ANTI_AFFINITY and place in rule.places:
        return Refusal(reasons.GROUP, f"its {rule.scope} has a member of the group")
    if rule.policy == AFFINITY and rule.places and place not in rule.places:
        return Refusal(reasons.GROUP, f"the group is on another {rule.scope}")
    if rule.policy == SPREAD and skew_with(rule, place) > rule.max_skew + rule.slack:
        return Refusal(reasons.GROUP, f"its {rule.scope} has {rule.members.get(place, 0)} members of the group already")
    return None


# Not pushed down: "not one of" has no form in a CQL filter.
FILTER = Filter("group", reasons.GROUP, pushed_down=False, check=check)

"""Several copies of a request under the rule of a group: each on another host, rack or zone, or all on one."""

import random
from collections.abc import Callable, Sequence
from dataclasses import replace

from scheduler.assign import Assignment, Unit, assign
from scheduler.filters import group
from scheduler.filters.capacity import short_by
from scheduler.filters.group import place_of
from scheduler.select import limits, rank
from scheduler.trees import Trees
from scheduler.types import AFFINITY, ANTI_AFFINITY, SPREAD, Candidate, Policy, Resource

Fitting = Sequence[Sequence[Candidate]]
PLACES = 20  # places tried for all copies together, the best hosts' first


def assign_in_group(
    resources: Sequence[Resource],
    fitting: Fitting,
    count: int,
    policy: Policy,
    rng: random.Random,
    trees: Trees | None = None,
) -> Assignment:
    """As `assign`, for requests with a group too. `fitting` has passed the group's filter: what is left to see to is
    that the copies of this request keep the rule among themselves."""
    rule = next((resource.group for resource in resources if resource.group), None)
    if rule is not None and count > 1 and rule.policy in (ANTI_AFFINITY, SPREAD):
        return _one_by_one(resources, fitting, count, policy, rng, trees)
    if rule is not None and count > 1 and rule.policy == AFFINITY and not rule.places:
        return _all_in_one(resources, fitting, count, policy, rng, trees)
    return assign(resources, fitting, count, policy, rng, trees)


def _all_in_one(
    resources: Sequence[Resource],
    fitting: Fitting,
    count: int,
    policy: Policy,
    rng: random.Random,
    trees: Trees | None,
) -> Assignment:
    index, bound = next((i, r) for i, r in enumerate(resources) if r.group)
    assert bound.group is not None
    scope = bound.group.scope
    best = [place_of(r.candidate, scope) for r in rank(fitting[index], bound, policy)]
    found = Assignment((), dict.fromkeys(range(len(resources)), count))
    for place in list(dict.fromkeys(best))[:PLACES]:
        here = _kept(resources, fitting, _is_at(place, scope))
        one = assign(resources, here, count, policy, rng, trees)
        if not one.missing:
            return one
        found = max(found, one, key=lambda assignment: len(assignment.units))
    return found


def _one_by_one(
    resources: Sequence[Resource],
    fitting: Fitting,
    count: int,
    policy: Policy,
    rng: random.Random,
    trees: Trees | None,
) -> Assignment:
    units: list[Unit] = []
    resources = [replace(r, group=replace(r.group, slack=0)) if r.group else r for r in resources]
    for copy in range(count):
        one = assign(resources, _allowed_by_the_rule(resources, fitting), 1, policy, rng, trees)
        if one.missing:
            return Assignment(tuple(units), dict.fromkeys(range(len(resources)), count - copy))
        units += [replace(unit, member=copy * len(resources) + unit.member) for unit in one.units]
        for unit in one.units:
            fitting = _without(resources, fitting, unit, policy)
            resources = [_with_one_more(resource, unit) for resource in resources]
    return Assignment(tuple(units), {})


def _with_one_more(resource: Resource, unit: Unit) -> Resource:
    """The resource under the group's rule after this unit became a member."""
    rule = resource.group
    if rule is None or unit.resource.group is None:
        return resource
    place = place_of(unit.tries[0], rule.scope)
    members = {**rule.members, place: rule.members.get(place, 0) + 1}
    return replace(resource, group=replace(rule, places=rule.places | {place}, members=members))


def _allowed_by_the_rule(resources: Sequence[Resource], fitting: Fitting) -> Fitting:
    return [
        [c for c in one if resource.group is None or group.check(c, resource) is None]
        for one, resource in zip(fitting, resources, strict=True)
    ]


def _without(resources: Sequence[Resource], fitting: Fitting, unit: Unit, policy: Policy) -> Fitting:
    """What is left for the copies after it."""
    taken = unit.tries[0]
    less = {name: value - unit.resource.amounts.get(name, 0) for name, value in taken.available.items()}
    smaller, over = replace(taken, available=less, claims=taken.claims + 1), limits(policy)

    def left(one: Sequence[Candidate], resource: Resource) -> list[Candidate]:
        now = (smaller if c.provider_id == taken.provider_id else c for c in one)
        return [c for c in now if not short_by(c, resource) and not any(check(c, resource) for check in over)]

    return [left(one, resource) for one, resource in zip(fitting, resources, strict=True)]


def _is_at(place: str, scope: str) -> Callable[[Candidate], bool]:
    return lambda candidate: place_of(candidate, scope) == place


def _kept(resources: Sequence[Resource], fitting: Fitting, allowed: Callable[[Candidate], bool]) -> Fitting:
    """Resources that the group does not bind keep all."""
    return [
        [c for c in one if allowed(c)] if resource.group else one
        for one, resource in zip(fitting, resources, strict=True)
    ]

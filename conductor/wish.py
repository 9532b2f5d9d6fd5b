"""What a request really asks for: the policy with what the request overrides, the cells that may be asked, and on each
resource what its group, its project, its image and the requests that it names make of it.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace
from uuid import UUID

from django.conf import settings

from claims.groups import members
from conductor.find import roots_of
from conductor.policies import in_force
from conductor.types import ScheduleRequest
from providers import cells
from providers.admission import kept_for
from providers.aggregates import all_aggregates
from providers.refusals import Invalid, NotFound
from providers.sweeps import sweep
from scheduler import filters as filter_list
from scheduler import weighers as weigher_list
from scheduler.filters.group import place_of
from scheduler.types import AFFINITY, SOFT_POLICIES, SPREAD, GroupRule, Policy, Resource
from store.home import Home

BOUND = "compute"  # the resource class whose claims are a group's members
GROUP_WEIGHT = 10.0  # a soft rule comes before what the other weighers say (theirs are 0 to 1 by default)


def policy_of(request: ScheduleRequest, stored: Policy | None = None) -> Policy:
    """The policy in force (or `stored`) with what the request overrides. Raises Invalid for an unknown filter or
    weigher."""
    stored = stored or in_force().policy
    if stored.home_cell != settings.PORTAL_CELL:
        stored = replace(stored, home_cell=settings.PORTAL_CELL)
    if request.filters is None and request.weighers is None and request.group is None:
        return stored
    names = request.filters if request.filters is not None else stored.filters
    for name in names:
        if name not in filter_list.BY_NAME:
            raise Invalid("filters", f"no filter {name!r}; there are {', '.join(filter_list.BY_NAME)}")
    multipliers = dict(stored.weighers if request.weighers is None else request.weighers)
    for name in multipliers:
        if weigher_list.find(name) is None:
            raise Invalid(f"weighers.{name}", f"no weigher {name!r}; there are {', '.join(weigher_list.BY_NAME)}")
    if request.group is not None:  # its transaction insists on the rule anyway
        names, multipliers = (*names, "group"), {"group": GROUP_WEIGHT, **multipliers}
    # A random pick among the best would ignore a rule that only says who is best.
    is_soft = request.group is not None and request.group.policy in SOFT_POLICIES
    return replace(
        stored,
        filters=tuple(names),
        weighers=multipliers,
        subset=1 if is_soft else stored.subset,
    )


def homes_of(request: ScheduleRequest) -> list[Home]:
    """The cells that may be looked at: the one named, or every enabled one. Raises Invalid for an unknown cell."""
    if not request.cell:
        return [cell.home for cell in cells.all_cells() if cell.state == cells.ENABLED]
    try:
        cell = cells.find(request.cell)
    except NotFound as error:
        raise Invalid("cell", str(error)) from error
    return [cell.home] if cell.state == cells.ENABLED else []


def bound(request: ScheduleRequest, homes: Sequence[Home]) -> ScheduleRequest:
    """The request with all of that on its resources."""
    image = str((request.instance or {}).get("image") or "")
    asked = frozenset(home.cell for home in homes)
    rule = _rule(request, homes)
    kept = kept_for(image, all_aggregates())
    apart = _roots("different_host_from", request.different_host_from) | request.avoid
    together = _roots("same_host_as", request.same_host_as) if request.same_host_as else None

    def complete(resource: Resource) -> Resource:
        found = replace(resource, project=request.project, image=image, cells=asked, not_on=request.avoid)
        if resource.resource_class != BOUND:
            return found
        return replace(found, group=rule, kept_for=kept, not_on=apart, only_on=together)

    return replace(request, resources=tuple(complete(resource) for resource in request.resources))


def is_drawn(request: ScheduleRequest) -> bool:
    """Whether only few places will do, which a sample would hardly meet: where others of its group are, or the requests
    that it names; or whether all places must be known, to spread over them."""
    rules = [resource.group for resource in request.resources if resource.group]
    near = any(rule.places and rule.policy in (AFFINITY, SOFT_POLICIES[0]) for rule in rules)
    named = any(resource.only_on is not None or resource.kept_for for resource in request.resources)
    return near or named or any(rule.policy == SPREAD for rule in rules)


def _rule(request: ScheduleRequest, homes: Sequence[Home]) -> GroupRule | None:
    """What the group allows now."""
    group = request.group
    if group is None:
        return None
    there: dict[str, int] = {}
    for one in members(group):
        there[one.place] = there.get(one.place, 0) + 1
    if group.policy != SPREAD:
        return GroupRule(group.policy, group.scope, frozenset(there))
    all_places = {place_of(c, group.scope) for c in sweep(homes, BOUND) if c.state == "enabled" and c.alive}
    domains = frozenset(all_places - {""})
    return GroupRule(SPREAD, group.scope, frozenset(there), there, group.max_skew, domains, slack=request.count - 1)


def _roots(field: str, request_ids: Collection[UUID]) -> frozenset[UUID]:
    found: set[UUID] = set()
    for request_id in request_ids:
        try:
            found |= roots_of(request_id, BOUND)
        except NotFound as error:
            raise Invalid(field, str(error)) from error
    return frozenset(found)

"""The decision: query, filters, weighers, assignment; and, when nothing fits, the explanation after a full sweep."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from django.conf import settings

from claims.groups import members
from conductor.types import DryRun, Explanation, ScheduleRequest
from providers import cells
from providers.candidates import beside, query_text, reread, sample, sweep
from providers.refusals import Invalid, NotFound
from scheduler import filters as filter_list
from scheduler import reasons
from scheduler import weighers as weigher_list
from scheduler.apart import assign_in_group
from scheduler.assign import Assignment
from scheduler.filters.capacity import short_by
from scheduler.filters.kind import Filter
from scheduler.fits import fits
from scheduler.select import Filtered, enabled_filters, rank, run_filters
from scheduler.trees import Trees, on_one_tree, trees_of
from scheduler.types import AFFINITY, SOFT_POLICIES, Candidate, GroupRule, Policy, Resource, Stage
from store.home import Home

NEAREST = 10  # near misses named in an explanation
BOUND = "compute"  # the resource class whose claims are a group's members
GROUP_WEIGHT = 10.0  # a soft rule comes before what the other weighers say (theirs are 0 to 1 by default)


@dataclass(frozen=True, slots=True)
class Decision:
    """Where everything goes; or, with `assignment` None, why not (of the resource that found no place)."""

    assignment: Assignment | None
    explanation: Explanation | None


@dataclass(frozen=True, slots=True)
class Miss:
    """A provider that falls short by amounts, by how much, and how far off that is."""

    candidate: Candidate
    short_by: Mapping[str, int]
    distance: float


def policy_of(request: ScheduleRequest) -> Policy:
    """The settings' policy with what the request overrides. Raises Invalid for an unknown filter or weigher."""
    names = request.filters if request.filters is not None else tuple(settings.SCHEDULE_FILTERS)
    for name in names:
        if name not in filter_list.BY_NAME:
            raise Invalid("filters", f"no filter {name!r}; there are {', '.join(filter_list.BY_NAME)}")
    multipliers = default_weighers() if request.weighers is None else dict(request.weighers)
    for name in multipliers:
        if name not in weigher_list.BY_NAME:
            raise Invalid(f"weighers.{name}", f"no weigher {name!r}; there are {', '.join(weigher_list.BY_NAME)}")
    if request.group is not None:  # its transaction insists on the rule anyway
        names, multipliers = (*names, "group"), {"group": GROUP_WEIGHT, **multipliers}
    # A random pick among the best would ignore a rule that only says who is best.
    is_soft = request.group is not None and request.group.policy in SOFT_POLICIES
    return Policy(names, multipliers, 1 if is_soft else settings.SCHEDULE_SUBSET, settings.SCHEDULE_ALTERNATES)


def _with_rule(request: ScheduleRequest) -> ScheduleRequest:
    """The request with what its group allows now on the resources that it binds."""
    group = request.group
    if group is None:
        return request
    rule = GroupRule(group.policy, group.scope, frozenset(one.place for one in members(group)))
    bound = [replace(r, group=rule) if r.resource_class == BOUND else r for r in request.resources]
    return replace(request, resources=tuple(bound))


def _is_drawn(request: ScheduleRequest) -> bool:
    """Whether the request wants to be where others of its group are: a sample would hardly meet them."""
    rules = [resource.group for resource in request.resources if resource.group]
    return any(rule.places and rule.policy in (AFFINITY, SOFT_POLICIES[0]) for rule in rules)


def default_weighers() -> dict[str, float]:
    pairs = (word.partition("=") for word in settings.SCHEDULE_WEIGHERS)
    return {name.strip(): float(value or 1) for name, _, value in pairs}


def decide(request: ScheduleRequest, rng: random.Random) -> Decision:
    """Chooses by sampling, or by a sweep when asked to or when the policy packs (a sample would spoil packing); says
    "no", or "not all of them", only after a sweep whose short hosts were read again from their own records."""
    request = _with_rule(request)
    policy = policy_of(request)
    homes = homes_of(request)
    exact = request.search == "all" or any(multiplier < 0 for multiplier in policy.weighers.values())
    exact = exact or _is_drawn(request)
    if not exact:
        found = _from_samples(request, homes, policy, rng)
        if found is not None:
            explanation = explain(request.resources[0], homes, policy) if request.explain else None
            return Decision(found, explanation)
    return _swept(request, homes, policy, rng)


def dry_run(request: ScheduleRequest, limit: int) -> DryRun:
    """Everything that fits the request's first resource, beside what else is asked for on its tree, best first; reads
    only."""
    request = _with_rule(request)
    policy, homes = policy_of(request), homes_of(request)
    resource = request.resources[0]
    everything, filtered = _everything(request, homes, policy)
    fitting = [one.passed for one in filtered]
    left, stages = _one_tree_stage(request, fitting, trees_of(list(everything.values())), 0)
    explanation = _explanation(resource, policy, [*filtered[0].funnel, *stages], _misses(filtered[0].short, resource))
    return DryRun(rank(left, resource, policy)[:limit], explanation)


def explain(resource: Resource, homes: Sequence[Home], policy: Policy) -> Explanation:
    """The funnel of one resource over every provider of its class."""
    filtered = run_filters(sweep(homes, resource.resource_class), resource, enabled_filters(policy))
    return _explanation(resource, policy, filtered.funnel, _misses(filtered.short, resource))


def homes_of(request: ScheduleRequest) -> list[Home]:
    """The cells that may be looked at: the one named, or every enabled one. Raises Invalid for an unknown cell."""
    if not request.cell:
        return [cell.home for cell in cells.all_cells() if cell.state == cells.ENABLED]
    try:
        cell = cells.find(request.cell)
    except NotFound as error:
        raise Invalid("cell", str(error)) from error
    return [cell.home] if cell.state == cells.ENABLED else []


def _from_samples(
    request: ScheduleRequest, homes: Sequence[Home], policy: Policy, rng: random.Random
) -> Assignment | None:
    """An assignment among samples of each resource's providers, or None.

    Hosts and GPUs that were sampled each for itself rarely meet on one tree. So with children among them, what else is
    on the trees of a sample is read, of the rarest resource's first: the trees that it leaves are the fewest.
    """
    enough = max(settings.SCHEDULE_SAMPLE_HOSTS, 2 * request.count)
    filters = enabled_filters(policy)
    samples = [sample(homes, resource, filters, enough, rng) for resource in request.resources]
    fitting: list[Sequence[Candidate]] = [one.fitting for one in samples]
    if len(samples) == 1 or all(c.parent_id is None for one in fitting for c in one):
        return _assign_in_some_cell(request, fitting, {}, policy, rng)
    classes = {resource.resource_class for resource in request.resources}
    seen: dict[UUID, Candidate] = {}
    roots: set[UUID] = set()
    for index in sorted(range(len(samples)), key=lambda i: len(fitting[i]) / max(1, samples[i].shards_read)):
        unread = [c for c in fitting[index] if c.root_id not in roots]
        seen |= {c.provider_id: c for c in beside(unread, classes)}
        roots |= {c.root_id for c in unread}
        # Children of trees that were not read are left out: nobody knows what they bind.
        known = [
            _fitting(resource, filters, [c for c in one if c.parent_id is None and c.root_id not in roots], seen)
            for resource, one in zip(request.resources, fitting, strict=True)
        ]
        found = _assign_in_some_cell(request, known, trees_of([list(seen.values())]), policy, rng)
        if found is not None:
            return found
    return None


def _fitting(
    resource: Resource, filters: Sequence[Filter], sampled: Sequence[Candidate], seen: Mapping[UUID, Candidate]
) -> list[Candidate]:
    of_class = [c for c in seen.values() if c.resource_class == resource.resource_class]
    return [*sampled, *(c for c in of_class if fits(c, resource, filters) is None)]


def _assign_in_some_cell(
    request: ScheduleRequest,
    fitting: Sequence[Sequence[Candidate]],
    trees: Trees,
    policy: Policy,
    rng: random.Random,
    partly: bool = False,
) -> Assignment | None:
    """An assignment with every resource in one cell (several resources belong together), or None; `partly`: else the
    one that places most."""
    if len(request.resources) == 1:
        in_cells = [fitting]
    else:
        in_all = set.intersection(*({c.cell for c in one} for one in fitting))
        cells_of_all = rng.sample(sorted(in_all), len(in_all))
        in_cells = [[[c for c in one if c.cell == cell] for one in fitting] for cell in cells_of_all]
    most: Assignment | None = None
    for here in in_cells:
        found = assign_in_group(request.resources, here, request.count, policy, rng, trees)
        if not found.missing:
            return found
        if partly and found.units and (most is None or len(found.units) > len(most.units)):
            most = found
    return most


def _everything(
    request: ScheduleRequest, homes: Sequence[Home], policy: Policy
) -> tuple[dict[str, list[Candidate]], list[Filtered]]:
    """Every provider of the classes asked for, by class, and what the filters leave of them, by resource."""
    everything: dict[str, list[Candidate]] = {}
    for resource in request.resources:
        if resource.resource_class not in everything:
            everything[resource.resource_class] = sweep(homes, resource.resource_class)
    filters = enabled_filters(policy)
    return everything, [run_filters(everything[r.resource_class], r, filters) for r in request.resources]


def _swept(request: ScheduleRequest, homes: Sequence[Home], policy: Policy, rng: random.Random) -> Decision:
    filters = enabled_filters(policy)
    everything, filtered = _everything(request, homes, policy)
    trees = trees_of(list(everything.values()))
    found = _assign_in_some_cell(request, [f.passed for f in filtered], trees, policy, rng)
    if found is None:
        fresh = [_reread_short(f.short, r) for f, r in zip(filtered, request.resources, strict=True)]
        fitting = [
            [*f.passed, *(c for c in again if fits(c, r, filters) is None)]
            for f, again, r in zip(filtered, fresh, request.resources, strict=True)
        ]
        found = _assign_in_some_cell(request, fitting, trees, policy, rng, partly=not request.all_or_nothing)
        if found is None:
            return Decision(None, _why_not(request, filtered, fresh, fitting, trees, policy, rng))
    if not request.explain:
        return Decision(found, None)
    misses = _misses(filtered[0].short, request.resources[0])
    return Decision(found, _explanation(request.resources[0], policy, filtered[0].funnel, misses))


def _reread_short(short: Sequence[Candidate], resource: Resource) -> list[Candidate]:
    """The hosts that fell short by amounts, from their own records. Those whose hardware could never hold the request
    (total with any overcommitment is in `amounts`) stay as they are: no claim that ends can make them fit."""
    could: list[Candidate] = []
    never: list[Candidate] = []
    for candidate in short:
        bound = {n: max(candidate.totals.get(n, 0), candidate.amounts.get(n, 0)) for n in resource.amounts}
        (never if short_by(replace(candidate, available=bound), resource) else could).append(candidate)
    return [*reread(could), *never]


def _why_not(
    request: ScheduleRequest,
    filtered: Sequence[Filtered],
    fresh: Sequence[Sequence[Candidate]],
    fitting: Sequence[Sequence[Candidate]],
    trees: Trees,
    policy: Policy,
    rng: random.Random,
) -> Explanation:
    """Of the first resource that does not fit alone, else of the one that fewest trees can take with the others (a GPU
    rather than its host)."""
    for index, (resource, candidates) in enumerate(zip(request.resources, fitting, strict=True)):
        if assign_in_group([resource], [candidates], request.count, policy, rng).missing:
            return _explanation(resource, policy, filtered[index].funnel, _misses(fresh[index], resource))
    left = on_one_tree(request.resources, fitting, trees)
    index = min(range(len(fitting)), key=lambda i: (len(left[i]), all(c.parent_id is None for c in fitting[i])))
    stages = _one_tree_stage(request, fitting, trees, index)[1]
    misses = _misses(fresh[index], request.resources[index])
    if stages:  # nearest are those that fall short where this resource would fit
        roots = {c.root_id for c in fitting[index]}
        misses = [
            miss
            for other, resource in enumerate(request.resources)
            if other != index
            for miss in _misses([c for c in fresh[other] if c.root_id in roots], resource)
        ]
    return _explanation(request.resources[index], policy, [*filtered[index].funnel, *stages], misses)


def _one_tree_stage(
    request: ScheduleRequest, fitting: Sequence[Sequence[Candidate]], trees: Trees, index: int
) -> tuple[Sequence[Candidate], list[Stage]]:
    """Who of one resource's candidates is left when what belongs on one tree must fit there; no stage when nobody had
    to go."""
    left = on_one_tree(request.resources, fitting, trees)[index]
    removed = len(fitting[index]) - len(left)
    if not removed:
        return fitting[index], []
    return left, [Stage(reasons.SAME_TREE, len(left), removed, reasons.SAME_TREE)]


def _misses(short: Sequence[Candidate], resource: Resource) -> list[Miss]:
    missing = [(c, short_by(c, resource)) for c in short]
    return [Miss(c, by, _distance(by, resource.amounts)) for c, by in missing if by]


def _explanation(resource: Resource, policy: Policy, funnel: Sequence[Stage], misses: Sequence[Miss]) -> Explanation:
    nearest = sorted(misses, key=lambda miss: (miss.distance, miss.candidate.name))[:NEAREST]
    considered = funnel[0].left + funnel[0].removed if funnel else 0
    return Explanation(
        considered,
        tuple(funnel),
        tuple((miss.candidate.provider_id, miss.candidate.name, miss.short_by) for miss in nearest),
        resource.resource_class,
        query_text(resource, enabled_filters(policy)),
    )


def _distance(missing: Mapping[str, int], wanted: Mapping[str, int]) -> float:
    """How far off: the largest missing share of what was asked for, then their sum."""
    shares = [amount / wanted[name] for name, amount in missing.items()]
    return max(shares, default=0.0) + sum(shares) / 1e6

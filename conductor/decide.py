"""The decision: query, filters, weighers, assignment; and, when nothing fits, the explanation after a full sweep."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from django.conf import settings

from conductor.types import DryRun, Explanation, ScheduleRequest
from providers import cells
from providers.candidates import query_text, reread, sample, sweep
from providers.refusals import Invalid, NotFound
from scheduler import filters as filter_list
from scheduler import weighers as weigher_list
from scheduler.assign import Assignment, assign
from scheduler.filters.capacity import short_by
from scheduler.fits import fits
from scheduler.select import enabled_filters, rank, run_filters
from scheduler.types import Candidate, Policy, Resource, Stage
from store.home import Home

NEAREST = 10  # near misses named in an explanation


@dataclass(frozen=True, slots=True)
class Decision:
    """Where everything goes; or, with `assignment` None, why not (of the resource that found no place)."""

    assignment: Assignment | None
    explanation: Explanation | None


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
    return Policy(names, multipliers, settings.SCHEDULE_SUBSET, settings.SCHEDULE_ALTERNATES)


def default_weighers() -> dict[str, float]:
    pairs = (word.partition("=") for word in settings.SCHEDULE_WEIGHERS)
    return {name.strip(): float(value or 1) for name, _, value in pairs}


def decide(request: ScheduleRequest, rng: random.Random) -> Decision:
    """Chooses by sampling, or by a sweep when asked to or when the policy packs (a sample would spoil packing); says
    "no" only after a sweep whose short hosts were read again from their own records."""
    policy = policy_of(request)
    homes = homes_of(request)
    exact = request.search == "all" or any(multiplier < 0 for multiplier in policy.weighers.values())
    if not exact:
        found = _assign_in_some_cell(request, _sampled(request, homes, policy, rng), policy, rng)
        if found is not None:
            explanation = explain(request.resources[0], homes, policy) if request.explain else None
            return Decision(found, explanation)
    return _swept(request, homes, policy, rng)


def dry_run(request: ScheduleRequest, limit: int) -> DryRun:
    """Everything that fits the request's first resource, best first; reads only."""
    policy, homes = policy_of(request), homes_of(request)
    resource = request.resources[0]
    filtered = run_filters(sweep(homes, resource.resource_class), resource, enabled_filters(policy))
    explanation = _explanation(resource, policy, filtered.funnel, filtered.short)
    return DryRun(rank(filtered.passed, resource, policy)[:limit], explanation)


def explain(resource: Resource, homes: Sequence[Home], policy: Policy) -> Explanation:
    """The funnel of one resource over every provider of its class."""
    filtered = run_filters(sweep(homes, resource.resource_class), resource, enabled_filters(policy))
    return _explanation(resource, policy, filtered.funnel, filtered.short)


def homes_of(request: ScheduleRequest) -> list[Home]:
    """The cells that may be looked at: the one named, or every enabled one. Raises Invalid for an unknown cell."""
    if not request.cell:
        return [cell.home for cell in cells.all_cells() if cell.state == cells.ENABLED]
    try:
        cell = cells.find(request.cell)
    except NotFound as error:
        raise Invalid("cell", str(error)) from error
    return [cell.home] if cell.state == cells.ENABLED else []


def _sampled(
    request: ScheduleRequest, homes: Sequence[Home], policy: Policy, rng: random.Random
) -> list[Sequence[Candidate]]:
    enough = max(settings.SCHEDULE_SAMPLE_HOSTS, 2 * request.count)
    filters = enabled_filters(policy)
    return [sample(homes, resource, filters, enough, rng).fitting for resource in request.resources]


def _assign_in_some_cell(
    request: ScheduleRequest, fitting: Sequence[Sequence[Candidate]], policy: Policy, rng: random.Random
) -> Assignment | None:
    """An assignment with every resource in one cell (several resources belong together), or None."""
    if len(request.resources) == 1:
        return _complete(assign(request.resources, fitting, request.count, policy, rng), request)
    in_all = set.intersection(*({c.cell for c in one} for one in fitting))
    for cell in rng.sample(sorted(in_all), len(in_all)):
        here = [[c for c in one if c.cell == cell] for one in fitting]
        found = _complete(assign(request.resources, here, request.count, policy, rng), request)
        if found is not None:
            return found
    return None


def _complete(found: Assignment, request: ScheduleRequest) -> Assignment | None:
    if not found.missing or (not request.all_or_nothing and found.units):
        return found
    return None


def _swept(request: ScheduleRequest, homes: Sequence[Home], policy: Policy, rng: random.Random) -> Decision:
    filters = enabled_filters(policy)
    everything: dict[str, list[Candidate]] = {}
    for resource in request.resources:
        if resource.resource_class not in everything:
            everything[resource.resource_class] = sweep(homes, resource.resource_class)
    filtered = [run_filters(everything[r.resource_class], r, filters) for r in request.resources]
    found = _assign_in_some_cell(request, [f.passed for f in filtered], policy, rng)
    if found is None:
        fresh = [_reread_short(f.short, r) for f, r in zip(filtered, request.resources, strict=True)]
        fitting = [
            [*f.passed, *(c for c in again if fits(c, r, filters) is None)]
            for f, again, r in zip(filtered, fresh, request.resources, strict=True)
        ]
        found = _assign_in_some_cell(request, fitting, policy, rng)
        if found is None:
            index = _narrowest(request, fitting, policy, rng)
            explanation = _explanation(request.resources[index], policy, filtered[index].funnel, fresh[index])
            return Decision(None, explanation)
    if not request.explain:
        return Decision(found, None)
    return Decision(found, _explanation(request.resources[0], policy, filtered[0].funnel, filtered[0].short))


def _reread_short(short: Sequence[Candidate], resource: Resource) -> list[Candidate]:
    """The hosts that fell short by amounts, from their own records. Those whose hardware could never hold the request
    (total with any overcommitment is in `amounts`) stay as they are: no claim that ends can make them fit."""
    could: list[Candidate] = []
    never: list[Candidate] = []
    for candidate in short:
        bound = {n: max(candidate.totals.get(n, 0), candidate.amounts.get(n, 0)) for n in resource.amounts}
        (never if short_by(replace(candidate, available=bound), resource) else could).append(candidate)
    return [*reread(could), *never]


def _narrowest(
    request: ScheduleRequest, fitting: Sequence[Sequence[Candidate]], policy: Policy, rng: random.Random
) -> int:
    """Which resource to explain: the first that does not even fit alone, else the one with the fewest hosts."""
    for index, (resource, candidates) in enumerate(zip(request.resources, fitting, strict=True)):
        if assign([resource], [candidates], request.count, policy, rng).missing:
            return index
    return min(range(len(fitting)), key=lambda index: len(fitting[index]))


def _explanation(
    resource: Resource, policy: Policy, funnel: Sequence[Stage], short: Sequence[Candidate]
) -> Explanation:
    misses = [(c, short_by(c, resource)) for c in short]
    misses.sort(key=lambda miss: (_distance(miss[1], resource.amounts), miss[0].name))
    considered = funnel[0].left + funnel[0].removed if funnel else 0
    return Explanation(
        considered,
        tuple(funnel),
        tuple((c.provider_id, c.name, missing) for c, missing in misses[:NEAREST]),
        resource.resource_class,
        query_text(resource, enabled_filters(policy)),
    )


def _distance(missing: Mapping[str, int], wanted: Mapping[str, int]) -> float:
    """How far off: the largest missing share of what was asked for, then their sum."""
    shares = [amount / wanted[name] for name, amount in missing.items()]
    return max(shares, default=0.0) + sum(shares) / 1e6

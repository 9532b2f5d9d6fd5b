"""Says why: the funnel, the nearest misses, what would make a request fit, and any one provider's reason."""

import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from conductor.types import Explanation, ScheduleRequest
from conductor.wish import bound, homes_of, policy_of
from providers.candidates import query_text
from providers.refusals import NotFound
from providers.sweeps import Swept, sweep_all
from scheduler import reasons
from scheduler.apart import assign_in_group
from scheduler.changes import changes
from scheduler.filters.capacity import short_by
from scheduler.fits import fits
from scheduler.select import Filtered, enabled_filters, run_filters
from scheduler.trees import Trees, on_one_tree
from scheduler.types import Candidate, Policy, Refusal, Resource, Stage
from store.home import Home

NEAREST = 10  # near misses named in an explanation


@dataclass(frozen=True, slots=True)
class Miss:
    """A provider that falls short by amounts, by how much, and how far off that is."""

    candidate: Candidate
    short_by: Mapping[str, int]
    distance: float


@dataclass(frozen=True, slots=True)
class Reason:
    """One provider and one resource of a request: None when it does."""

    candidate: Candidate
    resource: Resource
    refusal: Refusal | None


def explain_request(request: ScheduleRequest, providers: Sequence[UUID] = ()) -> tuple[list[Explanation], list[Reason]]:
    """As things are now: of each resource the funnel and what would make it fit, and each named provider's reason.
    Reads only; every provider of the classes asked for. Raises Invalid, NotFound for a provider of no such class,
    StoreUnavailable when it takes longer than the policy lets a sweep take."""
    homes = homes_of(request)
    request, policy = bound(request, homes), policy_of(request)
    filters = enabled_filters(policy)
    explanations: list[Explanation] = []
    said: list[Reason] = []
    named = set(providers)
    swept: dict[str, Swept] = {}
    until = time.monotonic() + policy.sweep_seconds
    for resource in request.resources:
        if resource.resource_class not in swept:
            swept[resource.resource_class] = sweep_all(homes, resource.resource_class, until)
        everybody = swept[resource.resource_class].candidates
        explanations.append(_explained(resource, swept[resource.resource_class], policy))
        there = {c.provider_id: c for c in everybody if c.provider_id in named}
        said += [Reason(there[one], resource, fits(there[one], resource, filters)) for one in providers if one in there]
    unknown = named - {reason.candidate.provider_id for reason in said}
    if unknown:
        wanted = ", ".join(sorted({resource.resource_class for resource in request.resources}))
        raise NotFound(f"{min(unknown)} is no provider of {wanted} in a cell that is asked")
    return explanations, said


def explain_resource(resource: Resource, homes: Sequence[Home], policy: Policy) -> Explanation:
    """Of a resource that is bound (conductor/wish.py). Raises StoreUnavailable when it takes longer than the policy
    lets a sweep take."""
    until = time.monotonic() + policy.sweep_seconds
    return _explained(resource, sweep_all(homes, resource.resource_class, until), policy)


def _explained(resource: Resource, swept: Swept, policy: Policy) -> Explanation:
    filtered = run_filters(swept.candidates, resource, enabled_filters(policy))
    misses = misses_of(filtered.short, resource)
    return explanation(resource, policy, filtered.funnel, misses, swept)


def explanation(
    resource: Resource, policy: Policy, funnel: Sequence[Stage], misses: Sequence[Miss], swept: Swept
) -> Explanation:
    """Of a whole sweep. What would make it fit is told when nothing is left."""
    nearest = sorted(misses, key=lambda miss: (miss.distance, miss.candidate.name))[:NEAREST]
    filters = enabled_filters(policy)
    nothing_left = not funnel or not funnel[-1].left
    return Explanation(
        swept.providers,
        tuple(funnel),
        tuple((miss.candidate.provider_id, miss.candidate.name, miss.short_by) for miss in nearest),
        resource.resource_class,
        query_text(resource, filters),
        shards=swept.shards,
        of_shards=swept.of_shards,
        seen=len(swept.candidates),
        seconds=swept.seconds,
        policy=policy.version,
        changes=tuple(changes(swept.candidates, resource, filters)) if nothing_left else (),
    )


def why_not(
    request: ScheduleRequest,
    filtered: Sequence[Filtered],
    fresh: Sequence[Sequence[Candidate]],
    fitting: Sequence[Sequence[Candidate]],
    trees: Trees,
    policy: Policy,
    rng: random.Random,
    swept: Mapping[str, Swept],
) -> Explanation:
    """Of the first resource that does not fit alone, else of the one that fewest trees can take with the others (a GPU
    rather than its host)."""
    for index, (resource, candidates) in enumerate(zip(request.resources, fitting, strict=True)):
        if assign_in_group([resource], [candidates], request.count, policy, rng).missing:
            of_class = swept[resource.resource_class]
            return explanation(resource, policy, filtered[index].funnel, misses_of(fresh[index], resource), of_class)
    left = on_one_tree(request.resources, fitting, trees)
    index = min(range(len(fitting)), key=lambda i: (len(left[i]), all(c.parent_id is None for c in fitting[i])))
    stages = one_tree_stage(request, fitting, trees, index)[1]
    misses = misses_of(fresh[index], request.resources[index])
    if stages:  # nearest are those that fall short where this resource would fit
        roots = {c.root_id for c in fitting[index]}
        misses = [
            miss
            for other, resource in enumerate(request.resources)
            if other != index
            for miss in misses_of([c for c in fresh[other] if c.root_id in roots], resource)
        ]
    resource = request.resources[index]
    return explanation(resource, policy, [*filtered[index].funnel, *stages], misses, swept[resource.resource_class])


def one_tree_stage(
    request: ScheduleRequest, fitting: Sequence[Sequence[Candidate]], trees: Trees, index: int
) -> tuple[Sequence[Candidate], list[Stage]]:
    """Who of one resource's candidates is left when what belongs on one tree must fit there; no stage when nobody had
    to go."""
    left = on_one_tree(request.resources, fitting, trees)[index]
    removed = len(fitting[index]) - len(left)
    if not removed:
        return fitting[index], []
    return left, [Stage(reasons.SAME_TREE, len(left), removed, reasons.SAME_TREE)]


def misses_of(short: Sequence[Candidate], resource: Resource) -> list[Miss]:
    missing = [(c, short_by(c, resource)) for c in short]
    return [Miss(c, by, _distance(by, resource.amounts)) for c, by in missing if by]


def _distance(missing: Mapping[str, int], wanted: Mapping[str, int]) -> float:
    """How far off: the largest missing share of what was asked for, then their sum."""
    shares = [amount / wanted[name] for name, amount in missing.items()]
    return max(shares, default=0.0) + sum(shares) / 1e6

"""The decision: query, filters, weighers, assignment; and, when nothing fits, the explanation after a full sweep."""

import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from uuid import UUID

from conductor.explain import explain_resource, explanation, misses_of, one_tree_stage, why_not
from conductor.measures import SHARDS, subset_of
from conductor.types import Decision, DryRun, ScheduleRequest
from conductor.wish import bound, homes_of, is_drawn, policy_of
from providers.candidates import Swept, about_how_many, beside, reread, sample, sweep_all
from scheduler.apart import assign_in_group
from scheduler.assign import Assignment
from scheduler.filters.capacity import short_by
from scheduler.filters.kind import Filter
from scheduler.fits import fits
from scheduler.select import Filtered, enabled_filters, rank, run_filters
from scheduler.trees import Trees, trees_of
from scheduler.types import Candidate, Policy, Resource
from store.failures import StoreUnavailable
from store.home import Home


def decide(request: ScheduleRequest, rng: random.Random, stored: Policy | None = None) -> Decision:
    """Chooses by sampling, or by a sweep when asked to or when the policy packs (a sample would spoil packing); says
    "no", or "not all of them", only after a sweep whose short hosts were read again from their own records. `stored`:
    under this policy instead of the one in force. Raises StoreUnavailable when the sweep took longer than the policy
    lets it."""
    homes = homes_of(request)
    policy = policy_of(request, stored)
    if stored is None:
        policy = replace(policy, subset=subset_of(policy))
    request = bound(request, homes)
    packs = any(multiplier < 0 for multiplier in policy.weighers.values())
    exact = request.search == "all" or is_drawn(request) or (packs and _few_enough(request, homes, policy))
    if not exact:
        found = _from_samples(request, homes, policy, rng)
        if found is not None:
            told = explain_resource(request.resources[0], homes, policy)[0] if request.explain else None
            return Decision(found, told, policy.version)
    return _swept(request, homes, policy, rng)


def dry_run(request: ScheduleRequest, limit: int) -> DryRun:
    """Everything that fits the request's first resource, beside what else is asked for on its tree, best first; reads
    only."""
    homes = homes_of(request)
    policy = policy_of(request)
    request = bound(request, homes)
    resource = request.resources[0]
    everything, filtered = _everything(request, homes, policy)
    fitting = [one.passed for one in filtered]
    left, stages = one_tree_stage(request, fitting, _trees(everything), 0)
    funnel = [*filtered[0].funnel, *stages]
    told = explanation(
        resource, policy, funnel, misses_of(filtered[0].short, resource), everything[resource.resource_class]
    )
    return DryRun(rank(left, resource, policy)[:limit], told)


def _few_enough(request: ScheduleRequest, homes: Sequence[Home], policy: Policy) -> bool:
    """Whether a policy that packs reads all providers of each class; with more of them it packs what it samples."""
    return all(about_how_many(homes, resource.resource_class) <= policy.pack_limit for resource in request.resources)


def _trees(everything: Mapping[str, Swept]) -> Trees:
    return trees_of([swept.candidates for swept in everything.values()])


def _from_samples(
    request: ScheduleRequest, homes: Sequence[Home], policy: Policy, rng: random.Random
) -> Assignment | None:
    """An assignment among samples of each resource's providers, or None.

    Hosts and GPUs that were sampled each for itself rarely meet on one tree. So with children among them, what else is
    on the trees of a sample is read, of the rarest resource's first: the trees that it leaves are the fewest.
    """
    enough = max(policy.sample_hosts, 2 * request.count, policy.subset + policy.alternates)
    filters = enabled_filters(policy)
    samples = [sample(homes, resource, filters, enough, rng) for resource in request.resources]
    for one in samples:
        SHARDS.observe(one.shards_read)
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
) -> tuple[dict[str, Swept], list[Filtered]]:
    """Every provider of the classes asked for, by class, and what the filters leave of them, by resource."""
    until = time.monotonic() + policy.sweep_seconds
    everything: dict[str, Swept] = {}
    for resource in request.resources:
        if resource.resource_class not in everything:
            swept = everything[resource.resource_class] = sweep_all(homes, resource.resource_class, until)
            if not swept.complete:
                told = f"only {swept.shards} of {swept.of_shards} shards of {resource.resource_class} could be read"
                raise StoreUnavailable(f"{told} in {policy.sweep_seconds:g} s (sweep_seconds of the policy); ask again")
    filters = enabled_filters(policy)
    return everything, [run_filters(everything[r.resource_class].candidates, r, filters) for r in request.resources]


def _swept(request: ScheduleRequest, homes: Sequence[Home], policy: Policy, rng: random.Random) -> Decision:
    filters = enabled_filters(policy)
    everything, filtered = _everything(request, homes, policy)
    trees = _trees(everything)
    found = _assign_in_some_cell(request, [f.passed for f in filtered], trees, policy, rng)
    if found is None:
        fresh = [_reread_short(f.short, r) for f, r in zip(filtered, request.resources, strict=True)]
        fitting = [
            [*f.passed, *(c for c in again if fits(c, r, filters) is None)]
            for f, again, r in zip(filtered, fresh, request.resources, strict=True)
        ]
        found = _assign_in_some_cell(request, fitting, trees, policy, rng, partly=not request.all_or_nothing)
        if found is None:
            told = why_not(request, filtered, fresh, fitting, trees, policy, rng, everything)
            return Decision(None, told, policy.version)
    if not request.explain:
        return Decision(found, None, policy.version)
    resource = request.resources[0]
    misses, of_class = misses_of(filtered[0].short, resource), everything[resource.resource_class]
    return Decision(found, explanation(resource, policy, filtered[0].funnel, misses, of_class), policy.version)


def _reread_short(short: Sequence[Candidate], resource: Resource) -> list[Candidate]:
    """The hosts that fell short by amounts, from their own records. Those whose hardware could never hold the request
    (total with any overcommitment is in `amounts`) stay as they are: no claim that ends can make them fit."""
    could: list[Candidate] = []
    never: list[Candidate] = []
    for candidate in short:
        bound = {n: max(candidate.totals.get(n, 0), candidate.amounts.get(n, 0)) for n in resource.amounts}
        (never if short_by(replace(candidate, available=bound), resource) else could).append(candidate)
    return [*reread(could), *never]

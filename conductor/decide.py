"""The decision: query, filters, weighers, assignment, by sampling; what needs all providers is conductor/exact.py."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from uuid import UUID

from conductor.exact import decide_exactly, everybody, trees_among
from conductor.explain import explain_resource, explanation, misses_of, one_tree_stage
from conductor.measures import SHARDS, subset_of
from conductor.types import Decision, DryRun, Explanation, ScheduleRequest, Seen
from conductor.wish import bound, homes_of, is_drawn, policy_of
from providers.candidates import sample
from providers.reread import beside
from providers.sweeps import about_how_many
from scheduler.assign import Assignment
from scheduler.filters.kind import Filter
from scheduler.fits import fits
from scheduler.one_cell import assign_in_one_cell
from scheduler.select import enabled_filters, rank
from scheduler.trees import trees_of
from scheduler.types import Candidate, Policy, Resource
from store.failures import StoreUnavailable
from store.home import Home


def decide(request: ScheduleRequest, rng: random.Random, stored: Policy | None = None) -> Decision:
    """Chooses by sampling, or by a sweep when asked to or when the policy packs (a sample would spoil packing); says
    "no", or "not all of them", only after a sweep whose short hosts were read again (conductor/exact.py). `stored`:
    under this policy instead of the one in force. Raises StoreUnavailable when the sweep took longer than the policy
    lets it."""
    homes = homes_of(request)
    policy = policy_of(request, stored)
    if stored is None and (subset := subset_of(policy)) != policy.subset:
        policy = replace(policy, subset=subset)
    request = bound(request, homes)
    packs = any(multiplier < 0 for multiplier in policy.weighers.values())
    exact = request.search == "all" or is_drawn(request) or (packs and _few_enough(request, homes, policy))
    if not exact:
        found, seen = _from_samples(request, homes, policy, rng)
        if found is not None:
            told = _told(request, homes, policy) if request.explain else None
            return Decision(found, told, policy.version, seen)
    return decide_exactly(request, homes, policy, rng)


def _told(request: ScheduleRequest, homes: Sequence[Home], policy: Policy) -> Explanation | None:
    """None when that takes too long: what fits is placed all the same."""
    try:
        return explain_resource(request.resources[0], homes, policy)
    except StoreUnavailable:
        return None


def dry_run(request: ScheduleRequest, limit: int) -> DryRun:
    """Everything that fits the request's first resource, beside what else is asked for on its tree, best first; reads
    only."""
    homes = homes_of(request)
    policy = policy_of(request)
    request = bound(request, homes)
    resource = request.resources[0]
    everything, filtered = everybody(request, homes, policy)
    fitting = [one.passed for one in filtered]
    left, stages = one_tree_stage(request, fitting, trees_among(everything), 0)
    funnel = [*filtered[0].funnel, *stages]
    told = explanation(
        resource, policy, funnel, misses_of(filtered[0].short, resource), everything[resource.resource_class]
    )
    return DryRun(rank(left, resource, policy)[:limit], told)


def _few_enough(request: ScheduleRequest, homes: Sequence[Home], policy: Policy) -> bool:
    """Whether a policy that packs reads all providers of each class; with more of them it packs what it samples."""
    return all(about_how_many(homes, resource.resource_class) <= policy.pack_limit for resource in request.resources)


def _from_samples(
    request: ScheduleRequest, homes: Sequence[Home], policy: Policy, rng: random.Random
) -> tuple[Assignment | None, Seen]:
    """An assignment among samples of each resource's providers, or None; and what they were.

    Hosts and GPUs that were sampled each for itself rarely meet on one tree. So with children among them, what else is
    on the trees of a sample is read, of the rarest resource's first: the trees that it leaves are the fewest.
    """
    enough = max(policy.sample_hosts, 2 * request.count, policy.subset + policy.alternates)
    samples = [sample(homes, resource, policy, enough, rng) for resource in request.resources]
    for one in samples:
        SHARDS.observe(one.shards_read)
    fitting: list[Sequence[Candidate]] = [one.fitting for one in samples]
    of = [(len(one.fitting), one.shards_read, one.shards) for one in samples]
    looked = Seen("sample", *map(sum, zip(*of, strict=True)))
    if len(samples) == 1 or all(c.parent_id is None for one in fitting for c in one):
        return assign_in_one_cell(request.resources, fitting, request.count, {}, policy, rng), looked
    filters = enabled_filters(policy)
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
        trees = trees_of([list(seen.values())])
        found = assign_in_one_cell(request.resources, known, request.count, trees, policy, rng)
        if found is not None:
            return found, looked
    return None, looked


def _fitting(
    resource: Resource, filters: Sequence[Filter], sampled: Sequence[Candidate], seen: Mapping[UUID, Candidate]
) -> list[Candidate]:
    of_class = [c for c in seen.values() if c.resource_class == resource.resource_class]
    return [*sampled, *(c for c in of_class if fits(c, resource, filters) is None)]

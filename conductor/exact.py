"""The decision among all providers: when sampling found no place, when it is asked for, when a policy packs.

"No" is said here alone, after the hosts that fell short by amounts were read again from their own records; in a class
that is large and full, those of them where room may have come back (conductor/freed.py).
"""

import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

from conductor.explain import explanation, misses_of, why_not
from conductor.freed import freed
from conductor.types import Decision, Explanation, ScheduleRequest, Seen
from providers.candidates import Shard
from providers.reread import reread
from providers.sweeps import MANY, Swept, all_of, could_hold, fitting, sweep_all, sweep_some
from scheduler.assign import Assignment
from scheduler.changes import fewer
from scheduler.filters.capacity import short_by
from scheduler.fits import fits
from scheduler.one_cell import assign_in_one_cell
from scheduler.select import Filtered, enabled_filters, run_filters
from scheduler.trees import Trees, trees_of
from scheduler.types import Candidate, Policy, Resource
from store.home import Home

SHOWN = 4  # shards of a large class that the explanation of a "no" looks at, those that could hold it among them

Everybody = Mapping[str, Swept]  # by resource class


def decide_exactly(request: ScheduleRequest, homes: Sequence[Home], policy: Policy, rng: random.Random) -> Decision:
    """Raises StoreUnavailable when it takes longer than the policy lets a sweep take."""
    if len(request.resources) == 1 and not request.explain:
        everywhere = all_of(homes, request.resources[0].resource_class)
        if len(everywhere) > MANY:
            return _in_a_large_class(request, everywhere, policy, rng)
    everything, filtered = everybody(request, homes, policy)
    trees = trees_among(everything)
    found = _assign(request, [f.passed for f in filtered], trees, policy, rng)
    if found is None:
        return _after_rereading(request, everything, filtered, trees, policy, rng)
    return _found(request, found, [one.passed for one in filtered], filtered, everything, policy)


def everybody(
    request: ScheduleRequest, homes: Sequence[Home], policy: Policy
) -> tuple[dict[str, Swept], list[Filtered]]:
    """Every provider of the classes asked for, by class, and what the filters leave of them, by resource."""
    until = time.monotonic() + policy.sweep_seconds
    everything: dict[str, Swept] = {}
    for resource in request.resources:
        if resource.resource_class not in everything:
            everything[resource.resource_class] = sweep_all(homes, resource.resource_class, until)
    filters = enabled_filters(policy)
    return everything, [run_filters(everything[r.resource_class].candidates, r, filters) for r in request.resources]


def trees_among(everything: Everybody) -> Trees:
    return trees_of([swept.candidates for swept in everything.values()])


def _in_a_large_class(
    request: ScheduleRequest, everywhere: Sequence[Shard], policy: Policy, rng: random.Random
) -> Decision:
    """One resource. Where anybody could hold it, and who fits there, is Cassandra's answer; a row may lag, so when
    nobody does it is asked again where room may have come back. The explanation is of some shards: those where somebody
    could hold it first."""
    (resource,) = request.resources
    began = time.monotonic()
    until = began + policy.sweep_seconds
    filters, of_shards = enabled_filters(policy), len(everywhere)
    possible = could_hold(everywhere, resource, filters, until)
    fit = fitting(possible, resource, policy, until)
    found = _assign(request, [fit], {}, policy, rng)
    if found is None and (again := freed({home for home, _ in everywhere}, resource, filters, until)):
        fit = list({c.provider_id: c for c in (*fit, *fitting(again, resource, policy, until))}.values())
        found = _assign(request, [fit], {}, policy, rng)
    if found is not None:
        return Decision(found, None, policy.version, Seen("all", len(fit), of_shards, of_shards))
    could = set(possible)
    looked_at = _some(possible, SHOWN, rng)
    looked_at += _some([shard for shard in everywhere if shard not in could], SHOWN - len(looked_at), rng)
    swept = sweep_some(looked_at, resource.resource_class, until, of_shards)
    swept = replace(swept, seconds=time.monotonic() - began)
    filtered = run_filters(swept.candidates, resource, filters)
    passed = {c.provider_id: c for c in (*fit, *filtered.passed)}
    filtered = replace(filtered, passed=tuple(passed.values()))
    everything = {resource.resource_class: swept}
    return _after_rereading(request, everything, [filtered], trees_among(everything), policy, rng)


def _some(shards: Sequence[Shard], most: int, rng: random.Random) -> list[Shard]:
    return list(shards) if len(shards) <= most else rng.sample(list(shards), max(0, most))


def _after_rereading(
    request: ScheduleRequest,
    everything: Everybody,
    filtered: Sequence[Filtered],
    trees: Trees,
    policy: Policy,
    rng: random.Random,
) -> Decision:
    filters = enabled_filters(policy)
    fresh = [_reread_short(f.short, r) for f, r in zip(filtered, request.resources, strict=True)]
    fit = [
        [*f.passed, *(c for c in again if fits(c, r, filters) is None)]
        for f, again, r in zip(filtered, fresh, request.resources, strict=True)
    ]
    found = _assign(request, fit, trees, policy, rng, partly=not request.all_or_nothing)
    if found is None:
        told = why_not(request, filtered, fresh, fit, trees, policy, rng, everything)
        if request.count > 1:
            told = _told_of_fewer(told, request, _assign(request, fit, trees, policy, rng, partly=True))
        return Decision(None, told, policy.version)
    return _found(request, found, fit, filtered, everything, policy)


def _told_of_fewer(told: Explanation, request: ScheduleRequest, some: Assignment | None) -> Explanation:
    copies = request.count - max(some.missing.values(), default=0) if some else 0
    if some is None or not copies:
        return told
    return replace(
        told, changes=(fewer(request.count, copies, len({u.tries[0].root_id for u in some.units})), *told.changes)
    )


def _found(
    request: ScheduleRequest,
    found: Assignment,
    fit: Sequence[Sequence[Candidate]],
    filtered: Sequence[Filtered],
    everything: Everybody,
    policy: Policy,
) -> Decision:
    swept = [everything[resource.resource_class] for resource in request.resources]
    of = [
        (len({c.provider_id for c in fitting}), one.of_shards, one.of_shards)
        for fitting, one in zip(fit, swept, strict=True)
    ]
    seen = Seen("all", *map(sum, zip(*of, strict=True)))
    if not request.explain:
        return Decision(found, None, policy.version, seen)
    resource, of_class = request.resources[0], swept[0]
    told = explanation(resource, policy, filtered[0].funnel, misses_of(filtered[0].short, resource), of_class)
    return Decision(found, told, policy.version, seen)


def _assign(
    request: ScheduleRequest,
    fit: Sequence[Sequence[Candidate]],
    trees: Trees,
    policy: Policy,
    rng: random.Random,
    partly: bool = False,
) -> Assignment | None:
    return assign_in_one_cell(request.resources, fit, request.count, trees, policy, rng, partly)


def _reread_short(short: Sequence[Candidate], resource: Resource) -> list[Candidate]:
    """The hosts that fell short by amounts, from their own records. Those whose hardware could never hold the request
    (total with any overcommitment is in `amounts`) stay as they are: no claim that ends can make them fit."""
    could: list[Candidate] = []
    never: list[Candidate] = []
    for candidate in short:
        bound = {n: max(candidate.totals.get(n, 0), candidate.amounts.get(n, 0)) for n in resource.amounts}
        (never if short_by(replace(candidate, available=bound), resource) else could).append(candidate)
    return [*reread(could), *never]

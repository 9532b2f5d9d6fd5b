"""Filters, then weighers, then a random pick among the best few, with alternates behind it."""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from scheduler import filters as filter_list
from scheduler import weighers as weigher_list
from scheduler.filters.kind import Check, Filter
from scheduler.types import Candidate, Policy, Ranked, Resource, Stage
from scheduler.weighers.kind import Weigh

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Filtered:
    """Who passed, the funnel they came through, and who fell at the capacity filter alone."""

    passed: tuple[Candidate, ...]
    funnel: tuple[Stage, ...]
    short: tuple[Candidate, ...]


def enabled_filters(policy: Policy) -> tuple[Filter, ...]:
    """The policy's filters in the order of FILTERS; those that can't be switched off are always among them."""
    return tuple(_under(policy, one) for one in _chosen(policy))


def limits(policy: Policy) -> list[Check]:
    """What the enabled filters refuse by the policy's numbers alone: each copy of a request counts for the next."""
    bound = [one.under(policy) for one in _chosen(policy) if one.under]
    return [check for check in bound if check is not None]


def _chosen(policy: Policy) -> list[Filter]:
    names = {*policy.filters, *filter_list.ALWAYS}
    return [one for one in filter_list.FILTERS if one.name in names]


def _under(policy: Policy, one: Filter) -> Filter:
    check = one.under(policy) if one.under else None
    return replace(one, check=check) if check else one


def run_filters(candidates: Iterable[Candidate], resource: Resource, filters: Sequence[Filter]) -> Filtered:
    """Runs each filter over all that the one before it left; the last filter's losers are the near misses."""
    left = list(candidates)
    funnel: list[Stage] = []
    short: tuple[Candidate, ...] = ()
    for one in filters:
        passed: list[Candidate] = []
        lost: list[Candidate] = []
        for candidate in left:
            (lost if one.check(candidate, resource) else passed).append(candidate)
        if one.name == "capacity":
            short = tuple(lost)
        funnel.append(Stage(one.name, len(passed), len(lost), one.reason))
        left = passed
    return Filtered(tuple(left), tuple(funnel), short)


def rank(candidates: Iterable[Candidate], resource: Resource, policy: Policy) -> list[Ranked]:
    """Best first; equal weights in the order of their ids, so that the same input ranks the same everywhere."""
    ranked = []
    weighing = [(name, _weigh(name, policy), multiplier) for name, multiplier in policy.weighers.items()]
    for candidate in candidates:
        own = candidate.multipliers
        weights = {
            name: weigh(candidate, resource) * (own.get(name, multiplier) if own else multiplier)
            for name, weigh, multiplier in weighing
        }
        ranked.append(Ranked(candidate, sum(weights.values()), weights))
    return sorted(ranked, key=lambda r: (-r.weight, r.candidate.provider_id.bytes))


def _weigh(name: str, policy: Policy) -> Weigh:
    found = weigher_list.find(name)
    if found is None:
        raise ValueError(f"no weigher {name!r}")
    return found.under(policy) if found.under else found.weigh


def pick(ranked: Sequence[T], policy: Policy, rng: random.Random) -> list[T]:
    """The choice first, then its alternates: the best `subset` in random order (so that many schedulers with one view
    do not all pick the same host), then the next best, `alternates` + 1 in all."""
    best = list(ranked[: max(1, policy.subset)])
    rng.shuffle(best)
    return [*best, *ranked[len(best) :]][: policy.alternates + 1]

"""Which provider each unit of a request gets: a request may name several resources, `count` times each."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from scheduler.fits import fits
from scheduler.select import enabled_filters, pick, rank
from scheduler.types import Candidate, Policy, Resource


@dataclass(frozen=True, slots=True)
class Unit:
    """One claim to be made: which resource of the request, and the providers to try, best first."""

    member: int
    resource: Resource
    tries: tuple[Candidate, ...]


@dataclass(frozen=True, slots=True)
class Assignment:
    """Units that found a provider, and how many of each resource (by its index) did not."""

    units: tuple[Unit, ...]
    missing: Mapping[int, int]


def assign(
    resources: Sequence[Resource],
    fitting: Sequence[Sequence[Candidate]],
    count: int,
    policy: Policy,
    rng: random.Random,
) -> Assignment:
    """Gives each of `count` copies of each resource a provider and alternates.

    `fitting[i]` are the candidates that fit `resources[i]`. Copies that land on one provider are taken off what it has
    before the next copy chooses, so that a request does not compete with itself.
    """
    taken: dict[UUID, dict[str, int]] = {}
    units: list[Unit] = []
    missing: dict[int, int] = {}
    filters = enabled_filters(policy)
    for copy in range(count):
        for index, resource in enumerate(resources):
            room = [_less(c, taken.get(c.provider_id)) for c in fitting[index]] if taken else list(fitting[index])
            left = [c for c in room if fits(c, resource, filters) is None] if taken else room
            chosen = pick(rank(left, resource, policy), policy, rng)
            if not chosen:
                missing[index] = missing.get(index, 0) + 1
                continue
            tries = tuple(r.candidate for r in chosen)
            units.append(Unit(copy * len(resources) + index, resource, tries))
            _take(taken, tries[0].provider_id, resource)
    return Assignment(tuple(units), missing)


def _less(candidate: Candidate, taken: Mapping[str, int] | None) -> Candidate:
    if not taken:
        return candidate
    return replace(candidate, available={n: v - taken.get(n, 0) for n, v in candidate.available.items()})


def _take(taken: dict[UUID, dict[str, int]], provider_id: UUID, resource: Resource) -> None:
    sums = taken.setdefault(provider_id, {})
    for name, amount in resource.amounts.items():
        sums[name] = sums.get(name, 0) + amount

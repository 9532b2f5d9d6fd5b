"""Which provider each unit of a request gets: a request may name several resources, `count` times each."""

import bisect
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from scheduler.fits import fits
from scheduler.select import enabled_filters, pick, rank
from scheduler.types import Candidate, Policy, Ranked, Resource

Key = tuple[float, bytes]


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


class Board:
    """One resource's ranking, kept in order while its providers get less; a copy costs no look at all of them."""

    def __init__(self, resource: Resource, candidates: Sequence[Candidate], policy: Policy) -> None:
        self.resource = resource
        self._policy = policy
        self._filters = enabled_filters(policy)
        self._places: dict[UUID, tuple[Key, Ranked]] = {}
        self._order: list[tuple[Key, UUID]] = []
        for ranked in rank(candidates, resource, policy):
            key = _key(ranked)
            self._places[ranked.candidate.provider_id] = (key, ranked)
            self._order.append((key, ranked.candidate.provider_id))

    def choose(self, rng: random.Random) -> list[Ranked]:
        """The pick and its alternates; empty when nothing fits any more."""
        needed = max(1, self._policy.subset) + self._policy.alternates + 1
        best = [self._places[provider_id][1] for _, provider_id in self._order[:needed]]
        return pick(best, self._policy, rng)

    def take(self, provider_id: UUID, amounts: Mapping[str, int]) -> None:
        """Takes amounts off one provider: it is ranked anew, or leaves the board when it does not fit any more."""
        place = self._places.pop(provider_id, None)
        if place is None:
            return
        key, ranked = place
        del self._order[bisect.bisect_left(self._order, (key, provider_id))]
        left = {n: v - amounts.get(n, 0) for n, v in ranked.candidate.available.items()}
        candidate = replace(ranked.candidate, available=left)
        if fits(candidate, self.resource, self._filters) is None:
            (again,) = rank([candidate], self.resource, self._policy)
            self._places[provider_id] = (_key(again), again)
            bisect.insort(self._order, (_key(again), provider_id))


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
    boards = [Board(resource, fitting[index], policy) for index, resource in enumerate(resources)]
    units: list[Unit] = []
    missing: dict[int, int] = {}
    for copy in range(count):
        for index, board in enumerate(boards):
            chosen = board.choose(rng)
            if not chosen:
                missing[index] = missing.get(index, 0) + 1
                continue
            tries = tuple(ranked.candidate for ranked in chosen)
            units.append(Unit(copy * len(resources) + index, board.resource, tries))
            if count > 1 or len(boards) > 1:
                for other in boards:
                    other.take(tries[0].provider_id, board.resource.amounts)
    return Assignment(tuple(units), missing)


def _key(ranked: Ranked) -> Key:
    return -ranked.weight, ranked.candidate.provider_id.bytes

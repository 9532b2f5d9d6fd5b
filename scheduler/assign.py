"""Which provider each unit of a request gets: a request may name several resources, `count` times each."""

import bisect
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from scheduler.select import limits, pick, rank
from scheduler.trees import Options, Part, Places, Trees, divided, fit_together, shapes
from scheduler.types import Amounts, Candidate, Policy, Resource

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
    """The places for one part of a request (a resource, or several that belong on one tree), best first, kept in order
    while providers get less; a copy costs no look at all of them."""

    def __init__(self, resources: Sequence[Resource], places: Mapping[UUID, Options], policy: Policy) -> None:
        self.resources = resources
        self._policy, self._limits = policy, limits(policy)
        self._options = dict(places)
        self._best: dict[UUID, tuple[Key, Places]] = {}
        if len(resources) == 1:
            for ranked in rank((options[0][0] for options in places.values()), resources[0], policy):
                at = ranked.candidate.provider_id
                self._best[at] = (-ranked.weight, at.bytes), (ranked.candidate,)
        else:
            for at in self._options:
                self._look_at(at)
        self._order = sorted((key, at) for at, (key, _) in self._best.items())

    def __len__(self) -> int:
        return len(self._order)

    def choose(self, rng: random.Random) -> list[Places]:
        """The pick and its alternates; empty when nothing fits any more."""
        needed = max(1, self._policy.subset) + self._policy.alternates + 1
        return pick([self._best[at][1] for _, at in self._order[:needed]], self._policy, rng)

    def take(self, taken: Candidate, amounts: Amounts, times: int = 1) -> None:
        """Takes amounts off one provider (`times` -1: gives them back): its place is ranked anew, or leaves the board
        when nothing fits there any more."""
        at = taken.provider_id if taken.provider_id in self._options else taken.root_id
        options = self._options.get(at)
        if options is None:
            return
        self._options[at] = [
            [_less(c, amounts, times) if c.provider_id == taken.provider_id else c for c in one] for one in options
        ]
        before = self._best.pop(at, None)
        if before is not None:
            del self._order[bisect.bisect_left(self._order, (before[0], at))]
        self._look_at(at)
        if at in self._best:
            bisect.insort(self._order, (self._best[at][0], at))

    def _look_at(self, at: UUID) -> None:
        ranked = [
            rank((c for c in one if not any(over(c, r) for over in self._limits)), r, self._policy)
            for one, r in zip(self._options[at], self.resources, strict=True)
        ]
        places = fit_together(self.resources, [[r.candidate for r in one] for one in ranked])
        if places is not None:
            weight = sum(r.weight for one, c in zip(ranked, places, strict=True) for r in one if r.candidate is c)
            self._best[at] = (-weight, at.bytes), places


def assign(
    resources: Sequence[Resource],
    fitting: Sequence[Sequence[Candidate]],
    count: int,
    policy: Policy,
    rng: random.Random,
    trees: Trees | None = None,
) -> Assignment:
    """Gives each of `count` copies of the request's resources providers, and alternates where one tree is not bound to
    take several. A copy is placed as a whole or not at all.

    `fitting[i]` are the candidates that fit `resources[i]`; `trees` says what the trees of children among them have
    (a child whose tree is not among these binds nothing). Copies that land on one provider are taken off what it has
    before the next copy chooses, so that a request does not compete with itself.
    """
    boards = {
        part: Board([resources[index] for index in sorted(part.resources)], places, policy)
        for part, places in divided(resources, fitting, trees or {}).items()
    }
    ways = shapes(boards, len(resources))
    units: list[Unit] = []
    for copy in range(count):
        last = copy == count - 1
        placed = next(filter(None, (_place(way, boards, rng, last) for way in ways)), None)
        if placed is None:  # what one copy did not find none after it will
            return Assignment(tuple(units), dict.fromkeys(range(len(resources)), count - copy))
        units += [Unit(copy * len(resources) + i, resources[i], tries) for i, tries in sorted(placed.items())]
    return Assignment(tuple(units), {})


def _place(
    shape: Sequence[Part], boards: Mapping[Part, Board], rng: random.Random, last: bool
) -> dict[int, tuple[Candidate, ...]] | None:
    """One copy: tries by resource, the first of each taken off all boards; None when a part finds no place."""
    placed: dict[int, tuple[Candidate, ...]] = {}
    taken: list[tuple[Candidate, Amounts]] = []
    # A tree is bound to one part only; single resources may want the same provider: who has least choice goes first.
    for part in sorted(shape, key=lambda part: (not part.is_bundle, len(boards[part]))):
        picked = boards[part].choose(rng)
        if not picked:
            for candidate, amounts in taken:
                _take(boards, candidate, amounts, -1)
            return None
        # Alternates of several on one tree would have to be whole trees: a plan's members go down theirs one by one.
        tries = picked if len(part.resources) == 1 else picked[:1]
        for position, index in enumerate(sorted(part.resources)):
            placed[index] = tuple(places[position] for places in tries)
            if last and len(shape) == 1:
                continue  # nothing comes after it that could want the same
            amounts = boards[part].resources[position].amounts
            taken.append((placed[index][0], amounts))
            _take(boards, placed[index][0], amounts)
    return placed


def _take(boards: Mapping[Part, Board], candidate: Candidate, amounts: Amounts, times: int = 1) -> None:
    for board in boards.values():
        board.take(candidate, amounts, times)


def _less(candidate: Candidate, amounts: Amounts, times: int) -> Candidate:
    left = {name: has - times * amounts.get(name, 0) for name, has in candidate.available.items()}
    return replace(candidate, available=left, claims=candidate.claims + times)

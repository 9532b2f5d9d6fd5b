"""Which resources of a request belong on one provider tree, and where on it they fit.

A place on a child (a GPU, a NUMA cell) is worth nothing beside another host than its own. So it binds what else was
asked for: resources of its root's class go to the same tree, and none goes to a child of another tree whose class this
one has too. A place on a root binds nothing: shared volumes and networks stay free. (docs/adr/0011)
"""

from collections.abc import Iterator, Mapping, Sequence, Sized
from dataclasses import dataclass
from itertools import combinations
from uuid import UUID

from scheduler.types import Amounts, Candidate, Resource

Bound = frozenset[int]  # indexes of a request's resources
Places = tuple[Candidate, ...]
Options = Sequence[Sequence[Candidate]]  # per resource of a part, in the order of their indexes

VISITS = 500  # sets of bundles that are looked at to divide a request; one or two are usual
STEPS = 400  # places tried on one tree before it is passed over
OPTIONAL = 6  # resources that may be on the tree or not; with more of them all must be


@dataclass(frozen=True, slots=True)
class OnTree:
    """Of which classes a tree has providers, whether they fit or not, and its root's ("" when nobody asked for it)."""

    classes: frozenset[str]
    root_class: str = ""


Trees = Mapping[UUID, OnTree]  # by root


@dataclass(frozen=True, slots=True)
class Part:
    """Resources that are placed together: one alone, or several on one tree. Of the `rest` the tree has the class too,
    but they go to roots of other trees, so to parts that place them on roots only (`rooted`)."""

    resources: Bound
    rest: Bound = frozenset()
    rooted: Bound = frozenset()

    @property
    def is_bundle(self) -> bool:
        return len(self.resources) > 1 or bool(self.rest)


Parts = Mapping[Part, Mapping[UUID, Options]]


def trees_of(candidates: Sequence[Sequence[Candidate]]) -> dict[UUID, OnTree]:
    """Which classes each tree has, from all providers of the classes asked for."""
    classes: dict[UUID, set[str]] = {}
    of_root: dict[UUID, str] = {}
    for one in candidates:
        for candidate in one:
            classes.setdefault(candidate.root_id, set()).add(candidate.resource_class)
            if candidate.parent_id is None:
                of_root[candidate.root_id] = candidate.resource_class
    return {root: OnTree(frozenset(names), of_root.get(root, "")) for root, names in classes.items()}


def divided(resources: Sequence[Resource], fitting: Sequence[Sequence[Candidate]], trees: Trees) -> Parts:
    """The places there are: of one resource by provider, of several by the tree's root."""
    if len(resources) == 1:  # nothing else that its tree could be asked for
        return {Part(frozenset((0,))): {candidate.provider_id: [[candidate]] for candidate in fitting[0]}}
    parts: dict[Part, dict[UUID, Options]] = {}
    by_root: list[dict[UUID, list[Candidate]]] = [{} for _ in resources]
    bound: dict[UUID, Bound] = {}
    for index, one in enumerate(fitting):
        alone = parts.setdefault(Part(frozenset((index,))), {})
        for candidate in one:
            by_root[index].setdefault(candidate.root_id, []).append(candidate)
            there = _asked_for_there(candidate, resources, trees) if candidate.parent_id else None
            if there is None or there <= {index}:
                alone[candidate.provider_id] = [[candidate]]
            else:
                bound[candidate.root_id] = there
    have_roots = frozenset(i for i, one in enumerate(fitting) if any(c.parent_id is None for c in one))
    for root, there in bound.items():
        must = frozenset(i for i in there if resources[i].resource_class == trees[root].root_class)
        for some in _with(must, there, have_roots):
            options = [by_root[i].get(root, []) for i in sorted(some)]
            children = [c for one in options for c in one if c.parent_id is not None]
            if len(some) == 1:
                parts.setdefault(Part(some, there - some), {}).update({c.provider_id: [[c]] for c in children})
            elif all(options) and children:
                parts.setdefault(Part(some, there - some), {})[root] = options
    rest = frozenset(index for part in parts for index in part.rest)
    return parts | _rooted(parts, rest) if rest else parts


def _rooted(parts: Parts, rest: Bound) -> dict[Part, dict[UUID, Options]]:
    """The same parts with what of `rest` they have on roots only, where there are roots."""
    found: dict[Part, dict[UUID, Options]] = {}
    for part, places in parts.items():
        order = sorted(part.resources)
        for at, options in places.items():
            roots = {
                i: [c for c in one if c.parent_id is None] for i, one in zip(order, options, strict=True) if i in rest
            }
            rooted = frozenset(i for i, one in roots.items() if one)
            if rooted:
                left = [roots[i] if i in rooted else one for i, one in zip(order, options, strict=True)]
                found.setdefault(Part(part.resources, part.rest, rooted), {})[at] = left
    return found


def _asked_for_there(candidate: Candidate, resources: Sequence[Resource], trees: Trees) -> Bound:
    """Which resources have their class on this child's tree."""
    there = trees.get(candidate.root_id)
    return frozenset(i for i, one in enumerate(resources) if there and one.resource_class in there.classes)


def _with(must: Bound, there: Bound, have_roots: Bound) -> Iterator[Bound]:
    """What a tree may take of `there`: all of it, or `must` with some, when the others have roots to go to."""
    yield there
    free = sorted((there - must) & have_roots)
    if len(free) > OPTIONAL:
        return
    for size in range(1, len(free) + 1):
        for elsewhere in combinations(free, size):
            if there - frozenset(elsewhere):
                yield there - frozenset(elsewhere)


def shapes(parts: Mapping[Part, Sized], resources: int) -> list[tuple[Part, ...]]:
    """The ways to divide a request into parts that have places, those with the fewest trees first: they cost the fewest
    transactions."""
    bundles = sorted(
        (part for part in parts if part.is_bundle and parts[part]),
        key=lambda part: (-len(part.resources), len(part.rooted), sorted(part.resources)),
    )
    found: list[tuple[Part, ...]] = []
    visits = 0

    def divide(start: int, chosen: tuple[Part, ...], left: Bound) -> None:
        nonlocal visits
        visits += 1
        rest = frozenset(index for part in chosen for index in part.rest)
        if all(part.resources & rest <= part.rooted for part in chosen):
            alone = (frozenset((index,)) for index in sorted(left))
            singles = tuple(Part(one, rooted=one & rest) for one in alone)
            if all(parts.get(single) for single in singles):
                found.append((*chosen, *singles))
        for number in range(start, len(bundles)):
            if bundles[number].resources <= left and visits < VISITS:
                divide(number + 1, (*chosen, bundles[number]), left - bundles[number].resources)

    divide(0, (), frozenset(range(resources)))
    return sorted(found, key=len)


def fit_together(resources: Sequence[Resource], options: Options) -> Places | None:
    """A place for each resource among its options, best first, such that none takes more than there is; or None."""
    order = sorted(range(len(resources)), key=lambda index: len(options[index]))  # who has least choice chooses first
    left: dict[UUID, dict[str, int]] = {c.provider_id: dict(c.available) for one in options for c in one}
    chosen: dict[int, Candidate] = {}
    steps = 0

    def place(position: int) -> bool:
        nonlocal steps
        if position == len(order):
            return True
        index = order[position]
        amounts = resources[index].amounts
        for candidate in options[index]:
            steps += 1
            if steps > STEPS:
                return False
            room = left[candidate.provider_id]
            if all(room.get(name, 0) >= amount for name, amount in amounts.items() if amount):
                _take(room, amounts, 1)
                chosen[index] = candidate
                if place(position + 1):
                    return True
                _take(room, amounts, -1)
        return False

    return tuple(chosen[index] for index in range(len(resources))) if place(0) else None


def on_one_tree(
    resources: Sequence[Resource], fitting: Sequence[Sequence[Candidate]], trees: Trees
) -> list[list[Candidate]]:
    """Per resource the candidates that are left when what belongs on one tree must fit on one tree, cell by cell."""
    left: list[list[Candidate]] = [[] for _ in resources]
    for cell in sorted({c.cell for one in fitting for c in one}):
        here = [[c for c in one if c.cell == cell] for one in fitting]
        for index, some in enumerate(_left_in_cell(resources, here, trees)):
            left[index] += some.values()
    return left


def _left_in_cell(
    resources: Sequence[Resource], fitting: Sequence[Sequence[Candidate]], trees: Trees
) -> list[dict[UUID, Candidate]]:
    possible: dict[Part, list[Options]] = {}
    for part, places in divided(resources, fitting, trees).items():
        bound = [resources[index] for index in sorted(part.resources)]
        possible[part] = [options for options in places.values() if fit_together(bound, options) is not None]
    left: list[dict[UUID, Candidate]] = [{} for _ in resources]
    for part in {part for shape in shapes(possible, len(resources)) for part in shape}:
        for options in possible[part]:
            for index, some in zip(sorted(part.resources), options, strict=True):
                left[index] |= {c.provider_id: c for c in some}
    return left


def _take(room: dict[str, int], amounts: Amounts, times: int) -> None:
    for name, amount in amounts.items():
        room[name] = room.get(name, 0) - times * amount

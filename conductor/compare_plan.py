"""Whether a plan that was looked at first still holds: each of its providers as it is now, and why it would not do."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from conductor.accept import plan_of
from conductor.types import Changed, Plan, ScheduleRequest, Step
from conductor.wish import bound, homes_of, policy_of
from providers.named import Named, read_named
from providers.records import candidate_of
from providers.refusals import Invalid
from scheduler import reasons
from scheduler.assign import Assignment, Unit
from scheduler.filters.group import place_of
from scheduler.fits import fits
from scheduler.select import enabled_filters
from scheduler.trees import on_one_tree, trees_of
from scheduler.types import AFFINITY, Candidate, GroupRule, Refusal, Resource

REMOVED, STATE_VERSION = "removed", "state_version"  # beside the reasons of the filters


@dataclass(frozen=True, slots=True)
class Compared:
    """The plan to be claimed, when it holds; else None, and each of its providers as it is now, with why it would not
    do (by its id)."""

    plan: Plan | None
    changed: Changed
    refusals: Mapping[UUID, Refusal]


def compare(request: ScheduleRequest, steps: Sequence[Step]) -> Compared:
    """Steps are one a claim: all resources of the first copy, then those of the next. Raises Invalid for a plan that no
    dry run of this request would have given."""
    request = bound(request, homes_of(request))
    named = read_named([step.provider_id for step in steps])
    wanted = [request.resources[n % len(request.resources)] for n in range(len(steps))]
    candidates = [
        _candidate(n, step, resource, named) for n, (step, resource) in enumerate(zip(steps, wanted, strict=True))
    ]
    _check_cells(candidates, len(request.resources))
    refusals = {**_on_other_trees(request, candidates, named), **_refusals(request, steps, wanted, candidates)}
    changed = [_as_it_is(one, named[one], refusals.get(one)) for one in dict.fromkeys(s.provider_id for s in steps)]
    if refusals:
        return Compared(None, changed, refusals)
    units = [Unit(n, wanted[n], (one,)) for n, one in enumerate(candidates) if one is not None]
    return Compared(plan_of(Assignment(tuple(units), {})), (), {})


def _candidate(number: int, step: Step, resource: Resource, named: Mapping[UUID, Named | None]) -> Candidate | None:
    if step.provider_id not in named:
        raise Invalid(f"plan.{number}.provider", f"no provider {step.provider_id}")
    found = named[step.provider_id]
    if found is None:
        return None
    candidate = found.candidate
    if candidate.resource_class != resource.resource_class:
        message = f"{candidate.name} is {candidate.resource_class}, and this claim is of {resource.resource_class}"
        raise Invalid(f"plan.{number}.provider", message)
    return candidate


def _check_cells(candidates: Sequence[Candidate | None], resources: int) -> None:
    for begin in range(0, len(candidates), resources):
        here = [one for one in candidates[begin : begin + resources] if one is not None]
        other = next((one for one in here if one.cell != here[0].cell), None)
        if other is not None:
            message = (
                f"{here[0].name} is in cell {here[0].cell} and {other.name} in {other.cell}: one copy is in one cell"
            )
            raise Invalid(f"plan.{begin}.provider", message)


def _on_other_trees(
    request: ScheduleRequest, candidates: Sequence[Candidate | None], named: Mapping[UUID, Named | None]
) -> dict[UUID, Refusal]:
    """What belongs on one tree with others of its copy and is on another (docs/trees.md)."""
    each = len(request.resources)
    found: dict[UUID, Refusal] = {}
    if each == 1 or all(one is None or one.parent_id is None for one in candidates):
        return found
    classes = {resource.resource_class for resource in request.resources}
    trees = {one.tree.root_id: one.tree for one in named.values() if one is not None}
    there = [candidate_of(t, own) for t in trees.values() for own in t.providers.values()]
    known = trees_of([[one for one in there if one.resource_class in classes]])
    for begin in range(0, len(candidates), each):
        copy = [[one] if one is not None else [] for one in candidates[begin : begin + each]]
        for one, left in zip(copy, on_one_tree(request.resources, copy, known), strict=True):
            if one and not left:
                found[one[0].provider_id] = Refusal(reasons.SAME_TREE, reasons.SENTENCES[reasons.SAME_TREE])
    return found


def _refusals(
    request: ScheduleRequest,
    steps: Sequence[Step],
    wanted: Sequence[Resource],
    candidates: Sequence[Candidate | None],
) -> dict[UUID, Refusal]:
    """Why providers would not do. What the plan's earlier claims take is not there for the later ones."""
    filters = enabled_filters(policy_of(request))
    taken: dict[UUID, dict[str, int]] = {}
    before: Counter[UUID] = Counter()  # claims of the plan
    members = Counter(
        place_of(one, resource.group.scope)
        for one, resource in zip(candidates, wanted, strict=True)
        if one is not None and resource.group is not None
    )
    found: dict[UUID, Refusal] = {}
    for step, resource, candidate in zip(steps, wanted, candidates, strict=True):
        if candidate is None:
            found[step.provider_id] = Refusal(REMOVED, "it was removed")
            continue
        less = taken.setdefault(step.provider_id, dict(candidate.available))
        if resource.group is not None:
            place = place_of(candidate, resource.group.scope)
            resource = replace(resource, group=_beside(resource.group, members - Counter([place])))
        now = replace(candidate, available=less, claims=candidate.claims + before[step.provider_id])
        before[step.provider_id] += 1
        refusal = fits(now, resource, filters) or _in_other_state(step, candidate)
        if refusal is not None:
            found.setdefault(step.provider_id, refusal)
        taken[step.provider_id] = {name: has - resource.amounts.get(name, 0) for name, has in less.items()}
    return found


def _beside(rule: GroupRule, others: Counter[str]) -> GroupRule:
    """The rule for one claim of the plan when all others of it are members."""
    is_settled = rule.policy == AFFINITY and rule.places
    places = rule.places if is_settled else rule.places | others.keys()
    return replace(rule, places=places, members=Counter(rule.members) + others, slack=0)


def _in_other_state(step: Step, candidate: Candidate) -> Refusal | None:
    if candidate.state_version != step.state_version:
        return Refusal(STATE_VERSION, f"it was changed: {candidate.state_version}, not {step.state_version}")
    if step.root_state_version not in (None, candidate.root_state_version):
        return Refusal(
            STATE_VERSION, f"its root was changed: {candidate.root_state_version}, not {step.root_state_version}"
        )
    return None


def _as_it_is(provider_id: UUID, one: Named | None, refusal: Refusal | None) -> dict[str, Any]:
    image: dict[str, Any] = {
        "provider": str(provider_id),
        "holds": refusal is None,
        "reason": refusal.reason if refusal else "",
        "detail": refusal.detail if refusal else "",
    }
    if one is None:
        return image
    now = one.candidate
    return image | {
        "name": now.name,
        "fits": refusal is None or refusal.reason == STATE_VERSION,
        "state": now.state,
        "state_version": now.state_version,
        "root_state_version": now.root_state_version,
        "generation": now.generation,
        "available": dict(now.available),
    }

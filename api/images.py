"""What the API shows: each thing of the domain in the form that API.md promises."""

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest

from api.microversions import at_least
from claims.image import image_of_claim
from conductor.life import life_of
from conductor.states import CLAIMED, HELD, NOTIFIED, RESCHEDULING, SCHEDULING
from conductor.types import Failure, RequestView, Step
from events.types import Event
from providers.cells import Cell
from providers.parts import Said
from providers.records import CLAIM, INSTANCE, OwnRow, Record
from providers.resource_classes.kind import ResourceClass
from scheduler.types import Ranked

Image = dict[str, Any]


def cell_image(cell: Cell) -> Image:
    return {
        "name": cell.name,
        "datacenter": cell.datacenter,
        "state": cell.state,
        "description": cell.description,
        "created_at": cell.created_at,
    }


def resource_class_image(of_class: ResourceClass) -> Image:
    return {
        "name": of_class.name,
        "custom": of_class.custom,
        "columns": [{"name": c.name, "unit": c.unit, "kind": c.kind, "type": c.type} for c in of_class.columns],
    }


def provider_image(image: Mapping[str, Any]) -> Image:
    """A provider's image as the domain makes it, with how many claims there are instead of the claims themselves:
    they have a list of their own, with pages."""
    claims = image["claims"]
    shown = {name: value for name, value in image.items() if name != "root_heartbeat"}
    return {**shown, "claims": claims if isinstance(claims, int) else len(claims)}


def bound_image(own: OwnRow) -> Image:
    """What an agent must know of the provider that its token is bound to."""
    row = own.row
    return {"id": own.id, "name": row["name"], "cell": row["cell"], "resource_class": row["resource_class"]}


def part_image(said: Said) -> Image:
    return {"slot": said.slot, "provider": said.provider_id, "refused": said.refused}


def order_image(record: Record) -> Image:
    """A claim as its provider's agent needs it."""
    return {
        **image_of_claim(record),
        "instance": record.instance,
        "release_requested": record.release_requested,
    }


def destroy_image(record: Record) -> Image:
    """An instance that is to be destroyed; amounts are positive, what it gives back."""
    return {
        "claim_id": record.id,
        "request_id": record.request_id,
        "provider": record.provider_id,
        "consumer": record.consumer,
        "amounts": dict(record.gives_back),
        "instance": record.instance,
    }


def running_image(record: Record) -> Image:
    """An instance as its provider's agent needs it, to hold it against what it runs."""
    return {**destroy_image(record), "project": record.project, "state": record.state}


def instance_image(record: Record) -> Image:
    """What a consumed claim became; amounts are positive, what it uses."""
    return {
        "claim_id": record.id,
        "provider": record.provider_id,
        "provider_name": record.provider_name,
        "cell": record.home.cell,
        "resource_class": record.resource_class,
        "amounts": dict(record.gives_back),
        "state": record.state,
        "created_at": record.created_at,
    }


_STATES_1_0 = {HELD: SCHEDULING, NOTIFIED: CLAIMED, RESCHEDULING: SCHEDULING}  # what came with 1.2, before it


def request_image(view: RequestView, request: HttpRequest) -> Image:
    return {
        "request_id": view.request_id,
        "state": view.state if at_least(request, "1.2") else _STATES_1_0.get(view.state, view.state),
        "cell": view.cell,
        "project": view.project,
        "consumer": view.consumer,
        "reason": view.reason,
        "attempts": max(view.attempts, 1 if view.parts else 0),  # the row counts only what needed more than one
        "created_at": view.created_at,
        "updated_at": view.updated_at,
        "claims": [image_of_claim(r) for r in view.records if r.kind == CLAIM],
        "instances": [instance_image(r) for r in view.records if r.kind == INSTANCE],
    }


def request_life_image(view: RequestView, request: HttpRequest) -> Image:
    """A request with its history and what was asked for."""
    image = request_image(view, request)
    image["history"] = life_of(view)
    image["request"] = dict(view.body)
    image["requested_by"] = view.username
    if view.explanation is not None:
        image["explain"] = explanation_image(view.explanation, request)
    if at_least(request, "1.2"):
        image["failures"] = [_failure_image(one) for one in view.failures]
    if at_least(request, "1.1"):
        image["decision"] = view.plan.decided if view.plan else None
    return image


def _failure_image(one: Failure) -> Image:
    names = {"provider": one.provider_id, "provider_name": one.provider_name}
    return {"at": one.at, "member": one.member, **names, "reason": one.reason}


_STAGES_1_0 = {"alive", "state", "aggregates", "traits", "properties", "group", "capacity", "same_tree"}
_EXPLAINED_1_0 = ("considered", "funnel", "nearest", "resource_class", "query", "search")


def explanation_image(explanation: Mapping[str, Any], request: HttpRequest) -> Mapping[str, Any]:
    """As the client's version has it: before 1.1 without what came with it, and without stages that removed nobody."""
    if at_least(request, "1.1"):
        return explanation
    old = {name: explanation[name] for name in _EXPLAINED_1_0 if name in explanation}
    stages = old.get("funnel", ())
    return {**old, "funnel": [one for one in stages if one["removed"] or one["stage"] in _STAGES_1_0]}


def ranked_image(ranked: Ranked) -> Image:
    candidate = ranked.candidate
    return {
        "provider": candidate.provider_id,
        "name": candidate.name,
        "cell": candidate.cell,
        "weight": ranked.weight,
        "weights": dict(ranked.weights),
        "available": dict(candidate.available),
        "state_version": candidate.state_version,
    }


def versioned_image(ranked: Ranked) -> Image:
    """With what a plan of one's own names, since 1.1."""
    candidate = ranked.candidate
    versions = {"root_state_version": candidate.root_state_version, "generation": candidate.generation}
    return {**ranked_image(ranked), **versions}


def step_image(step: Step) -> Image:
    return {
        "provider": step.provider_id,
        "state_version": step.state_version,
        "root_state_version": step.root_state_version,
        "generation": step.generation,
    }


def event_image(event: Event) -> Image:
    return {
        "id": event.id,
        "type": event.type,
        "at": event.at,
        "cell": event.cell,
        "provider": event.provider_id,
        "resource_class": event.resource_class,
        "claim_id": event.claim_id,
        "request_id": event.request_id,
        "generation": event.generation,
        "data": dict(event.data),
        "image": provider_image(event.image) if event.image else None,
    }

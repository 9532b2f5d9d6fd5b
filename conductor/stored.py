"""A request as its row keeps it, to be decided on again. The body was checked when it came in."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from conductor.membership import group_of
from conductor.rows import RequestRow
from conductor.types import ScheduleRequest
from scheduler.types import Condition, Resource


def stored_request(row: RequestRow) -> ScheduleRequest:
    """What was asked for; without its id, because what is made of it belongs to the row that is there."""
    body = row.body
    filters, weighers = body.get("filters"), body.get("weighers")
    return ScheduleRequest(
        consumer=row.consumer,
        project=row.project,
        resources=tuple(_resource(one) for one in body["resources"]),
        body=body,
        username=row.username,
        cell=body.get("cell") or "",
        count=body.get("count") or 1,
        all_or_nothing=body.get("all_or_nothing") is not False,
        instance=body.get("instance"),
        group=group_of(row),
        same_host_as=frozenset(map(UUID, body.get("same_host_as") or ())),
        different_host_from=frozenset(map(UUID, body.get("different_host_from") or ())),
        filters=None if filters is None else tuple(sorted(filters)),
        weighers=None if weighers is None else {name: float(value) for name, value in weighers.items()},
        search=body.get("search") or "sample",
    )


def _resource(one: Mapping[str, Any]) -> Resource:
    given: Mapping[str, Any] = one.get("properties") or {}
    conditions = [
        Condition(name, operator, tuple(value) if isinstance(value, list) else value)
        for name, operators in given.items()
        if isinstance(operators, dict)
        for operator, value in operators.items()
    ]
    return Resource(
        resource_class=one["resource_class"],
        amounts={name: amount for name, amount in one["amounts"].items() if amount},
        properties={name: value for name, value in given.items() if not isinstance(value, dict)},
        required=frozenset(one.get("required") or ()),
        forbidden=frozenset(one.get("forbidden") or ()),
        aggregates=frozenset(one.get("aggregates") or ()),
        conditions=tuple(conditions),
        any_of=tuple(frozenset(some) for some in one.get("any_of") or ()),
    )

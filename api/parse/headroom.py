"""The shape that headroom is asked of: one resource of a schedule request, in a body or spelled out in a query."""

from typing import Any

from api.fields import LARGEST, Fields
from api.parse.schedule import DEFAULT_PROJECT, resource_in
from api.problems import invalid
from api.query import Query
from conductor.types import ScheduleRequest
from providers.refusals import NotFound
from providers.resource_classes.registry import resource_class

LISTS = ("required", "forbidden", "aggregates")


def shape_in_body(body: Fields) -> ScheduleRequest:
    """Raises Refused."""
    cell = body.label("cell", "")
    project = body.label("project", DEFAULT_PROJECT)
    resource = resource_in(body)
    if body.errors:
        raise invalid(body.errors[:100])
    return ScheduleRequest(consumer="", project=project, resources=(resource,), body={}, username="", cell=cell)


def shape_in_query(query: Query) -> ScheduleRequest:
    """Each amount of the class is a parameter, lists are divided by commas. Raises Refused."""
    shape: dict[str, Any] = {"resource_class": query.label("resource_class"), "amounts": {}}
    for column in _columns(shape["resource_class"]):
        if column in query:
            shape["amounts"][column] = query.count(column, 0, 0, LARGEST)
    shape |= {name: query.label(name).split(",") for name in LISTS if name in query}
    shape |= {name: query.label(name) for name in ("cell", "project") if name in query}
    query.done()
    return shape_in_body(Fields(shape))


def _columns(name: str) -> tuple[str, ...]:
    try:
        return resource_class(name).amounts if name else ()
    except NotFound:
        return ()

"""A schedule request. On the hot path: plain Python, one pass, no serializer."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.conf import settings

from api.answers import encode
from api.fields import Fields, wrong_with_label
from claims.groups import POLICIES, SCOPES, Group
from conductor.decide import BOUND
from conductor.identify import derive_request_id
from conductor.types import ScheduleRequest
from providers.inventory import check_properties
from providers.refusals import Invalid, NotFound
from providers.resource_classes.kind import ResourceClass
from providers.resource_classes.registry import resource_class
from scheduler.types import PropertyValue, Resource

RESOURCES = 16
SEARCHES = ("sample", "all")
INSTANCE_BYTES = 8192  # it is copied into every claim of the request
MULTIPLIER = 1e6
DEFAULT_PROJECT = "default"


def schedule_request(
    data: dict[str, Any], body: Fields, key: str | None, username: str
) -> tuple[ScheduleRequest, bool]:
    """The request, and whether it is a dry run. `key` is the Idempotency-Key header. Raises Refused."""
    count = body.whole("count", 1, least=1, most=settings.SCHEDULE_MAX_COUNT)
    resources = tuple(_resource(one) for one in body.sections("resources", RESOURCES))
    if resources and count * len(resources) > settings.SCHEDULE_MAX_COUNT:
        body.wrong("count", f"makes more than {settings.SCHEDULE_MAX_COUNT} claims")
    dry_run = body.flag("dry_run", False)
    project = body.label("project", DEFAULT_PROJECT)
    found = ScheduleRequest(
        consumer=body.label("consumer"),
        project=project,
        resources=resources,
        body=data,
        username=username,
        request_id=_request_id(body, key, username),
        cell=body.label("cell", "") if body.take("cell", None) is not None else "",
        count=count,
        all_or_nothing=body.flag("all_or_nothing", True),
        instance=_instance(body),
        filters=_filters(body),
        weighers=_weighers(body),
        search=body.choice("search", SEARCHES, "sample"),
        explain=body.flag("explain", False),
        group=_group(body, project, resources),
    )
    body.done()
    return found, dry_run


def _group(body: Fields, project: str, resources: Sequence[Resource]) -> Group | None:
    named = body.section("group", None)
    if named is None:
        return None
    found = Group(
        project, named.label("id"), named.choice("policy", POLICIES), named.choice("scope", SCOPES, SCOPES[0])
    )
    named.end()
    if sum(resource.resource_class == BOUND for resource in resources) != 1:
        body.wrong("group", f"binds the {BOUND} resource: there must be exactly one of that class")
    return found


def _request_id(body: Fields, key: str | None, username: str) -> UUID | None:
    given = body.uuid("request_id", None)
    if key is None:
        return given
    message = wrong_with_label(key)
    if message:
        body.wrong("Idempotency-Key", message)
        return given
    derived = derive_request_id(username, key)
    if given is not None and given != derived:
        body.wrong("request_id", "and Idempotency-Key name different requests: send one of them")
    return derived


def _resource(one: Fields) -> Resource:
    name = one.label("resource_class")
    amounts = one.wholes("amounts")
    found = Resource(
        resource_class=name,
        amounts={column: amount for column, amount in amounts.items() if amount},
        properties=_properties(one),
        required=one.labels("required"),
        forbidden=one.labels("forbidden"),
        aggregates=one.labels("aggregates"),
    )
    one.end()
    of_class = _class(one, name)
    if of_class is not None:
        _check_amounts(one, of_class, amounts)
        _check_properties(one, of_class, found.properties)
    return found


def _class(one: Fields, name: str) -> ResourceClass | None:
    if not name:
        return None
    try:
        return resource_class(name)
    except NotFound as error:
        one.wrong("resource_class", str(error))
        return None


def _check_amounts(one: Fields, of_class: ResourceClass, amounts: Mapping[str, int]) -> None:
    unknown = [name for name in amounts if name not in of_class.amounts]
    for name in unknown:
        one.wrong(f"amounts.{name}", f"is not an amount of {of_class.name}: {', '.join(of_class.amounts)}")
    if unknown or one.errors:
        return
    if not any(amounts.values()):
        one.wrong("amounts", "must ask for more than 0 of something")
    elif of_class.indivisible and any(amount > 1 for amount in amounts.values()):
        one.wrong("amounts", f"a {of_class.name} provider is indivisible: {of_class.amounts[0]} is 1")


def _check_properties(one: Fields, of_class: ResourceClass, properties: Mapping[str, PropertyValue]) -> None:
    try:
        check_properties(of_class, properties)
    except Invalid as error:
        one.wrong(error.field, error.message)


def _properties(one: Fields) -> dict[str, PropertyValue]:
    section = one.section("properties", None)
    if section is None:
        return {}
    names = section.labelled()
    return {n: section.label(n) if isinstance(section.take(n), str) else section.whole(n) for n in names}


def _instance(body: Fields) -> Mapping[str, Any] | None:
    section = body.section("instance", None)
    if section is None:
        return None
    section.label("name", None)
    section.label("image", None)
    metadata = section.section("metadata", None)
    if metadata is not None:
        metadata.labelled()
    section.end()
    given: Mapping[str, Any] = body.take("instance")
    try:
        size = len(encode(given))
    except UnicodeEncodeError:  # half of a surrogate pair, as an escape
        body.wrong("instance", "has text that is not Unicode")
        return None
    if size > INSTANCE_BYTES:
        body.wrong("instance", f"may have {INSTANCE_BYTES} bytes, but has {size}")
    return given


def _filters(body: Fields) -> tuple[str, ...] | None:
    if body.take("filters", None) is None:
        return None
    return tuple(sorted(body.labels("filters")))


def _weighers(body: Fields) -> dict[str, float] | None:
    section = body.section("weighers", None)
    if section is None:
        return None
    found = {}
    for name in section.labelled():
        value = section.take(name)
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= MULTIPLIER:
            section.wrong(name, f"must be a number from {-MULTIPLIER:g} to {MULTIPLIER:g}")
        else:
            found[name] = float(value)
    return found

"""A schedule request. On the hot path: plain Python, one pass, no serializer."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.conf import settings

from api.answers import encode
from api.fields import Fields, parse_uuid, wrong_with_label, wrong_with_whole
from claims.groups import POLICIES, POLICIES_1_1, SCOPES, Group
from conductor.identify import derive_request_id
from conductor.types import ScheduleRequest
from conductor.wish import BOUND
from providers.aggregates import MULTIPLIER
from providers.inventory import check_properties
from providers.refusals import Invalid, NotFound
from providers.resource_classes.kind import INTEGER, ResourceClass
from providers.resource_classes.registry import resource_class
from scheduler.types import AT_LEAST, AT_MOST, ONE_OF, OPERATORS, SPREAD, Condition, PropertyValue, Resource

RESOURCES = 16
NAMED = 100  # requests, values or traits in one list
SEARCHES = ("sample", "all")
INSTANCE_BYTES = 8192  # it is copied into every claim of the request
DEFAULT_PROJECT = "default"


def schedule_request(
    data: dict[str, Any], body: Fields, key: str | None, username: str, since_1_1: bool = True
) -> tuple[ScheduleRequest, bool]:
    """The request, and whether it is a dry run. `key` is the Idempotency-Key header; without `since_1_1` what that
    version brought is unknown. Raises Refused."""
    count = body.whole("count", 1, least=1, most=settings.SCHEDULE_MAX_COUNT)
    resources = tuple(resource_in(one, since_1_1) for one in body.sections("resources", RESOURCES))
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
        weighers=multipliers(body),
        search=body.choice("search", SEARCHES, "sample"),
        explain=body.flag("explain", False),
        group=_group(body, project, resources, since_1_1),
        same_host_as=_requests(body, "same_host_as") if since_1_1 else frozenset(),
        different_host_from=_requests(body, "different_host_from") if since_1_1 else frozenset(),
    )
    body.done()
    return found, dry_run


def _requests(body: Fields, name: str) -> frozenset[UUID]:
    """Ids of requests that this one is to be with or apart from."""
    found = {label: parse_uuid(label) for label in body.labels(name)}
    if len(found) > NAMED:
        body.wrong(name, f"may name {NAMED} requests")
    for label, one in found.items():
        if one is None:
            body.wrong(name, f"{label[:40]} is not a UUID")
    return frozenset(one for one in found.values() if one is not None)


def _group(body: Fields, project: str, resources: Sequence[Resource], since_1_1: bool) -> Group | None:
    named = body.section("group", None)
    if named is None:
        return None
    found = Group(
        project,
        named.label("id"),
        named.choice("policy", POLICIES_1_1 if since_1_1 else POLICIES),
        named.choice("scope", SCOPES, SCOPES[0]),
        named.whole("max_skew", 1, least=1, most=1000) if since_1_1 else 1,
    )
    if "max_skew" in named and found.policy != SPREAD:
        named.wrong("max_skew", f"is for the policy {SPREAD}")
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


def resource_in(one: Fields, since_1_1: bool = True) -> Resource:
    """One of the `resources`; its mistakes are noted."""
    name = one.label("resource_class")
    amounts = one.wholes("amounts")
    equal, conditions = _properties(one, since_1_1)
    found = Resource(
        resource_class=name,
        amounts={column: amount for column, amount in amounts.items() if amount},
        properties=equal,
        required=one.labels("required"),
        forbidden=one.labels("forbidden"),
        aggregates=one.labels("aggregates"),
        conditions=conditions,
        any_of=_any_of(one) if since_1_1 else (),
    )
    one.end()
    of_class = _class(one, name)
    if of_class is not None:
        _check_amounts(one, of_class, amounts)
        _check_properties(one, of_class, found.properties)
        for condition in conditions:
            _check_condition(one, of_class, condition)
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


def _check_condition(one: Fields, of_class: ResourceClass, condition: Condition) -> None:
    values = condition.value if isinstance(condition.value, tuple) else (condition.value,)
    for value in values:
        _check_properties(one, of_class, {condition.property: value})
    column = of_class.properties.get(condition.property)
    if column is not None and column.type != INTEGER and condition.operator in (AT_LEAST, AT_MOST):
        one.wrong(f"properties.{condition.property}", f"is text: {condition.operator} is for numbers")


def _properties(one: Fields, since_1_1: bool) -> tuple[dict[str, PropertyValue], tuple[Condition, ...]]:
    """Those that must be equal, and the other conditions: an object of operators instead of a value."""
    section = one.section("properties", None)
    equal: dict[str, PropertyValue] = {}
    conditions: list[Condition] = []
    for name in section.labelled() if section else ():
        assert section is not None
        given = section.take(name)
        if since_1_1 and isinstance(given, dict):
            conditions += _conditions(section, name)
        else:
            equal[name] = section.label(name) if isinstance(given, str) else section.whole(name)
    return equal, tuple(conditions)


def _conditions(section: Fields, name: str) -> list[Condition]:
    operators = section.section(name)
    assert operators is not None
    found: list[Condition] = []
    if not operators.names():
        section.wrong(name, f"must have an operator: {', '.join(OPERATORS)}")
    for operator in operators.names():
        given = operators.take(operator)
        if operator not in OPERATORS:
            operators.wrong(operator, f"is no operator; there are {', '.join(OPERATORS)}")
        elif operator == ONE_OF:
            if not isinstance(given, list) or not 1 <= len(given) <= NAMED:
                operators.wrong(operator, f"must be a list of 1 to {NAMED} values")
                continue
            message = next((wrong for value in given if (wrong := _wrong_with_value(value))), "")
            if message:
                operators.wrong(operator, message)
            else:
                found.append(Condition(name, operator, tuple(given)))
        else:
            value = operators.label(operator) if isinstance(given, str) else operators.whole(operator)
            found.append(Condition(name, operator, value))
    return found


def _wrong_with_value(value: Any) -> str:
    return wrong_with_label(value) if isinstance(value, str) else wrong_with_whole(value)


def _any_of(one: Fields) -> tuple[frozenset[str], ...]:
    given = one.take("any_of", [])
    if not isinstance(given, list) or len(given) > RESOURCES:
        one.wrong("any_of", f"must be a list of up to {RESOURCES} lists of traits")
        return ()
    found = []
    for index, some in enumerate(given):
        if not isinstance(some, list) or not 1 <= len(some) <= NAMED:
            one.wrong(f"any_of.{index}", f"must be a list of 1 to {NAMED} traits")
            continue
        message = next((wrong for trait in some if (wrong := wrong_with_label(trait))), "")
        if message:
            one.wrong(f"any_of.{index}", message)
        else:
            found.append(frozenset(some))
    return tuple(found)


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


def multipliers(body: Fields) -> dict[str, float] | None:
    """The `weighers` of a body."""
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

"""An aggregate, as it is made or changed, and who goes in and out of it."""

from uuid import UUID

from api.fields import Fields, parse_uuid
from api.parse.cell import DESCRIPTION
from api.parse.schedule import multipliers
from providers.aggregate_members import AT_ONCE
from providers.aggregates import Changes


def new_aggregate(body: Fields) -> tuple[str, Changes]:
    """Its name, and the rest."""
    found = body.label("name"), _changes(body)
    body.done()
    return found


def aggregate_change(body: Fields) -> tuple[int, Changes]:
    """The version it was based on, and the changes."""
    if "name" in body:
        body.take("name")
        body.wrong("name", "cannot be changed: make another aggregate")
    version, changes = body.whole("version", least=1), _changes(body)
    if changes == Changes():
        body.wrong("", "names nothing to change")
    body.done()
    return version, changes


def members_change(body: Fields) -> tuple[list[UUID], list[UUID]]:
    """Who goes in, and who out."""
    found = _providers(body, "add"), _providers(body, "remove")
    body.done()
    return found


def _changes(body: Fields) -> Changes:
    return Changes(
        body.label("description", None, least=0, most=DESCRIPTION),
        body.labels("tenants") if "tenants" in body else None,
        body.labels("images") if "images" in body else None,
        multipliers(body),
    )


def _providers(body: Fields, name: str) -> list[UUID]:
    value = body.take(name, [])
    if not isinstance(value, list) or len(value) > AT_ONCE:
        body.wrong(name, f"must be a list of up to {AT_ONCE} ids of providers")
        return []
    found = [parse_uuid(item) for item in value]
    for index, one in enumerate(found):
        if one is None:
            body.wrong(f"{name}.{index}", "must be a UUID")
    return list(dict.fromkeys(one for one in found if one is not None))

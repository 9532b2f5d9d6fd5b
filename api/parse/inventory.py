"""Reserved amounts and ratios of many providers: those that are named, or those of an aggregate."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from api.fields import Fields, parse_uuid
from api.parse.provider import RATIO
from providers.amounts import AT_ONCE, Kept


@dataclass(frozen=True, slots=True)
class Wanted:
    """`providers`, or the members of `aggregate` of one class (in one cell)."""

    providers: list[UUID]
    aggregate: str
    resource_class: str
    cell: str
    kept: Mapping[str, Kept]
    preview: bool


def kept_amounts(body: Fields) -> Wanted:
    providers = _providers(body) if "providers" in body else []
    if ("providers" in body) == ("aggregate" in body):
        body.wrong("providers", "or `aggregate`: one of them says whose amounts these are")
    is_named = "providers" in body
    found = Wanted(
        providers,
        body.label("aggregate", ""),
        body.label("resource_class", "") if is_named else body.label("resource_class"),
        body.label("cell", ""),
        _kept(body),
        body.flag("preview", False),
    )
    for name in ("resource_class", "cell"):
        if is_named and name in body:
            body.wrong(name, "goes with `aggregate`")
    body.done()
    return found


def _providers(body: Fields) -> list[UUID]:
    given = body.take("providers")
    if not isinstance(given, list) or not 1 <= len(given) <= AT_ONCE:
        body.wrong("providers", f"must be a list of 1 to {AT_ONCE} ids")
        return []
    found = [parse_uuid(one) for one in given]
    for index, one in enumerate(found):
        if one is None:
            body.wrong(f"providers.{index}", "must be a UUID")
    return [one for one in found if one is not None]


def _kept(body: Fields) -> dict[str, Kept]:
    section = body.section("inventory")
    found: dict[str, Kept] = {}
    for name in section.labelled() if section is not None else ():
        entry = section.section(name) if section is not None else None
        if entry is None:
            continue
        reserved = entry.whole("reserved") if "reserved" in entry else None
        ratio = entry.number("allocation_ratio", None, 0, RATIO) if "allocation_ratio" in entry else None
        if reserved is None and ratio is None:
            body.wrong(f"inventory.{name}", "names neither `reserved` nor `allocation_ratio`")
        entry.end()
        found[name] = Kept(reserved, ratio)
    if section is not None and not found:
        body.wrong("inventory", "names nothing to set")
    return found

"""What a resource class is: names, units and kinds of its columns, and the query that a request becomes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from uuid import UUID

from scheduler.filters.kind import Filter
from scheduler.fits import fits
from scheduler.types import AT_LEAST, AT_MOST, EQUAL, Candidate, Condition, PropertyValue, Refusal, Resource

AMOUNT, PROPERTY = "amount", "property"
INTEGER, STRING = "integer", "string"
NIL = UUID(int=0)
Row = Mapping[str, Any]

# The columns of the capacity table that every class has and a decision needs.
COMMON = tuple(
    "root_id provider_id parent_id cell resource_class shard generation name state state_reason state_version "
    "root_state root_state_version root_resource_class root_shard root_heartbeat traits aggregates rack zone "
    "heartbeat".split()
)
COUNTS = ("claims", "instances")


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a class: an amount (consumable, whole numbers of `unit`) or a property."""

    name: str
    unit: str
    kind: str
    type: str = INTEGER


# CQL has no `!=`, and filters no `IN` beside a range of the clustering columns.
_IN_CQL = {EQUAL: "=", AT_LEAST: ">=", AT_MOST: "<="}


def _condition(one: Condition) -> tuple[str, Any]:
    return f"prop_{one.property} {_IN_CQL[one.operator]} ?", one.value


def amount(name: str, unit: str) -> Column:
    return Column(name, unit, AMOUNT)


def text_property(name: str) -> Column:
    return Column(name, "", PROPERTY, STRING)


def integer_property(name: str, unit: str) -> Column:
    return Column(name, unit, PROPERTY, INTEGER)


@dataclass(frozen=True)
class ResourceClass:
    """A type of provider. `custom` classes (an operator's own) keep their amounts and properties in maps, which have
    neither arithmetic nor range conditions in CQL: filtered by `fits`, claimed under `IF generation = ?`."""

    name: str
    columns: tuple[Column, ...]
    custom: bool = False
    indivisible: bool = False  # one claim takes the whole provider (bare metal)
    closed: bool = field(default=False, compare=False)  # an operator's own that was deleted

    # Computed once per class: every row of every sample asks for them.
    @cached_property
    def amounts(self) -> tuple[str, ...]:
        return tuple(c.name for c in self.columns if c.kind == AMOUNT)

    @cached_property
    def properties(self) -> dict[str, Column]:
        return {c.name: c for c in self.columns if c.kind == PROPERTY}

    @cached_property
    def _amount_columns(self) -> dict[str, tuple[tuple[str, str], ...]]:
        prefixes = ("", "available_", "total_", "reserved_")
        return {prefix: tuple((name, f"{prefix}{name}") for name in self.amounts) for prefix in prefixes}

    @cached_property
    def _property_columns(self) -> tuple[tuple[str, str], ...]:
        return tuple((name, f"prop_{name}") for name in self.properties)

    def select(self) -> list[str]:
        """The columns of the capacity table that a decision about this class reads."""
        if self.custom:
            return [*COMMON, *COUNTS, "own_available", "own_amounts", "own_total", "own_properties"]
        amounts = [f"{prefix}{name}" for name in self.amounts for prefix in ("", "available_", "total_")]
        return [*COMMON, *COUNTS, *amounts, *(f"prop_{name}" for name in self.properties)]

    def sampled(self, resource: Resource, every_amount: bool) -> list[str]:
        """What a row must say of amounts and properties when the query has seen to the rest: a column that nobody looks
        at costs as much as one that decides."""
        if self.custom:
            asked = bool(resource.properties or resource.conditions)
            return ["own_available", "own_total", *(["own_properties"] if asked else [])]
        amounts = [name for name in self.amounts if every_amount or resource.amounts.get(name)]
        properties = {*resource.properties, *(one.property for one in resource.conditions)}
        columns = [f"{prefix}{name}" for name in amounts for prefix in ("available_", "total_")]
        return [*columns, *(f"prop_{name}" for name in sorted(properties & self.properties.keys()))]

    def query(self, resource: Resource, filters: Sequence[Filter]) -> tuple[str, list[Any]]:
        """The request and the enabled filters as a WHERE clause in one shard: CQL (starting with AND) and values."""
        parts: list[tuple[str, Any]] = []
        pushed = {f.name for f in filters if f.pushed_down}
        if "state" in pushed:
            parts += [("state = ?", "enabled"), ("root_state = ?", "enabled")]
        if "capacity" in pushed and not self.custom:
            parts += [(f"available_{n} >= ?", v) for n, v in sorted(resource.amounts.items()) if v]
        if "properties" in pushed and not self.custom:
            parts += [(f"prop_{n} = ?", v) for n, v in sorted(resource.properties.items())]
            parts += [_condition(one) for one in resource.conditions if one.operator in _IN_CQL]
        if "traits" in pushed:
            parts += [("traits CONTAINS ?", trait) for trait in sorted(resource.required)]
        return "".join(f" AND {cql}" for cql, _ in parts), [value for _, value in parts]

    def leaves(self, resource: Resource) -> bool:
        """Whether the query leaves something for Python's filters to refuse."""
        asked = resource.aggregates or resource.forbidden or resource.any_of or resource.not_on or resource.kept_for
        return bool(self.custom or asked or any(one.operator not in _IN_CQL for one in resource.conditions))

    def compare(self, candidate: Candidate, resource: Resource) -> Refusal | None:
        """None when the provider does for the request, else why not."""
        return fits(candidate, resource)

    def amounts_of(self, row: Row, prefix: str = "") -> dict[str, int]:
        """The row's amounts: "" its own record, "available_" the sum, "total_" and "reserved_" as they say."""
        if self.custom:
            return dict(row.get(f"own_{prefix.rstrip('_') or 'amounts'}") or {})
        return {name: row[column] or 0 for name, column in self._amount_columns[prefix] if column in row}

    def ratios_of(self, row: Row) -> dict[str, float]:
        if self.custom:
            return dict(row.get("own_ratio") or {})
        return {name: row[f"ratio_{name}"] for name in self.amounts if row.get(f"ratio_{name}") is not None}

    def properties_of(self, row: Row) -> dict[str, PropertyValue]:
        if self.custom:
            stored = row.get("own_properties") or {}
            known = {n: v for n, v in stored.items() if n in self.properties}
            return {n: int(v) if self.properties[n].type == INTEGER else v for n, v in known.items()}
        return {name: row[column] for name, column in self._property_columns if row.get(column) is not None}

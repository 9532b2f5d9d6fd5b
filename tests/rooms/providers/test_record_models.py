"""The engine's models, the resource classes and the schema in Cassandra say the same."""

from typing import Any

import pytest

from conductor.models import PolicyDifferenceRecord, PolicyRecord
from events.models import EventRecord
from providers.models import (
    RECORDS,
    AggregateRecord,
    CellRecord,
    HeartbeatRecord,
    MaintenanceRecord,
    OwnClassRecord,
    ProviderRecord,
    ResourceClassRecord,
)
from providers.resource_classes.kind import STRING
from providers.resource_classes.registry import BUILT_IN
from store.session import datacenters, keyspace, session

CQL_TYPES = "SELECT column_name, type, kind FROM system_schema.columns WHERE keyspace_name = %s AND table_name = %s"


def schema(space: str, table: str) -> dict[str, tuple[str, str]]:
    return {row["column_name"]: (row["type"], row["kind"]) for row in session().execute(CQL_TYPES, (space, table))}


def shape(model: Any) -> dict[str, tuple[str, str]]:
    kinds = {}
    for column in model._columns.values():
        key = "partition_key" if column.partition_key else "clustering" if column.primary_key else "regular"
        kinds[column.db_field_name] = (column.db_type, "static" if column.static else key)
    return kinds


@pytest.mark.parametrize("model", [ProviderRecord, *RECORDS.values(), OwnClassRecord])
def test_a_record_has_columns_of_the_table(cassandra: object, model: type[ProviderRecord]) -> None:
    table = schema(keyspace(datacenters()[0]), "provider_records")
    assert {name: table.get(name) for name in shape(model)} == shape(model)


def test_together_the_classes_know_every_column(cassandra: object) -> None:
    known = {name for model in (*RECORDS.values(), OwnClassRecord) for name in model.column_names()}
    assert known == set(schema(keyspace(datacenters()[0]), "provider_records"))


@pytest.mark.parametrize(
    "model", [CellRecord, ResourceClassRecord, AggregateRecord, PolicyRecord, PolicyDifferenceRecord]
)
def test_a_global_record_has_all_columns_of_its_table(cassandra: object, model: Any) -> None:
    assert shape(model) == schema(keyspace(), model.__table_name__)


@pytest.mark.parametrize("model", [HeartbeatRecord, EventRecord, MaintenanceRecord])
def test_a_record_of_a_data_centre_has_all_columns_of_its_table(cassandra: object, model: Any) -> None:
    assert shape(model) == schema(keyspace(datacenters()[0]), model.__table_name__)


@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_a_class_and_its_model_have_the_same_columns(name: str) -> None:
    of_class, model = BUILT_IN[name], RECORDS[name]
    prefixes = ("", "total_", "reserved_", "ratio_", "available_")
    wanted = {f"{prefix}{amount}" for amount in of_class.amounts for prefix in prefixes}
    wanted |= {f"prop_{name}" for name in of_class.properties}
    assert set(model.column_names()) - set(ProviderRecord.column_names()) == wanted
    for name, column in of_class.properties.items():
        assert model._columns[f"prop_{name}"].db_type == ("text" if column.type == STRING else "bigint")

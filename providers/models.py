"""The shape of supply as engine models, for the admin and simple reads. All resource classes share one table.

`store/schema/*.cql` is the schema's truth; a test compares these with what Cassandra says it has. Nothing here writes:
see register, change and remove.
"""

from typing import Any

from providers.resource_classes.kind import INTEGER, ResourceClass
from providers.resource_classes.registry import BUILT_IN
from store.record_model import GLOBAL, PER_DATACENTER, RecordModel, columns


class ProviderRecord(RecordModel):
    """Any row of `provider_records`, with the columns that every class has: own rows, claims, instances, closed ids."""

    __table_name__ = "provider_records"
    __scope__ = PER_DATACENTER
    __written_by__ = "providers.register, providers.change, providers.remove and claims.*"

    root_id = columns.UUID(partition_key=True)
    provider_id = columns.UUID(primary_key=True)
    record_id = columns.UUID(primary_key=True)
    generation = columns.BigInt(static=True)
    kind = columns.Text()
    state = columns.Text()
    cell = columns.Text()
    resource_class = columns.Text()
    shard = columns.Integer()
    name = columns.Text()
    parent_id = columns.UUID()
    state_reason = columns.Text()
    state_version = columns.BigInt()
    touched = columns.UUID()
    traits = columns.Set(columns.Text)
    aggregates = columns.Set(columns.Text)
    rack = columns.Text()
    zone = columns.Text()
    heartbeat = columns.Text()
    created_at = columns.DateTime()
    expires_at = columns.DateTime()
    request_id = columns.UUID()
    epoch = columns.Integer()
    member = columns.Integer()
    consumer = columns.Text()
    project = columns.Text()
    release_requested = columns.Boolean()
    gives_back = columns.Map(columns.Text, columns.BigInt)
    instance = columns.Text()

    class Meta:
        app_label = "providers"
        managed = False


class OwnClassRecord(ProviderRecord):
    """A row of an operator's own class: amounts and properties in maps."""

    own_amounts = columns.Map(columns.Text, columns.BigInt)
    own_total = columns.Map(columns.Text, columns.BigInt)
    own_reserved = columns.Map(columns.Text, columns.BigInt)
    own_ratio = columns.Map(columns.Text, columns.Double)
    own_available = columns.Map(columns.Text, columns.BigInt)
    own_properties = columns.Map(columns.Text, columns.Text)

    class Meta:
        app_label = "providers"
        managed = False
        verbose_name = "provider of an own class"
        verbose_name_plural = "providers of own classes"


def record_model(of_class: ResourceClass, model_name: str, title: str) -> type[ProviderRecord]:
    """The engine model of a built-in class: the common columns and those that the class defines."""
    meta = type("Meta", (), {"app_label": "providers", "managed": False, "verbose_name": title})
    own: dict[str, Any] = {"__module__": __name__, "__doc__": f"A row of class {of_class.name}.", "Meta": meta}
    for name in of_class.amounts:
        own |= {f"{prefix}{name}": columns.BigInt() for prefix in ("", "total_", "reserved_", "available_")}
        own[f"ratio_{name}"] = columns.Double()
    for name, column in of_class.properties.items():
        own[f"prop_{name}"] = columns.BigInt() if column.type == INTEGER else columns.Text()
    metaclass: Any = type(ProviderRecord)
    made: type[ProviderRecord] = metaclass(model_name, (ProviderRecord,), own)
    return made


ComputeRecord = record_model(BUILT_IN["compute"], "ComputeRecord", "compute provider")
BaremetalRecord = record_model(BUILT_IN["baremetal"], "BaremetalRecord", "bare metal provider")
BlockStorageRecord = record_model(BUILT_IN["block_storage"], "BlockStorageRecord", "block storage provider")
NetworkRecord = record_model(BUILT_IN["network"], "NetworkRecord", "network provider")
RECORDS = {
    "compute": ComputeRecord,
    "baremetal": BaremetalRecord,
    "block_storage": BlockStorageRecord,
    "network": NetworkRecord,
}


class CellRecord(RecordModel):
    """A cell."""

    __table_name__ = "cells"
    __scope__ = GLOBAL
    __written_by__ = "providers.cells"

    all_cells = columns.Text(partition_key=True)
    name = columns.Text(primary_key=True)
    datacenter = columns.Text()
    number = columns.Integer()
    state = columns.Text()
    description = columns.Text()
    created_at = columns.DateTime()

    class Meta:
        app_label = "providers"
        managed = False
        verbose_name = "cell"


class ResourceClassRecord(RecordModel):
    """An operator's own resource class."""

    __table_name__ = "resource_classes"
    __scope__ = GLOBAL
    __written_by__ = "providers.resource_classes.custom"

    all_classes = columns.Text(partition_key=True)
    name = columns.Text(primary_key=True)
    columns_json = columns.Text(db_field="columns")
    closed = columns.Boolean()
    created_at = columns.DateTime()

    class Meta:
        app_label = "providers"
        managed = False
        verbose_name = "resource class"
        verbose_name_plural = "resource classes"


class AggregateRecord(RecordModel):
    """An aggregate; its members carry its name as a label."""

    __table_name__ = "aggregates"
    __scope__ = GLOBAL
    __written_by__ = "providers.aggregates"

    all_aggregates = columns.Text(partition_key=True)
    name = columns.Text(primary_key=True)
    description = columns.Text()
    tenants = columns.Set(columns.Text)
    images = columns.Set(columns.Text)
    weighers = columns.Map(columns.Text, columns.Double)
    version = columns.Integer()
    touched = columns.UUID()
    created_at = columns.DateTime()

    class Meta:
        app_label = "providers"
        managed = False
        verbose_name = "aggregate"


class HeartbeatRecord(RecordModel):
    """When a provider's agent was heard from last."""

    __table_name__ = "heartbeats"
    __scope__ = PER_DATACENTER
    __written_by__ = "providers.heartbeat"

    cell = columns.Text(partition_key=True)
    resource_class = columns.Text(partition_key=True)
    shard = columns.Integer(partition_key=True)
    provider_id = columns.UUID(primary_key=True)
    seen_at = columns.DateTime()
    failed_builds = columns.Set(columns.Text)
    conflicts = columns.Set(columns.Text)

    class Meta:
        app_label = "providers"
        managed = False
        verbose_name = "heartbeat"


class MaintenanceRecord(RecordModel):
    """A maintenance window that is planned or goes on."""

    __table_name__ = "maintenance_windows"
    __scope__ = PER_DATACENTER
    __written_by__ = "providers.maintenance, providers.maintenance_windows"

    cell = columns.Text(partition_key=True)
    provider_id = columns.UUID(primary_key=True)
    id = columns.UUID(primary_key=True)
    name = columns.Text()
    resource_class = columns.Text()
    from_at = columns.DateTime()
    until_at = columns.DateTime()
    reason = columns.Text()
    planned_by = columns.Text()
    planned_at = columns.DateTime()
    begun_at = columns.DateTime()
    cancelled_by = columns.Text()

    class Meta:
        app_label = "providers"
        managed = False
        verbose_name = "maintenance window"

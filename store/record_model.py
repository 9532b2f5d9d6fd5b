"""The model base for Cassandra tables: django-cassandra-engine's, with its defects repaired, and read-only.

Tables written by lightweight transactions take no plain writes: the driver stamps one with the client's clock, and a
later transaction answers "applied" and changes nothing. So a record reads itself and never writes itself.
"""

from typing import Any, ClassVar

from cassandra.cqlengine import columns
from cassandra.cqlengine.models import BaseModel
from django.conf import settings
from django_cassandra_engine.models import DjangoCassandraModel, DjangoCassandraModelMetaClass

from store.engine_query import PlainWriteRefused, RecordQuery
from store.session import keyspace

__all__ = ["GLOBAL", "PER_DATACENTER", "PlainWriteRefused", "RecordModel", "columns"]

GLOBAL = "global"
PER_DATACENTER = "datacenter"

# Where the engine stores one shared query object on the class; work-around for defects 2 and 4 of the list.
_QUERY_ATTRIBUTES = ("objects", "default_manager", "_default_manager", "base_manager", "_base_manager")


class _FreshQuery:
    """`Model.objects`: a new query object of the class that was asked, each time.

    Works around the engine making one query object per class (whose counts then lie) and handing subclasses their
    parent's; can go when test_engine_defects says so.
    """

    def __get__(self, instance: Any, owner: Any) -> RecordQuery:
        return RecordQuery(owner)


class _RecordModelMeta(DjangoCassandraModelMetaClass):  # type: ignore[misc]  # the engine ships no types
    def __new__(cls, name: str, bases: tuple[type, ...], attrs: dict[str, Any]) -> Any:
        if not attrs.get("__abstract__", False):
            _own_columns(bases, attrs)
            _own_meta(bases, attrs)
        made = super().__new__(cls, name, bases, attrs)
        if not made.__abstract__ and getattr(made, "_primary_keys", None):
            for attribute in _QUERY_ATTRIBUTES:
                setattr(made, attribute, _FreshQuery())
            made.pk = property(_whole_key)  # the engine's `pk` is the partition key only, and can be assigned to
        return made


def _own_columns(bases: tuple[type, ...], attrs: dict[str, Any]) -> None:
    """Gives a subclass copies of its parent's columns: the engine writes the model into the column, so shared columns
    would name the subclass that was defined last."""
    for base in bases:
        for name, column in getattr(base, "_defined_columns", {}).items():
            attrs.setdefault(name, _copy_of(column))


def _copy_of(column: Any) -> Any:
    clone = column.__class__.__new__(column.__class__)
    clone.__dict__.update(column.__dict__)
    return clone


def _own_meta(bases: tuple[type, ...], attrs: dict[str, Any]) -> None:
    """A subclass inherits its parent's app, but not its parent's verbose names, as in Django itself."""
    parents = [base._meta for base in bases if hasattr(base, "_meta")]
    if "Meta" not in attrs and parents:
        attrs["Meta"] = type("Meta", (), {"app_label": parents[0].app_label})


def _whole_key(record: Any) -> Any:
    key = tuple(getattr(record, name) for name in record._primary_keys)
    return key if len(key) > 1 else key[0]


class RecordModel(DjangoCassandraModel, metaclass=_RecordModelMeta):  # type: ignore[misc]
    """A row of a Cassandra table, and by `objects` the way to read it; `pk` is the whole primary key.

    Example, two classes that share one table::

        class ProviderRecord(RecordModel):
            __table_name__ = "provider_records"
            __scope__ = PER_DATACENTER
            __written_by__ = "providers.register, providers.change, claims.take"
            root_id = columns.UUID(partition_key=True)
            provider_id = columns.UUID(primary_key=True)
            record_id = columns.UUID(primary_key=True)
            generation = columns.BigInt(static=True)

            class Meta:
                app_label = "providers"      # once; subclasses have it from here

        class ComputeRecord(ProviderRecord):  # all columns of its parent, and the same table
            vcpus = columns.BigInt()

        ComputeRecord.objects.filter(root_id=root)                           # the whole tree, local data centre
        ComputeRecord.objects.in_datacenter("dc2").get(pk=(root, provider, record))
        ComputeRecord(vcpus=2).save()                                        # raises PlainWriteRefused

    Give each model `columns` from here (cqlengine's), never an index: `store/schema/*.cql` is the schema's truth.
    """

    __abstract__: ClassVar[bool] = True
    __queryset__ = RecordQuery
    __scope__: ClassVar[str] = GLOBAL
    """GLOBAL: the one small keyspace. PER_DATACENTER: the local data centre's, or what `in_datacenter` says."""
    __written_by__: ClassVar[str] = "the functions of its room"
    """Which domain functions write this table; named in the refusal of every plain write."""

    objects: ClassVar[RecordQuery]

    def __init__(self, **values: Any) -> None:
        # The engine's own __init__ binds ten functions to each instance by inspection: slower than the read itself.
        BaseModel.__init__(self, **values)

    @classmethod
    def plain_write(cls, what: str) -> PlainWriteRefused:
        """The error for any write that goes through the model."""
        table = cls.column_family_name(include_keyspace=False)
        return PlainWriteRefused(
            f"{what} of {cls.__name__} refused: a plain write into {table} makes later transactions lie; "
            f"it is written by {cls.__written_by__}"
        )

    def save(self, *args: Any, **kwargs: Any) -> None:
        raise self.plain_write("save")

    def update(self, **values: Any) -> None:
        raise self.plain_write("update")

    def delete(self, *args: Any, **kwargs: Any) -> None:
        raise self.plain_write("delete")

    @classmethod
    def create(cls, **kwargs: Any) -> None:
        raise cls.plain_write("create")

    @classmethod
    def column_names(cls) -> tuple[str, ...]:
        """The table's columns that this class knows, by their names in Cassandra, keys first."""
        return tuple(column.db_field_name for column in cls._columns.values())

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> Any:
        """The record of a row that was read with prepared CQL; columns that this class does not know are left out."""
        return cls._construct_instance({name: value for name, value in row.items() if cls._get_column_by_db_name(name)})

    @classmethod
    def _get_keyspace(cls) -> str:
        # At query time, not at import: tests and the environment choose the keyspace's name.
        local = settings.CASSANDRA["local_datacenter"] if cls.__scope__ == PER_DATACENTER else None
        return keyspace(local)

    @classmethod
    def _get_explicit_pk_column(cls) -> Any:
        # Django's Options wants one column; the engine wants Meta.get_pk_field. The last key column tells rows apart.
        return list(cls._primary_keys.values())[-1] if cls._primary_keys else None

    def _get_pk_val(self, meta: Any = None) -> Any:
        return self.pk

    def serializable_value(self, field_name: str) -> Any:
        return getattr(self, field_name)

    def __hash__(self) -> int:
        return hash((self.column_family_name(include_keyspace=False), self.pk))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, RecordModel):
            return NotImplemented
        return bool(self.__class__ == other.__class__ and self.items() == other.items())

    def __ne__(self, other: object) -> bool:
        return not self == other

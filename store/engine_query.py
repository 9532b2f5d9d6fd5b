"""Reads of Cassandra tables through the engine's models, with what is wrong in its query class put right.

The engine's query class (DjangoCassandraQuerySet) puts `ALLOW FILTERING LIMIT 10000` on every query, overwrites keys in
`get()` and answers counts from a cache that outlives the query; tests/rooms/store/test_engine_defects.py pins each of
them and says when a work-around here can go.
"""

import copy
import re
from collections.abc import Callable, Iterator
from typing import Any, Self

from cassandra.cqlengine import query
from cassandra.cqlengine.operators import EqualsOperator, InOperator
from cassandra.cqlengine.statements import InQuoter, SelectStatement
from cassandra.metadata import protect_name

from store.session import QUORUM, guarded, keyspace, prepare, session

_PLACEHOLDER = re.compile(r"%\((\d+)\)s")


class PlainWriteRefused(Exception):
    """Somebody tried to save, change or delete a record through its model; the message names the functions that may."""


class UnboundedRead(Exception):
    """A query names neither its whole partition key nor a limit: it would read the table."""


class RecordQuery(query.ModelQuerySet):  # type: ignore[misc]  # the driver ships no types
    """What `SomeRecord.objects` is: a fresh, read-only query object that runs on this process's one session.

    It derives from cqlengine's own class, not from the engine's, whose additions (order in Python, ALLOW FILTERING, the
    overwriting `get()`) are the defects. Statements are prepared, which cqlengine never does: 2-10 times faster.
    Raises StoreUnavailable and SchemaMissing like every read of the store.
    """

    def __init__(self, model: Any) -> None:
        super().__init__(model)
        self._limit = 0  # cqlengine's default of 10,000 silently cuts longer results
        self._datacenter: str | None = None
        self._profile = QUORUM

    def in_datacenter(self, name: str) -> Self:
        """The same query on the rows that are at home in data centre `name`."""
        clone = copy.deepcopy(self)
        clone._datacenter = name
        return clone

    def at(self, profile: str) -> Self:
        """The same query at another execution profile of store.session (READ is LOCAL_ONE; the default is QUORUM)."""
        clone = copy.deepcopy(self)
        clone._profile = profile
        return clone

    def filter(self, *args: Any, **kwargs: Any) -> Self:
        """As cqlengine's, and `pk` is the whole primary key: a tuple, or the value itself when it has one column."""
        if "pk" in kwargs:
            key = kwargs.pop("pk")
            names = list(self.model._primary_keys)
            values = key if isinstance(key, tuple) else (key,)
            if len(values) != len(names):
                raise query.QueryException(f"pk has {len(names)} parts ({', '.join(names)}), not {len(values)}")
            kwargs.update(zip(names, values, strict=True))
        made: Self = super().filter(*args, **kwargs)
        return made

    def get(self, *args: Any, **kwargs: Any) -> Any:
        """The one record that matches. Raises the model's DoesNotExist or MultipleObjectsReturned."""
        if args or kwargs:
            return self.filter(*args, **kwargs).get()
        if self._limit != 2:
            return self.limit(2).get()  # two are enough to know that there is more than one
        return super().get()

    def count(self) -> int:
        """Asked from Cassandra each time, unless the rows themselves are already here."""
        if self._result_cache is None:
            self._count = None
        return int(super().count())

    def exists(self) -> bool:
        return self.limit(1).first() is not None

    def using(self, keyspace: str | None = None, connection: str | None = None) -> Self:
        # cqlengine clones the model class, which the engine would register with Django as another model.
        raise NotImplementedError("use in_datacenter(name): there is one session, and keyspaces follow data centres")

    def create(self, **kwargs: Any) -> Any:
        raise self.model.plain_write("create")

    def update(self, **kwargs: Any) -> None:
        raise self.model.plain_write("update")

    def delete(self) -> None:
        raise self.model.plain_write("delete")

    def batch(self, batch_obj: Any) -> Self:
        raise self.model.plain_write("batch")

    @property
    def column_family_name(self) -> str:
        space = keyspace(self._datacenter) if self._datacenter else self.model._get_keyspace()
        return f"{protect_name(space)}.{self.model.column_family_name(include_keyspace=False)}"

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        # cqlengine copies the counted number into clones: objects.filter(a) counted once answers for filter(b) too.
        clone: Self = super().__deepcopy__(memo)
        clone._count = None
        return clone

    def _select_query(self) -> SelectStatement:
        named = {w.field for w in self._where if isinstance(w.operator, EqualsOperator | InOperator)}
        missing = [c.db_field_name for c in self.model._partition_keys.values() if c.db_field_name not in named]
        if missing and not self._limit:
            raise UnboundedRead(f"{self.model.__name__}: name {', '.join(missing)}, or set limit(n)")
        return super()._select_query()

    def _execute_query(self) -> None:
        try:
            guarded(super()._execute_query)  # reads all pages here, so all of it is guarded
        except Exception:
            self._result_cache = None  # a half-read result must not pass for a whole one
            raise

    def _execute(self, statement: Any) -> Any:
        if not isinstance(statement, SelectStatement):
            raise self.model.plain_write(type(statement).__name__)
        bound = prepare(_prepared_text(statement)).bind(_prepared_values(statement))
        if statement.fetch_size:
            bound.fetch_size = statement.fetch_size
        ask: Callable[[], Any] = lambda: session().execute(bound, execution_profile=self._profile)  # noqa: E731
        rows = guarded(ask)
        return rows if statement.count else self._without_statics(rows)

    def _without_statics(self, rows: Any) -> Iterator[dict[str, Any]]:
        """A partition whose last row was deleted answers one row of nothing but its statics; that is no record."""
        clustering = [column.db_field_name for column in self.model._clustering_keys.values()]
        for row in rows:
            if all(row.get(name, row) is not None for name in clustering):
                yield row


def _prepared_text(statement: SelectStatement) -> str:
    return _PLACEHOLDER.sub("?", str(statement))


def _prepared_values(statement: SelectStatement) -> list[Any]:
    context = statement.get_context()
    values = [context[name] for name in _PLACEHOLDER.findall(str(statement))]
    return [list(value.value) if isinstance(value, InQuoter) else value for value in values]

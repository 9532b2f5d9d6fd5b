"""The defects of django-cassandra-engine 1.11.0 that our model base and admin base work around, one test each.

Each test first shows that the engine still has the defect: when a newer engine fails that part, the message says which
work-around can go. Then it shows that our base does not have it.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest
from cassandra import ConsistencyLevel
from cassandra.cqlengine import columns, connection, management
from django.conf import settings
from django.contrib.admin import AdminSite, ModelAdmin
from django.core.management import get_commands
from django_cassandra_engine.models import DjangoCassandraModel

from store.engine_query import PlainWriteRefused, UnboundedRead
from store.record_admin import RecordAdmin
from store.record_model import RecordModel
from store.session import QUORUM, cluster, keyspace, session

ENGINE = "engine_defects"  # the name of the engine's own connection in these tests
TABLE = "engine_defects"


class EngineRow(DjangoCassandraModel):  # type: ignore[misc]
    """The table as the engine would have it."""

    __table_name__ = TABLE
    __connection__ = ENGINE
    root = columns.UUID(partition_key=True)
    item = columns.UUID(primary_key=True)
    amount = columns.BigInt()

    class Meta:
        app_label = "store"
        get_pk_field = "item"


class EngineRowWithMore(EngineRow):
    __connection__ = ENGINE
    more = columns.BigInt()

    class Meta:
        app_label = "store"
        get_pk_field = "item"


class Row(RecordModel):
    """The same table on our base."""

    __table_name__ = TABLE
    __written_by__ = "nobody but this test"
    root = columns.UUID(partition_key=True)
    item = columns.UUID(primary_key=True)
    amount = columns.BigInt()
    shared = columns.BigInt(static=True)

    class Meta:
        app_label = "store"
        verbose_name = "row of the test"


class RowWithMore(Row):
    more = columns.BigInt()


@pytest.fixture(scope="module")
def table(cassandra: object) -> Iterator[str]:
    """A scratch table, and a connection of the engine's own to read it with."""
    name = f"{keyspace()}.{TABLE}"
    session().execute(
        f"CREATE TABLE IF NOT EXISTS {name} "
        "(root uuid, item uuid, amount bigint, more bigint, shared bigint STATIC, PRIMARY KEY ((root), item))"
    )
    connection.register_connection(ENGINE, session=cluster().connect())
    EngineRow.__keyspace__ = EngineRowWithMore.__keyspace__ = keyspace()
    yield name
    connection.unregister_connection(ENGINE)
    session().execute(f"DROP TABLE {name}")


def insert(table: str, root: UUID, items: int = 1) -> list[UUID]:
    made = [uuid4() for _ in range(items)]
    for item in made:
        session().execute(f"INSERT INTO {table} (root, item, amount) VALUES (%s, %s, 5)", (root, item))
    return made


def still(has_defect: bool, work_around: str) -> None:
    """Fails when the engine no longer has the defect."""
    assert has_defect, f"the engine no longer has this defect: the work-around {work_around} can go"


def test_1_every_query_allows_filtering_and_is_cut_at_10000(table: str) -> None:
    root = uuid4()
    insert(table, root, items=3)
    engine = str(EngineRow.objects.filter(root=root))
    still("ALLOW FILTERING" in engine and "LIMIT 10000" in engine, "RecordQuery.__init__ and its base class")

    ours = str(Row.objects.filter(root=root))
    assert "ALLOW FILTERING" not in ours
    assert "LIMIT" not in ours
    assert len(Row.objects.filter(root=root)) == 3
    with pytest.raises(UnboundedRead, match="name root, or set limit"):
        Row.objects.count()


def test_2_objects_is_one_shared_query_whose_counts_lie(table: str) -> None:
    root = uuid4()
    insert(table, root)
    before = EngineRow.objects.count()
    insert(table, root)
    still(EngineRow.objects.count() == before, "_FreshQuery")
    still(EngineRow.objects.filter(root=uuid4()).count() == before, "RecordQuery.__deepcopy__")

    query = Row.objects.filter(root=root)
    assert query.count() == 2
    insert(table, root)
    assert query.count() == 3
    assert query.filter(item=uuid4()).count() == 0
    assert not Row.objects.filter(root=uuid4()).exists()
    assert Row.objects is not Row.objects


def test_3_get_overwrites_the_partition_key_and_save_writes_a_bogus_row(table: str) -> None:
    root = uuid4()
    [item] = insert(table, root)
    wrong = EngineRow.objects.get(root=root, item=item)
    still(wrong.root == item, "RecordQuery.get and RecordModel.pk")
    wrong.amount = 6
    wrong.save()
    still(Row.objects.filter(root=item).count() == 1, "RecordModel.save (as far as bogus rows go)")

    right = Row.objects.get(pk=(root, item))
    assert (right.root, right.item, right.amount) == (root, item, 5)
    assert right.pk == (root, item)
    assert hash(right) == hash(Row.objects.get(pk=(root, item)))
    with pytest.raises(PlainWriteRefused, match="written by nobody but this test"):
        right.save()
    with pytest.raises(AttributeError):
        right.pk = (item, item)


def test_4_a_subclass_queries_its_parent(table: str) -> None:
    still(EngineRowWithMore.objects.model is EngineRow, "_FreshQuery")
    still(EngineRow._columns["root"].model is EngineRowWithMore, "_own_columns")

    root = uuid4()
    [item] = insert(table, root)
    session().execute(f"UPDATE {table} SET more = 9 WHERE root = %s AND item = %s", (root, item))
    record = RowWithMore.objects.get(pk=(root, item))
    assert (type(record), record.more, record.amount) == (RowWithMore, 9, 5)
    assert type(Row.objects.get(pk=(root, item))) is Row
    assert (Row._columns["root"].model, RowWithMore._columns["root"].model) == (Row, RowWithMore)
    assert RowWithMore._meta.verbose_name == "row with more"


def test_5_the_admins_change_list_is_broken(table: str, rf: Any, admin_user: Any) -> None:
    """Since Django 5.0 the change list filters by a Q object, which the engine takes for a mistake of the user's."""
    request = rf.get("/admin/", {"e": "1"})
    request.user = admin_user
    answer = ModelAdmin(EngineRow, AdminSite()).changelist_view(request)
    still(getattr(answer, "template_name", "") == "admin/invalid_setup.html", "RecordAdmin.changelist_view")
    assert RecordAdmin.changelist_view is not ModelAdmin.changelist_view  # tests/rooms/admin reads its pages


LOSES_SESSIONS = """
from cassandra.cqlengine import connection, management, models
models.DEFAULT_KEYSPACE = {keyspace!r}
connection.setup({hosts!r}, {keyspace!r}, protocol_version=4)
from django_cassandra_engine.sessions.backends.db import SessionStore
from django_cassandra_engine.sessions.models import Session
management.sync_table(Session)
made = SessionStore()
made["user"] = "alice"
made.set_expiry(3600)
made.save()
print("read again:", SessionStore(made.session_key).get("user"))
made.set_expiry(86400)
made.save()
SessionStore(made.session_key).flush()
made.save()
print("after logging out:", SessionStore(made.session_key).get("user"))
management.drop_table(Session)
"""


def test_6_its_session_backend_loses_sessions(table: str) -> None:
    """Where TIME_ZONE is east of UTC an hour's session has expired at once, and one that was logged out comes back."""
    configure = "settings.configure(SECRET_KEY='x', USE_TZ=True, INSTALLED_APPS=['django_cassandra_engine'])"
    then = LOSES_SESSIONS.format(keyspace=keyspace(), hosts=settings.CASSANDRA["hosts"])
    said = run(configure, then, TZ="Asia/Tokyo")
    still("read again: None" in said, "of keeping sessions in SQL (as far as losing them goes)")
    still("after logging out: alice" in said, "of keeping sessions in SQL (as far as reviving them goes)")
    assert "cassandra" not in settings.SESSION_ENGINE


CONNECTS = """
settings.configure(
    INSTALLED_APPS=["django_cassandra_engine"],
    DATABASES={"default": {"ENGINE": "django_cassandra_engine", "NAME": "x", "HOST": "127.0.99.99", "USER": "",
               "PASSWORD": "", "OPTIONS": {"connection": {"protocol_version": 4, "connect_timeout": 1}}}},
)
"""
FORKS = """
import os
from store.session import session
mine = session()
child = os.fork()
if child == 0:
    ok = session() is not mine and bool(session().execute("SELECT key FROM system.local").one())
    os._exit(0 if ok else 1)
print("child:", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_7_setup_connects(table: str) -> None:
    still("NoHostAvailable" in run(CONNECTS, ""), "of naming no engine in DATABASES")

    nowhere = {"DJANGO_SETTINGS_MODULE": "sched_portal.settings", "CASSANDRA_HOSTS": "127.0.99.99"}
    said = run("", "from store.session import _sessions; print('connected:', len(_sessions))", **nowhere)
    assert "connected: 0" in said, said


def test_7_connections_do_not_cross_a_fork(table: str) -> None:
    assert connection.get_session(ENGINE) is not session()
    here = {"DJANGO_SETTINGS_MODULE": "sched_portal.settings", "CASSANDRA_HOSTS": ",".join(settings.CASSANDRA["hosts"])}
    assert "child: 0" in run("", FORKS, **here)


def test_8_the_default_level_is_local_one(table: str, monkeypatch: pytest.MonkeyPatch) -> None:
    options = {"protocol_version": 4}
    connection.register_connection("plain", hosts=settings.CASSANDRA["hosts"], cluster_options=options)
    try:
        plain = connection.get_cluster("plain").profile_manager.default.consistency_level
    finally:
        connection.unregister_connection("plain")
    still(plain == ConsistencyLevel.LOCAL_ONE, "RecordQuery.at")

    asked: list[Any] = []
    execute = session().execute
    monkeypatch.setattr(
        session(), "execute", lambda *a, **kw: asked.append(kw["execution_profile"]) or execute(*a, **kw)
    )
    assert not Row.objects.filter(root=uuid4()).exists()
    assert asked == [QUORUM]
    assert session().cluster.profile_manager.profiles[QUORUM].consistency_level == ConsistencyLevel.LOCAL_QUORUM


class EngineIndexed(DjangoCassandraModel):  # type: ignore[misc]
    """The scratch table again, one column fewer, another type and an index."""

    __table_name__ = TABLE
    __connection__ = ENGINE
    root = columns.UUID(partition_key=True)
    item = columns.UUID(primary_key=True)
    more = columns.BigInt(index=True)

    class Meta:
        app_label = "store"
        get_pk_field = "item"


def test_9_sync_only_adds_columns_and_cannot_make_sai(table: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CQLENG_ALLOW_SCHEMA_MANAGEMENT", "1")
    monkeypatch.setattr(management, "Model", (management.Model, DjangoCassandraModel))  # as sync_cassandra does
    monkeypatch.setattr(EngineIndexed, "__keyspace__", keyspace())
    management.sync_table(EngineIndexed, keyspaces=[keyspace()], connections=[ENGINE])
    found = "SELECT {} FROM system_schema.{} WHERE keyspace_name = %s AND table_name = %s"
    names = {
        row["column_name"] for row in session().execute(found.format("column_name", "columns"), (keyspace(), TABLE))
    }
    still("amount" in names, "store/apply_schema.py (as far as dropping columns goes)")
    index = session().execute(found.format("index_name, kind", "indexes"), (keyspace(), TABLE)).one()
    session().execute(f"DROP INDEX {keyspace()}.{index['index_name']}")
    still(index["kind"] != "CUSTOM", "store/apply_schema.py (as far as SAI goes)")

    assert "sync_cassandra" not in get_commands()
    assert "apply_schema" in get_commands()


def test_9_its_writes_are_unconditional(table: str) -> None:
    root = uuid4()
    [item] = insert(table, root)
    mine = next(iter(EngineRow.objects.filter(root=root)))
    session().execute(f"UPDATE {table} SET amount = 7 WHERE root = %s AND item = %s", (root, item))
    mine.amount = 6
    mine.save()
    still(Row.objects.get(pk=(root, item)).amount == 6, "PlainWriteRefused")

    record = Row.objects.get(pk=(root, item))
    for write in (
        record.save,
        record.delete,
        lambda: record.update(amount=8),
        lambda: Row.create(root=root, item=item),
    ):
        with pytest.raises(PlainWriteRefused):
            write()
    rows = Row.objects.filter(root=root)
    for write in (rows.delete, lambda: rows.update(amount=8), lambda: Row.objects.create(root=root, item=uuid4())):
        with pytest.raises(PlainWriteRefused):
            write()
    assert [(r.item, r.amount) for r in rows] == [(item, 6)]


FLUSHES = """
settings.configure(
    INSTALLED_APPS=[],
    DATABASES={"default": {"ENGINE": "django_cassandra_engine", "NAME": "x", "HOST": "127.0.99.99",
               "OPTIONS": {"connection": {"lazy_connect": True}}}},
)
"""
COUNTS_FLUSHES = """
from unittest import mock
from django_cassandra_engine.test import TestCase
class T(TestCase):
    def test(self): pass
one = mock.patch("django.test.testcases.call_command").start()
two = mock.patch("django_cassandra_engine.test.call_command").start()
T("test")._fixture_teardown()
print("flushes:", one.call_count + two.call_count)
"""


def test_10_its_test_case_flushes_twice() -> None:
    still("flushes: 2" in run(FLUSHES, COUNTS_FLUSHES), "of pytest, one keyspace a run and fresh UUIDs")
    assert all(not each["ENGINE"].startswith("django_cassandra_engine") for each in settings.DATABASES.values())


def test_a_partition_of_statics_only_is_no_record(table: str) -> None:
    """Cassandra answers one row of statics for a partition whose last row is gone; cqlengine makes a record of it."""
    root = uuid4()
    session().execute(f"INSERT INTO {table} (root, shared) VALUES (%s, 1)", (root,))
    assert len(list(EngineRow.objects.filter(root=root))) == 1
    assert list(Row.objects.filter(root=root)) == []


def run(configure: str, then: str, **environment: str) -> str:
    """What a fresh process says that configures Django as told, sets it up and goes on; errors included."""
    at_once = "import os, sys\nsys.stdout.flush()\nos._exit(0)"  # the driver's event loop delays an exit by 5 s
    code = f"import django\nfrom django.conf import settings\n{configure}\ndjango.setup()\n{then}\n{at_once}"
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **environment}, capture_output=True, text=True, timeout=60
    )
    return done.stdout + done.stderr

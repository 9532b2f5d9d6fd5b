"""The life of a real node of this module's own: start, power cut, pause, stop. The tests follow each other."""

import time
import uuid
from pathlib import Path

import psutil
import pytest
from cassandra import ConsistencyLevel
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile
from cassandra.policies import FallthroughRetryPolicy, RoundRobinPolicy

from cluster.launch import private_ring

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def ring(tmp_path_factory):
    ring = private_ring(tmp_path_factory.mktemp("cassandra"))
    with ring:
        yield ring


@pytest.fixture
def session(ring):
    profile = ExecutionProfile(
        RoundRobinPolicy(),
        retry_policy=FallthroughRetryPolicy(),
        consistency_level=ConsistencyLevel.LOCAL_QUORUM,
        serial_consistency_level=ConsistencyLevel.LOCAL_SERIAL,
    )
    cluster = Cluster(
        ring.contact_points, port=ring.port, protocol_version=4, execution_profiles={EXEC_PROFILE_DEFAULT: profile}
    )
    yield cluster.connect()
    cluster.shutdown()


def java_processes_of(directory: Path) -> list[int]:
    processes = psutil.process_iter(["pid", "name", "cmdline"])
    return [p.pid for p in processes if p.info["name"] == "java" and str(directory) in " ".join(p.info["cmdline"])]


def test_it_runs_with_the_settings_that_keep_acknowledged_writes(session):
    rows = session.execute("SELECT name, value FROM system_views.settings")
    settings = {row.name: row.value for row in rows}
    assert settings["commitlog_sync"] == "batch"
    assert settings["paxos_variant"] == "v2"
    assert settings["auto_snapshot"] == "false"
    assert settings["materialized_views_enabled"] == "false"
    assert session.execute("SELECT data_center FROM system.local").one().data_center == "dc1"


def test_a_second_start_is_quick_and_starts_nothing(ring):
    began = time.monotonic()
    assert ring.start() == []
    assert time.monotonic() - began < 2.0


def test_it_listens_on_its_own_address_only(ring):
    node = ring.nodes[0]
    listening = {c.laddr.ip for c in node.process().net_connections("tcp") if c.status == psutil.CONN_LISTEN}
    assert {address for address in listening if not address.startswith("127.")} == set()


def test_a_paused_node_does_not_answer_and_a_resumed_one_does(ring):
    node = ring.nodes[0]
    node.pause()
    try:
        assert not node.answers(timeout=1.0)
    finally:
        node.resume()
    assert node.answers()


def test_acknowledged_transactions_survive_kill_9(ring, session):
    session.execute("CREATE KEYSPACE kept WITH replication = {'class': 'NetworkTopologyStrategy', 'dc1': 1}")
    session.execute("CREATE TABLE kept.writes (id uuid PRIMARY KEY, n int)")
    insert = session.prepare("INSERT INTO kept.writes (id, n) VALUES (?, ?) IF NOT EXISTS")
    acknowledged = {}
    for n in range(200):
        key = uuid.uuid4()
        assert session.execute(insert, (key, n)).was_applied
        acknowledged[key] = n
    node = ring.nodes[0]
    assert node.kill9()
    assert node.process() is None

    assert node.start()
    with Cluster(ring.contact_points, port=ring.port, protocol_version=4) as again:
        rows = again.connect().execute("SELECT id, n FROM kept.writes")
        assert {row.id: row.n for row in rows} == acknowledged


def test_stop_leaves_nothing_running(ring):
    node = ring.nodes[0]
    assert java_processes_of(node.home) == [node.process().pid]
    assert ring.stop() == [node]
    assert java_processes_of(node.home) == []
    assert not node.pidfile.exists()
    assert ring.stop() == []

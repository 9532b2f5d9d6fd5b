"""One lazily connected Cassandra session per process, its execution profiles, and prepared statements.

The session is made at the first query and after a fork (driver connections must not cross one), never at import.
"""

import atexit
import functools
import logging
import os
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

from cassandra import ConsistencyLevel, InvalidRequest, OperationTimedOut, RequestExecutionException
from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile, NoHostAvailable, Session
from cassandra.connection import ConnectionException
from cassandra.policies import (
    ConstantReconnectionPolicy,
    ConstantSpeculativeExecutionPolicy,
    DCAwareRoundRobinPolicy,
    FallthroughRetryPolicy,
    TokenAwarePolicy,
)
from cassandra.pool import Host
from cassandra.protocol import IsBootstrappingErrorMessage, OverloadedErrorMessage, ServerError
from cassandra.query import BatchStatement, BatchType, BoundStatement, PreparedStatement, dict_factory
from django.conf import settings

from store.failures import SchemaMissing, StoreUnavailable

log = logging.getLogger("sched_portal.store")
T = TypeVar("T")

READ = "read"  # LOCAL_ONE: candidates and pages; may lag, the transaction decides
QUORUM = "quorum"  # LOCAL_QUORUM: what must see the last committed transaction
PROTOCOL_VERSION = 4
STATEMENTS = 4096  # kept prepared
ASK_ANOTHER = 1.5  # seconds without an answer after which a read (never a write) is asked of a second coordinator
BATCH_WRITES, BATCH_BYTES = 8, 4096  # plain writes that share a message
CELL_BYTES = 24  # what Cassandra counts for a value besides its bytes, about

# What a query fails with when a node died, is starting or has too much to do (no retry policy: FallthroughRetryPolicy).
AWAY = (
    NoHostAvailable,
    OperationTimedOut,
    RequestExecutionException,
    ConnectionException,
    OverloadedErrorMessage,
    IsBootstrappingErrorMessage,
    ServerError,
)

_lock = threading.RLock()
_sessions: dict[int, Session] = {}


def lwt_profile(datacenter: str) -> str:
    """The profile for transactions on rows at home in `datacenter`: LOCAL_SERIAL + LOCAL_QUORUM on its coordinators."""
    return f"lwt:{datacenter}"


def coordinator(query: Any, profile: str, attempt: int) -> Host | None:
    """Another coordinator for each attempt, in the order that the profile asks them in; None: there is but one."""
    connected = session()
    policy = connected.get_execution_profile(profile).load_balancing_policy
    hosts = list(policy.make_query_plan(query.keyspace, query))
    return hosts[attempt % len(hosts)] if len(hosts) > 1 else None


def keyspace(datacenter: str | None = None) -> str:
    """The data centre's keyspace, or without one the small global keyspace (cells, classes, lookups)."""
    name: str = settings.CASSANDRA["keyspace"]
    return name if datacenter is None else _keyspace(name, datacenter)


@functools.cache
def _keyspace(name: str, datacenter: str) -> str:
    return f"{name}_" + "".join(c if c.isalnum() else "_" for c in datacenter.lower())


def replication() -> dict[str, int]:
    """Data centre -> number of replicas, from the setting `dc1:3,dc2:3`."""
    pairs = (word.partition(":") for word in settings.CASSANDRA["replication"])
    return {name: int(count or 1) for name, _, count in pairs}


def datacenters() -> list[str]:
    return sorted(replication())


def _profile(datacenter: str, consistency: int, ask_another_after: float | None = None) -> ExecutionProfile:
    # FallthroughRetryPolicy: the driver retries on its own for lost connections even under NeverRetryPolicy, and a
    # transaction that ran twice is a claim made twice. Speculative execution is for reads alone for the same reason.
    # shuffle_replicas off: claims on one host queue at one coordinator instead of duelling through three.
    return ExecutionProfile(
        load_balancing_policy=TokenAwarePolicy(DCAwareRoundRobinPolicy(datacenter), shuffle_replicas=False),
        retry_policy=FallthroughRetryPolicy(),
        consistency_level=consistency,
        serial_consistency_level=ConsistencyLevel.LOCAL_SERIAL,
        request_timeout=settings.CASSANDRA["request_timeout"],
        row_factory=dict_factory,
        speculative_execution_policy=(
            ConstantSpeculativeExecutionPolicy(ask_another_after, 1) if ask_another_after else None
        ),
    )


def _ssl_context() -> ssl.SSLContext | None:
    config = settings.CASSANDRA
    if not config["tls_ca"]:
        return None
    context = ssl.create_default_context(cafile=config["tls_ca"])
    context.minimum_version = config["tls_version"]
    if config["tls_certificate"]:
        context.load_cert_chain(config["tls_certificate"], config["tls_key"] or None)
    return context


def cluster() -> Cluster:
    """A new, unconnected driver cluster from the settings; most callers want `session()`."""
    config = settings.CASSANDRA
    local = config["local_datacenter"]
    profiles: dict[Any, ExecutionProfile] = {
        EXEC_PROFILE_DEFAULT: _profile(local, ConsistencyLevel.LOCAL_QUORUM),
        QUORUM: _profile(local, ConsistencyLevel.LOCAL_QUORUM, ASK_ANOTHER),
        READ: _profile(local, ConsistencyLevel.LOCAL_ONE, ASK_ANOTHER),
    }
    for name in {local, *datacenters()}:
        profiles[lwt_profile(name)] = _profile(name, ConsistencyLevel.LOCAL_QUORUM)
    return Cluster(
        contact_points=config["hosts"],
        port=config["port"],
        protocol_version=PROTOCOL_VERSION,  # named: negotiation costs a round trip and may settle on an old one
        execution_profiles=profiles,
        # The default backs off to ten minutes, and a paused node is noticed only after a minute.
        reconnection_policy=ConstantReconnectionPolicy(2.0, max_attempts=None),
        idle_heartbeat_interval=5,
        idle_heartbeat_timeout=5,
        connect_timeout=config["connect_timeout"],
        control_connection_timeout=config["connect_timeout"],  # reading the schema of a busy node takes more than 2 s
        auth_provider=PlainTextAuthProvider(config["user"], config["password"]) if config["user"] else None,
        ssl_context=_ssl_context(),
    )


def session() -> Session:
    """This process's session, connected on first use. Raises StoreUnavailable when no node answers."""
    made = _sessions.get(os.getpid())
    if made is not None:
        return made
    with _lock:
        made = _sessions.get(os.getpid())
        if made is None:
            try:
                made = cluster().connect()
            except (NoHostAvailable, OperationTimedOut) as error:
                raise StoreUnavailable(_where(error)) from error
            # The server stamps plain writes: one client with a fast clock would otherwise win over all others for ever.
            made.use_client_timestamp = False
            _sessions[os.getpid()] = made
            atexit.register(_disconnect_at_exit)
        return made


def disconnect() -> None:
    """Closes this process's session; the next query connects again."""
    with _lock:
        made = _sessions.pop(os.getpid(), None)
        prepare.cache_clear()
        if made is not None:
            made.cluster.shutdown()


def _disconnect_at_exit() -> None:
    # Work-around: the driver's own exit hook stops its loop's watchers before the loop has seen the closed connections,
    # and then waits five seconds for a thread that sleeps for ever. Given a moment first, the loop ends by itself. Can
    # go when a plain `session(); exit` takes no longer than the query (scylla-driver 3.29).
    if os.getpid() in _sessions:
        disconnect()
        time.sleep(0.15)


def _where(error: Exception) -> str:
    config = settings.CASSANDRA
    return f"Cassandra at {','.join(config['hosts'])}:{config['port']} cannot be reached ({type(error).__name__})"


class _Prepare:
    """`prepare(cql)`: the prepared statement, made once per process; statements name their keyspace themselves.

    Work-around: the driver knows its statements by weak references. Of two that were prepared at once from the same
    text it forgets one, maybe the one in use, and when a node that was started again asks for it, each batch with it
    fails with an AttributeError. Can go when the driver keeps what was prepared (scylla-driver 3.29).
    """

    def __init__(self) -> None:
        self._made: dict[tuple[int, str], PreparedStatement] = {}
        self._making = threading.Lock()

    def __call__(self, cql: str) -> PreparedStatement:
        key = (os.getpid(), cql)
        made = self._made.get(key)
        if made is not None:
            return made
        with self._making:
            made = self._made.get(key)
            if made is None:
                if len(self._made) >= STATEMENTS:
                    self._made.clear()
                made = self._made[key] = guarded(lambda: session().prepare(cql))
        return made

    def cache_clear(self) -> None:
        self._made.clear()


prepare = _Prepare()


def guarded(call: Callable[[], T]) -> T:
    """Runs a read or a plain write; what means "Cassandra is not there" becomes StoreUnavailable."""
    try:
        return call()
    except AWAY as error:
        raise StoreUnavailable(_where(error)) from error
    except InvalidRequest as error:
        if "unconfigured table" in str(error) or "does not exist" in str(error):
            raise SchemaMissing(f"{error}; run `manage.py apply_schema`") from error
        raise


def read(cql: str, values: Sequence[Any], profile: str = QUORUM) -> list[dict[str, Any]]:
    """All rows of a bounded query, as dicts. The caller's CQL bounds it: one partition, or a LIMIT."""
    return guarded(lambda: list(session().execute(_question(cql, values), execution_profile=profile)))


def _question(cql: str, values: Sequence[Any]) -> BoundStatement:
    """A read, which may be asked of two coordinators."""
    statement = prepare(cql).bind(values)
    statement.is_idempotent = True
    return statement


def read_many(queries: Iterable[tuple[str, Sequence[Any]]], profile: str = QUORUM) -> list[list[dict[str, Any]]]:
    """Several bounded queries side by side; their rows in the order asked."""
    futures = [session().execute_async(_question(cql, values), execution_profile=profile) for cql, values in queries]
    return [guarded(lambda f=future: list(f.result())) for future in futures]  # type: ignore[misc]


def write(cql: str, values: Sequence[Any], profile: str = QUORUM) -> None:
    """A plain, repeatable write. Never to `provider_records`, `requests` or `groups`: those are written by LWT only."""
    statement = prepare(cql).bind(values)
    guarded(lambda: session().execute(statement, execution_profile=profile))


def write_many(writes: Iterable[tuple[str, Sequence[Any]]], profile: str = QUORUM) -> None:
    """Several plain writes, no two of one row, in as few messages as they fit into; returns when all are acknowledged.

    Together they are no more than apart: each repeatable, some done when it fails. What they share is the message,
    which costs more than the write.
    """
    bound = [prepare(cql).bind(values) for cql, values in writes]
    futures = [session().execute_async(query, execution_profile=profile) for query in _packed(bound)]
    for future in futures:
        guarded(future.result)


def _packed(bound: Sequence[BoundStatement]) -> Iterator[BoundStatement | BatchStatement]:
    """Unlogged batches below the sizes that Cassandra warns of (10 partitions, 5 KiB); a large write goes alone."""
    begin, size = 0, 0
    for index, statement in enumerate(bound):
        own = sum([CELL_BYTES + len(value) for value in statement.values if value.__class__ is bytes])
        if index > begin and (index - begin == BATCH_WRITES or size + own > BATCH_BYTES):
            yield _together(bound[begin:index])
            begin, size = index, 0
        size += own
    if begin < len(bound):
        yield _together(bound[begin:])


def _together(bound: Sequence[BoundStatement]) -> BoundStatement | BatchStatement:
    if len(bound) == 1:
        return bound[0]
    batch = BatchStatement(BatchType.UNLOGGED)
    for statement in bound:
        batch.add(statement)
    return batch

"""Whether a node answers: a real CQL query through the driver, since an open port says nothing about joining."""

from __future__ import annotations

import logging
import socket

from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile
from cassandra.policies import WhiteListRoundRobinPolicy

from cluster.driver_exit import end_event_loop_at_exit

PROTOCOL_VERSION = 4  # the same as the portal's sessions

# A node that is still coming up refuses connections, which is no news while we wait for it.
logging.getLogger("cassandra").addHandler(logging.NullHandler())
end_event_loop_at_exit()


def answers(address: str, port: int, timeout: float = 5.0) -> bool:
    """Whether this very node answers a query within `timeout` seconds."""
    try:
        socket.create_connection((address, port), timeout=timeout).close()
    except OSError:
        return False
    profile = ExecutionProfile(WhiteListRoundRobinPolicy([address]), request_timeout=timeout)
    cluster = Cluster(
        [address],
        port=port,
        protocol_version=PROTOCOL_VERSION,
        execution_profiles={EXEC_PROFILE_DEFAULT: profile},
        connect_timeout=timeout,
        control_connection_timeout=timeout,
        schema_metadata_enabled=False,
        token_metadata_enabled=False,
    )
    try:
        return bool(cluster.connect().execute("SELECT release_version FROM system.local").one())
    except Exception:  # the driver has a dozen ways to say "not yet", all of them an answer here
        return False
    finally:
        cluster.shutdown()

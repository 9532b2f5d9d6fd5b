"""What other rooms and tests import: nodes, rings, and a ring of one's own in a directory of one's own."""

from __future__ import annotations

from pathlib import Path

from cluster.addresses import free_addresses, free_port
from cluster.errors import LaunchError
from cluster.node import Node, Say, say_nothing
from cluster.ring import Ring, ring_from_settings, ring_that_runs
from cluster.settings import DEFAULT_PORT, DEFAULT_STORAGE_PORT, ClusterSettings, settings_from_environment

__all__ = [
    "ClusterSettings",
    "LaunchError",
    "Node",
    "Ring",
    "free_addresses",
    "free_port",
    "private_ring",
    "ring_from_settings",
    "ring_that_runs",
    "settings_from_environment",
]


def private_ring(
    directory: Path,
    nodes: int = 1,
    heap: str = "512M",
    dc: str = "dc1",
    start_timeout: float = 180.0,
    lib: Path | None = None,
    say: Say = say_nothing,
) -> Ring:
    """A ring for one test session: data in `directory`, free addresses, no JMX, a small heap, gone with its parent.

    Not started yet; use it as a context manager. The environment's CLUSTER_* settings do not apply, only CLUSTER_LIB.
    """
    address = free_addresses(nodes, (DEFAULT_PORT, DEFAULT_STORAGE_PORT))
    settings = ClusterSettings(
        var=directory,
        lib=lib or settings_from_environment({}).lib,
        nodes=nodes,
        address=address,
        jmx_port=0,
        dc=dc,
        heap=heap,
        start_timeout=start_timeout,
    )
    ring = ring_from_settings(settings, say)
    for node in ring.nodes:
        node.dies_with_parent = True
    return ring

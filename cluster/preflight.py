"""What can be known to be wrong before a node is started, each as one clear line."""

from __future__ import annotations

import shutil
from pathlib import Path

from cluster.addresses import port_is_free, who_listens
from cluster.errors import LaunchError

# The commit log may take 1 GiB before its oldest segment is flushed; below that a node would die in mid-flight.
DEFAULT_FREE_BYTES = 1536 * 1024 * 1024
_NEEDED_JARS = ("cassandra-all-5.0.8.jar", "jamm-0.4.0.jar")


def check_jars(lib: Path) -> None:
    """Both ends of Maven's copy are there: Cassandra and its agent."""
    for jar in _NEEDED_JARS:
        if not (lib / jar).is_file():
            raise LaunchError(f"{lib / jar} is missing: run `make setup`, which brings Cassandra's jars by Maven")


def check_disk(home: Path, free_bytes: int) -> None:
    """The node's directory can be made and its disk has room."""
    try:
        home.mkdir(parents=True, exist_ok=True)
        probe = home / ".writable"
        probe.write_text("")
        probe.unlink()
    except OSError as error:
        raise LaunchError(f"cannot write to {home}: {error.strerror or error}") from None
    free = shutil.disk_usage(home).free
    if free < free_bytes:
        raise LaunchError(
            f"not enough disk space under {home}: {free // 2**20} MiB free, {free_bytes // 2**20} MiB needed"
        )


def check_ports(address: str, ports: dict[str, int], jmx_port: int) -> None:
    """Nobody listens where the node would. `ports` maps the setting's name to the port."""
    for setting, port in ports.items():
        _check_port(address, port, f"stop it or set {setting} or CLUSTER_ADDRESS")
    if jmx_port:
        _check_port("127.0.0.1", jmx_port, "set CLUSTER_JMX_PORT (0 turns JMX off)")


def _check_port(address: str, port: int, remedy: str) -> None:
    if not port_is_free(address, port):
        raise LaunchError(f"port {address}:{port} is in use{who_listens(address, port)}: {remedy}")

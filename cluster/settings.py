"""Where nodes live and what they may use, from the environment and the command line.

The defaults here are what the portal's own settings assume when CASSANDRA_HOSTS is not set.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cluster.errors import LaunchError

REPOSITORY = Path(__file__).resolve().parent.parent

DEFAULT_ADDRESS = "127.0.1.1"
DEFAULT_PORT = 9042
DEFAULT_STORAGE_PORT = 7000
DEFAULT_JMX_PORT = 7201
DEFAULT_DC = "dc1"
DEFAULT_RACK = "rack1"
DEFAULT_HEAP = "1G"
# First start on a busy two-core machine takes 20 s; replaying a long commit log can take minutes.
DEFAULT_START_TIMEOUT = 180.0


@dataclass(frozen=True)
class ClusterSettings:
    """One ring of local nodes: `nodes` of them on consecutive loopback addresses, all on the same ports."""

    var: Path
    lib: Path
    nodes: int = 1
    address: str = DEFAULT_ADDRESS
    port: int = DEFAULT_PORT
    storage_port: int = DEFAULT_STORAGE_PORT
    jmx_port: int = DEFAULT_JMX_PORT
    dc: str = DEFAULT_DC
    rack: str = DEFAULT_RACK
    heap: str = DEFAULT_HEAP
    start_timeout: float = DEFAULT_START_TIMEOUT
    elsewhere: str = ""

    def __post_init__(self) -> None:
        if not 1 <= self.nodes <= 16:
            raise LaunchError(f"CLUSTER_NODES is {self.nodes}: 1 to 16 local nodes can be started")
        try:
            loopback = ipaddress.IPv4Address(self.address).is_loopback
        except ipaddress.AddressValueError:
            loopback = False
        if not loopback:
            raise LaunchError(f"CLUSTER_ADDRESS is {self.address!r}: it must be an IPv4 loopback address, 127.x.y.z")

    @property
    def home(self) -> Path:
        """The directory that holds one directory a node."""
        return self.var / "cassandra"

    def address_of(self, index: int) -> str:
        """The address of node number `index`, counted from 0."""
        return str(ipaddress.IPv4Address(self.address) + index)


def settings_from_environment(environment: Mapping[str, str]) -> ClusterSettings:
    """Read every CLUSTER_* and CASSANDRA_* variable; docs/running.md has the table of them."""
    var = environment.get("CLUSTER_VAR") or environment.get("SCHED_VAR") or str(REPOSITORY / "var")
    lib = environment.get("CLUSTER_LIB") or str(REPOSITORY / "var" / "cassandra" / "lib")
    return ClusterSettings(
        var=Path(var).absolute(),
        lib=Path(lib).absolute(),
        nodes=_number(environment, "CLUSTER_NODES", 1),
        address=environment.get("CLUSTER_ADDRESS") or DEFAULT_ADDRESS,
        port=_number(environment, "CASSANDRA_PORT", DEFAULT_PORT),
        storage_port=_number(environment, "CLUSTER_STORAGE_PORT", DEFAULT_STORAGE_PORT),
        jmx_port=_number(environment, "CLUSTER_JMX_PORT", DEFAULT_JMX_PORT),
        dc=environment.get("CASSANDRA_LOCAL_DC") or DEFAULT_DC,
        rack=environment.get("CLUSTER_RACK") or DEFAULT_RACK,
        heap=environment.get("CLUSTER_HEAP") or DEFAULT_HEAP,
        start_timeout=float(_number(environment, "CLUSTER_START_TIMEOUT", int(DEFAULT_START_TIMEOUT))),
        elsewhere=environment.get("CASSANDRA_HOSTS", "").strip(),
    )


def _number(environment: Mapping[str, str], name: str, default: int) -> int:
    text = environment.get(name, "").strip()
    if not text:
        return default
    try:
        return int(text)
    except ValueError:
        raise LaunchError(f"{name} is {text!r}: it must be a whole number") from None

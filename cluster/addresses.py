"""Free ports and free loopback addresses, so that a test session has a node of its own beside everybody else's."""

from __future__ import annotations

import errno
import random
import socket

import psutil

from cluster.errors import LaunchError

_EVERYWHERE = ("0.0.0.0", "::", "::ffff:0.0.0.0")


def port_is_free(address: str, port: int) -> bool:
    """Whether a server could listen there now. An address this machine does not have is a LaunchError."""
    with socket.socket() as probe:
        # As Java does it: connections that linger in TIME_WAIT do not count, a listener does.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except PermissionError:
            raise LaunchError(f"not allowed to listen on {address}:{port}: choose a port above 1023") from None
        except OSError as error:
            if error.errno == errno.EADDRNOTAVAIL:  # macOS has 127.0.0.1 only until `ifconfig lo0 alias` adds more
                raise LaunchError(f"this machine has no address {address}: set CLUSTER_ADDRESS") from None
            return False
        return True


def who_listens(address: str, port: int) -> str:
    """` (pid 123, java)` for who listens there, on this address or on all, or nothing when that cannot be known."""
    try:
        for connection in psutil.net_connections("tcp"):
            listens = connection.status == psutil.CONN_LISTEN and connection.laddr
            if listens and listens.port == port and listens.ip in (address, *_EVERYWHERE) and connection.pid:
                return f" (pid {connection.pid}, {psutil.Process(connection.pid).name()})"
    except (psutil.Error, OSError):
        pass
    return ""


def free_port(address: str = "127.0.0.1") -> int:
    """A port that nobody listens on at this moment; the caller should use it soon."""
    with socket.socket() as probe:
        probe.bind((address, 0))
        port: int = probe.getsockname()[1]
        return port


def free_addresses(count: int, ports: tuple[int, ...]) -> str:
    """The first of `count` consecutive loopback addresses on which all `ports` are free.

    Drawn at random from 127.64.0.0 to 127.127.255.255, which nothing uses by default, so that two test sessions
    that look at the same moment do not choose the same.
    """
    for _ in range(50):
        prefix, first = f"127.{random.randint(64, 127)}.{random.randint(0, 255)}", random.randint(1, 254 - count)
        addresses = [f"{prefix}.{first + index}" for index in range(count)]
        if all(port_is_free(address, port) for address in addresses for port in ports):
            return addresses[0]
    raise LaunchError(f"no {count} loopback addresses with free ports {ports} found in 50 tries")

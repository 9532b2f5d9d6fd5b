"""Where the portal listens, whether the place is free, and whether it is ready."""

from __future__ import annotations

import errno
import http.client
import json
import os
import socket

DEFAULT_PORT = "8000"


class PortalAddressError(Exception):
    """The portal cannot listen where it is told to; one line for the operator."""


def host_and_port() -> tuple[str, int]:
    port = os.environ.get("PORTAL_PORT", "").strip() or DEFAULT_PORT
    if not port.isdigit() or not 0 < int(port) < 65536:
        raise PortalAddressError(f"PORTAL_PORT is {port!r}: it must be a number from 1 to 65535")
    return os.environ.get("PORTAL_HOST", "").strip() or "127.0.0.1", int(port)


def url() -> str:
    """Where a browser on this machine finds the portal, also when it listens on every address."""
    host, port = host_and_port()
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def check_free() -> None:
    """Raises PortalAddressError when somebody else listens there."""
    host, port = host_and_port()
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            in_use = error.errno == errno.EADDRINUSE
            reason = "is in use: stop what listens there" if in_use else f"cannot be used ({error.strerror})"
            raise PortalAddressError(f"the portal's port {host}:{port} {reason}, or set PORTAL_PORT") from None


def all_hosts_alive(token: str) -> bool:
    """Whether every host of the cell that `make run` makes is heard from by now."""
    host, port = host_and_port()
    connection = http.client.HTTPConnection({"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), port, timeout=5)
    try:
        connection.request("GET", "/api/capacity?cell=cell1", headers={"Authorization": f"Token {token}"})
        answer = connection.getresponse()
        return answer.status == 200 and json.loads(answer.read())["hosts"]["dead"] == 0
    except (OSError, http.client.HTTPException, ValueError, KeyError):
        return False
    finally:
        connection.close()


def is_ready() -> bool:
    """Whether /readyz answers. A redirect to HTTPS or a refused Host header is an answer too; 5xx is not."""
    host, port = host_and_port()
    connection = http.client.HTTPConnection({"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status < 500
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()

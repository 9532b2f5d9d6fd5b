"""Waits for what a process of the Procfile needs, then becomes that process.

    python -m setup.wait_and_exec --prepare COMMAND...   for Cassandra, then make schema, tables, admin and hosts ready
    python -m setup.wait_and_exec --portal COMMAND...    for the portal's /readyz

Procfile runners start everything at once and in no order. `make run` prepares before it starts anything and says so
by SCHED_PREPARED=1.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable

from setup import portal_address

PATIENCE_SECONDS = 300.0


def main(arguments: list[str]) -> int:
    """Returns only when the wait failed."""
    if len(arguments) < 2 or arguments[0] not in ("--prepare", "--portal"):
        print(__doc__, file=sys.stderr)
        return 2
    what, command = arguments[0], arguments[1:]
    try:
        if what == "--portal" and not _wait(portal_address.is_ready, f"the portal at {portal_address.url()}"):
            return 1
    except portal_address.PortalAddressError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if what == "--prepare" and os.environ.get("SCHED_PREPARED") != "1":
        if not _wait(_cassandra_listens, "Cassandra"):
            return 1
        if code := subprocess.call([sys.executable, "-m", "setup.prepare"]):
            return code
    try:
        os.execvp(command[0], command)
    except OSError as error:
        print(f"error: cannot run {command[0]}: {error.strerror}", file=sys.stderr)
        return 1


def _wait(ready: Callable[[], bool], what: str) -> bool:
    began = time.monotonic()
    while not ready():
        if time.monotonic() - began > PATIENCE_SECONDS:
            print(f"error: {what} did not answer within {PATIENCE_SECONDS:.0f} s", file=sys.stderr)
            return False
        time.sleep(0.3)
    return True


def _cassandra_listens() -> bool:
    """Cassandra opens its CQL port only once it can answer, so an open port is enough here."""
    hosts = os.environ.get("CASSANDRA_HOSTS", "").split(",")
    port = int(os.environ.get("CASSANDRA_PORT") or 9042)
    wanted = [host.strip() for host in hosts if host.strip()] or [os.environ.get("CLUSTER_ADDRESS") or "127.0.1.1"]
    for host in wanted:
        try:
            socket.create_connection((host, port), timeout=2).close()
            return True
        except OSError:
            continue
    return False


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

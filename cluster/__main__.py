"""`python -m cluster start|stop|status|foreground|kill`: local Cassandra nodes from the command line."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from cluster.errors import LaunchError
from cluster.launch import (
    ClusterSettings,
    Node,
    Ring,
    ring_from_settings,
    ring_that_runs,
    settings_from_environment,
)

EXIT_FAILED = 1
EXIT_NOT_UP = 3  # what `systemctl status` answers for a service that does not run


def say(line: str) -> None:
    print(line, flush=True)


def start(settings: ClusterSettings) -> int:
    """Returns when every node answers."""
    ring = ring_from_settings(settings, say)
    if not ring.start():
        say(f"Cassandra is already up at {', '.join(ring.contact_points)}, port {ring.port}")
    return 0


def stop(settings: ClusterSettings) -> int:
    """Stops every node under the var directory, however many were asked for."""
    began = time.monotonic()
    stopped = ring_that_runs(settings, say).stop()
    names = ", ".join(node.name for node in stopped)
    say(f"stopped {names} in {time.monotonic() - began:.1f} s" if stopped else "no local Cassandra node runs")
    return 0


def kill(settings: ClusterSettings) -> int:
    """What a power cut does; for trying out what survives it."""
    killed = ring_that_runs(settings, say).kill9()
    say(f"killed {', '.join(node.name for node in killed)}" if killed else "no local Cassandra node runs")
    return 0


def status(settings: ClusterSettings) -> int:
    """One line a node; exit code 0 only when all of them answer."""
    healthy = True
    for node in ring_from_settings(settings).nodes:
        process = node.process()
        answering = process is not None and node.answers()
        healthy = healthy and answering
        state = "answers" if answering else "runs but does not answer" if process else "is down"
        pid = f", pid {process.pid}, {process.memory_info().rss // 2**20} MiB" if process else ""
        say(f"{node.name} {state}: {node.address}:{node.port}{pid}, log {node.log}")
    return 0 if healthy else EXIT_NOT_UP


def foreground(settings: ClusterSettings) -> int:
    """For Procfile runners: start or attach, stay, stop what was started here; a node that dies ends this too."""
    ring = ring_from_settings(settings, say)
    started: list[Node] = []
    try:
        started = ring.start()
        say("Cassandra is up" if started else "Cassandra was up already and stays up when this ends")
        dead = _wait_for_a_death(ring)
    except KeyboardInterrupt:
        return 0
    finally:
        for node in reversed(started):
            node.stop()
    say(f"{dead.name} is gone; its log: {dead.log}")
    return EXIT_FAILED


def _wait_for_a_death(ring: Ring) -> Node:
    while True:
        for node in ring.nodes:
            if node.process() is None:
                return node
        time.sleep(0.5)


def stay_without_node() -> int:
    """`foreground` when Cassandra is elsewhere: Procfile runners end everything when one process ends."""
    with contextlib.suppress(KeyboardInterrupt):
        signal.pause()
    return 0


def interrupt_once(number: int, _: object) -> None:
    """SIGTERM undoes what was begun just as Ctrl-C does, and a second one does not interrupt the undoing."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise KeyboardInterrupt


COMMANDS: dict[str, Callable[[ClusterSettings], int]] = {
    "start": start,
    "stop": stop,
    "status": status,
    "foreground": foreground,
    "kill": kill,
}


def main(arguments: list[str]) -> int:
    """Run one command; every failure that can be foreseen is one line on stderr and a code that is not 0."""
    signal.signal(signal.SIGINT, interrupt_once)
    signal.signal(signal.SIGTERM, interrupt_once)
    try:
        options = _parser().parse_args(arguments)
        settings = _with_options(settings_from_environment(os.environ), options)
        if settings.elsewhere and options.command != "kill":
            say(f"CASSANDRA_HOSTS is set ({settings.elsewhere}): no local node is started or stopped")
            return stay_without_node() if options.command == "foreground" else 0
        return COMMANDS[options.command](settings)
    except LaunchError as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_FAILED
    except KeyboardInterrupt:
        print("interrupted: what was being started is stopped again", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m cluster", description=__doc__)
    parser.add_argument("command", choices=sorted(COMMANDS))
    parser.add_argument("--nodes", type=int, help="how many nodes (CLUSTER_NODES, 1)")
    parser.add_argument("--var", type=lambda text: Path(text).absolute(), help="data directory (CLUSTER_VAR, var)")
    parser.add_argument("--address", help="the first node's loopback address (CLUSTER_ADDRESS, 127.0.1.1)")
    parser.add_argument("--port", type=int, help="CQL port (CASSANDRA_PORT, 9042)")
    parser.add_argument("--storage-port", type=int, help="port between nodes (CLUSTER_STORAGE_PORT, 7000)")
    parser.add_argument("--jmx-port", type=int, help="JMX of the first node, 0 for none (CLUSTER_JMX_PORT, 7201)")
    parser.add_argument("--heap", help="a node's Java heap (CLUSTER_HEAP, 1G)")
    parser.add_argument("--dc", help="data centre (CASSANDRA_LOCAL_DC, dc1)")
    parser.add_argument("--rack", help="rack (CLUSTER_RACK, rack1)")
    parser.add_argument("--start-timeout", type=float, help="seconds a node may take (CLUSTER_START_TIMEOUT, 180)")
    return parser


def _with_options(settings: ClusterSettings, options: argparse.Namespace) -> ClusterSettings:
    given = {name: value for name, value in vars(options).items() if value is not None and name != "command"}
    return replace(settings, **given)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

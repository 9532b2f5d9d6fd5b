"""All the local nodes of one var directory, started one after another and stopped together."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from cluster.errors import LaunchError
from cluster.node import Node, Say, say_nothing
from cluster.pidfile import read_pidfile
from cluster.settings import ClusterSettings


@dataclass
class Ring:
    """Nodes that know each other. Starting is serial: each joins a ring that is settled, and the CPU is not shared."""

    nodes: list[Node]
    home: Path
    say: Say = say_nothing

    @property
    def contact_points(self) -> list[str]:
        return [node.address for node in self.nodes]

    @property
    def port(self) -> int:
        return self.nodes[0].port

    def start(self) -> list[Node]:
        """Start what does not run yet and return it. If one fails, those started by this call are stopped again."""
        started: list[Node] = []
        with self._alone():
            try:
                for node in self.nodes:
                    if node.process() is None:
                        self.say(f"{node.name}: starting Cassandra, log in {node.log}")
                    if node.start():
                        started.append(node)
            except BaseException:
                for node in reversed(started):
                    node.stop()
                raise
        return started

    def stop(self) -> list[Node]:
        """Stop the nodes that run, the last one first, and return them."""
        with self._alone():
            return [node for node in reversed(self.nodes) if node.stop()]

    def kill9(self) -> list[Node]:
        return [node for node in self.nodes if node.kill9()]

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Two commands at once (make run, make test) take turns: the second finds the first one's node up."""
        try:
            self.home.mkdir(parents=True, exist_ok=True)
            lock = (self.home / "launch.lock").open("w")
        except OSError as error:
            raise LaunchError(f"cannot write to {self.home}: {error.strerror or error}") from None
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self.say(f"waiting for another start or stop under {self.home} ...")
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def ring_from_settings(settings: ClusterSettings, say: Say = say_nothing) -> Ring:
    """The ring that the settings describe, whether it runs or not."""
    seed = f"{settings.address}:{settings.storage_port}"
    nodes = [
        Node(
            name=f"node{index + 1}",
            home=settings.home / f"node{index + 1}",
            lib=settings.lib,
            address=settings.address_of(index),
            port=settings.port,
            storage_port=settings.storage_port,
            seeds=seed,
            jmx_port=settings.jmx_port + index if settings.jmx_port else 0,
            dc=settings.dc,
            rack=settings.rack,
            heap=settings.heap,
            replication=min(settings.nodes, 3),
            start_timeout=settings.start_timeout,
            say=say,
        )
        for index in range(settings.nodes)
    ]
    return Ring(nodes, settings.home, say)


def ring_that_runs(settings: ClusterSettings, say: Say = say_nothing) -> Ring:
    """Every node that has a pid file, however many the settings name: stop must leave nothing running."""
    nodes = []
    for pidfile in sorted(settings.home.glob("*/node.pid")):
        running = read_pidfile(pidfile)
        if running:
            home = pidfile.parent
            nodes.append(
                Node(home.name, home, settings.lib, running.address, running.port, settings.storage_port, "", say=say)
            )
    return Ring(nodes, settings.home, say)

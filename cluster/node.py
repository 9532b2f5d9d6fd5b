"""One Cassandra node: a JVM with a directory of its own, started, watched and stopped by its pid file."""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from cluster.answer import answers
from cluster.configure import write_configuration
from cluster.errors import LaunchError
from cluster.java_command import find_java, java_command
from cluster.pidfile import RunningNode, read_pidfile, write_pidfile
from cluster.preflight import DEFAULT_FREE_BYTES, check_disk, check_jars, check_ports
from cluster.read_log import last_error, log_size

Say = Callable[[str], None]

# A stop flushes memtables; on a slow disk that takes seconds. Nothing acknowledged is lost if it has to be killed.
STOP_GRACE_SECONDS = 30.0
_PROGRESS_SECONDS = 5.0


def say_nothing(_: str) -> None:
    """The voice of tests."""


@dataclass
class Node:
    """A node and what it runs with. All its files are under `home`; `seeds` is comma separated, address:port."""

    name: str
    home: Path
    lib: Path
    address: str
    port: int
    storage_port: int
    seeds: str
    jmx_port: int = 0
    dc: str = "dc1"
    rack: str = "rack1"
    heap: str = "1G"
    cluster_name: str = "sched-portal"
    replication: int = 1
    start_timeout: float = 180.0
    free_bytes: int = DEFAULT_FREE_BYTES
    dies_with_parent: bool = False
    say: Say = say_nothing
    _child: subprocess.Popen[bytes] | None = field(default=None, init=False, repr=False)

    @property
    def pidfile(self) -> Path:
        return self.home / "node.pid"

    @property
    def log(self) -> Path:
        return self.home / "log" / "system.log"

    def process(self) -> psutil.Process | None:
        """The node's process if it is alive, whoever started it."""
        running = read_pidfile(self.pidfile)
        return running.process() if running else None

    def answers(self, timeout: float = 5.0) -> bool:
        return answers(self.address, self.port, timeout)

    def start(self) -> bool:
        """Start the node and wait until it answers; False when it was up already. A failure leaves nothing running."""
        began = time.monotonic()
        started = self.process() is None
        if started:
            self._check()
            since = self._launch(find_java())
        else:
            self._check_is_the_one_wanted()
            since = log_size(self.home)
        try:
            self._wait_until_it_answers(began, since)
        except BaseException:
            if started:
                self.kill9()
            raise
        if started:
            self.say(f"{self.name} answers at {self.address}:{self.port} after {time.monotonic() - began:.1f} s")
        return started

    def stop(self, grace: float = STOP_GRACE_SECONDS) -> bool:
        """SIGTERM, and SIGKILL for one that is not gone after `grace` seconds; False when it did not run."""
        process = self.process()
        if process is None:
            self._forget()
            return False
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGCONT)  # a paused process keeps its SIGTERM waiting
        if not self._wait_until_gone(process, grace):
            self.say(f"{self.name} did not stop in {grace:.0f} s and is killed")
            return self.kill9()
        self._forget()
        return True

    def kill9(self) -> bool:
        """What a power cut does to the process; the next start() finds the same data."""
        process = self.process()
        if process is not None:
            process.send_signal(signal.SIGKILL)
            self._wait_until_gone(process, 30.0)
        self._forget()
        return process is not None

    def pause(self) -> None:
        """The node hangs: it holds its connections and answers nobody."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        process = self.process()
        if process is None:
            raise LaunchError(f"{self.name} is not running")
        process.send_signal(number)

    def _check(self) -> None:
        check_jars(self.lib)
        check_disk(self.home, self.free_bytes)
        ports = {"CASSANDRA_PORT": self.port, "CLUSTER_STORAGE_PORT": self.storage_port}
        check_ports(self.address, ports, self.jmx_port)

    def _check_is_the_one_wanted(self) -> None:
        running = read_pidfile(self.pidfile)
        if running and (running.address, running.port) != (self.address, self.port):
            raise LaunchError(
                f"{self.name} already runs at {running.address}:{running.port}, not {self.address}:{self.port}:"
                " `make cassandra-stop` first"
            )

    def _launch(self, java: str) -> int:
        """Start the JVM and write the pid file; returns where its part of the log begins."""
        shutil.rmtree(self.home / "tmp", ignore_errors=True)  # native libraries that a killed JVM left unpacked
        values = ("cluster_name", "replication", "address", "port", "storage_port", "seeds", "dc", "rack")
        write_configuration(self.home, {name: getattr(self, name) for name in values})
        since = log_size(self.home)
        command = java_command(java, self.lib, self.home, self.heap, self.jmx_port)
        if self.dies_with_parent and (setpriv := shutil.which("setpriv")):
            command = [setpriv, "--pdeathsig", "KILL", *command]
        with (self.home / "log" / "console.log").open("wb") as console:
            # A session of its own: Ctrl-C on the terminal reaches whoever waits for the node, not the node.
            self._child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=subprocess.STDOUT,
                cwd=self.home,
                start_new_session=True,
            )
        created = psutil.Process(self._child.pid).create_time()
        write_pidfile(self.pidfile, RunningNode(self._child.pid, created, self.address, self.port))
        return since

    def _wait_until_it_answers(self, began: float, since: int) -> None:
        next_line = began + _PROGRESS_SECONDS
        while not self.answers():
            now = time.monotonic()
            if self.process() is None:
                raise LaunchError(f"{self.name} died while starting: {self._why(since)}")
            if now - began > self.start_timeout:
                raise LaunchError(f"{self.name} did not answer within {self.start_timeout:.0f} s: {self._why(since)}")
            if now >= next_line:
                self.say(f"{self.name} is starting, {now - began:.0f} s ...")
                next_line += _PROGRESS_SECONDS
            time.sleep(0.2)

    def _why(self, since: int) -> str:
        return f"{last_error(self.home, since) or 'no error in its log'} (log: {self.log})"

    def _wait_until_gone(self, process: psutil.Process, timeout: float) -> bool:
        """Wait, and reap the process when it is our own child, so that no zombie keeps its pid."""
        try:
            if self._child is not None and self._child.pid == process.pid:
                self._child.wait(timeout)
            else:
                process.wait(timeout)
        except (psutil.TimeoutExpired, subprocess.TimeoutExpired):
            return False
        return True

    def _forget(self) -> None:
        if self._child is not None:
            self._child.poll()
        self.pidfile.unlink(missing_ok=True)

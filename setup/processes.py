"""The portal's processes under honcho: started together, and one that ends brings the others down."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, TextIO

import honcho.manager
from honcho.environ import parse_procfile
from honcho.manager import Manager
from honcho.printer import Printer

# The portal closes its WebSockets and the conductor finishes the request it is at; five seconds (honcho's own) is
# too few on a busy machine. honcho has no parameter for it.
honcho.manager.KILL_WAIT = 15

READY_SECONDS = 180.0


class Terminal:
    """Standard output that nobody has to read: when it is closed (`| head`, a lost connection) all is stopped."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def isatty(self) -> bool:
        return self.stream.isatty()

    def write(self, text: str) -> int:
        try:
            return self.stream.write(text)
        except OSError:
            self._nobody_reads()
            return len(text)

    def flush(self) -> None:
        try:
            self.stream.flush()
        except OSError:
            self._nobody_reads()

    @staticmethod
    def _nobody_reads() -> None:
        silence_output()
        os.kill(os.getpid(), signal.SIGTERM)


def silence_output() -> None:
    """From now on what is printed goes nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)


class Processes(Manager):  # type: ignore[misc]  # honcho ships no types
    """honcho's manager, which also says when everything is ready and which process ended first."""

    def __init__(
        self,
        when_started: Callable[[dict[str, int]], None],
        is_ready: Callable[[], bool],
        when_ready: Callable[[], None],
    ) -> None:
        """`when_started` gets the names and pids; `is_ready` is asked until it is, then `when_ready` is called."""
        super().__init__(Printer(Terminal(sys.stdout)))
        self.when_started = when_started
        self.is_ready = is_ready
        self.when_ready = when_ready
        self.ended_first = ""
        self.never_ready = False

    @property
    def was_asked_to_stop(self) -> bool:
        """Not told by the return code: a process that somebody else ended by SIGTERM has 143 as well."""
        return not self.ended_first and not self.never_ready

    def add_procfile(self, text: str, environment: dict[str, str]) -> None:
        for name, command in parse_procfile(text).processes.items():
            self.add_process(name, command, env=environment)

    def terminate(self) -> None:
        """Ask all to end. Called by honcho at a signal and when a process has ended.

        Works around honcho 2.0: a signal that comes before every process has reported its pid is a KeyError, and
        the processes stay. Can go when Manager._killall copes with a process that has no pid yet.
        """
        if not self._all_started():
            threading.Timer(0.1, self.terminate).start()
            return
        if not self._terminating:
            self.ended_first = next((name for name, process in self._processes.items() if "returncode" in process), "")
        super().terminate()

    def _start(self) -> Any:
        super()._start()
        threading.Thread(target=self._announce, daemon=True).start()

    def _announce(self) -> None:
        began = time.monotonic()
        while not self._all_started():
            time.sleep(0.05)
        self.when_started({name: process["pid"] for name, process in self._processes.items()})
        while not self._terminating:
            if self.is_ready():
                self.when_ready()
                return
            if time.monotonic() - began > READY_SECONDS:
                self._system_print(f"the portal did not become ready within {READY_SECONDS:.0f} s\n")
                self.never_ready = True
                self.terminate()
                return
            time.sleep(0.2)

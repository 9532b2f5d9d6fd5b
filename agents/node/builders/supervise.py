"""Holds running instances to what was claimed for them, five times a second and more.

A thread of its own, because a busy event loop would look late and a program can take a gigabyte in a second. What
cgroups would do better (nothing escapes between two looks) needs rights that an agent may not have; this needs none.
"""

from __future__ import annotations

import asyncio
import signal
import subprocess
import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass, field

from agents.node.builders.builder import Ended
from agents.node.builders.process_table import ProcessTable, Row, family, is_running, own_memory, read_table, send
from agents.node.instances import Handle
from agents.node.journal import Journal

LOOK_EVERY = 0.1
MEBIBYTE = 2**20


@dataclass(frozen=True)
class Limits:
    """0 memory_mb: none was claimed, so none is enforced."""

    memory_mb: int
    processes: int


@dataclass
class Watched:
    """`child` is empty for an adopted process, which is somebody else's child by now."""

    handle: Handle
    limits: Limits
    child: list[subprocess.Popen[bytes]]
    members: list[Row] = field(default_factory=list)
    ended: Future[Ended] = field(default_factory=Future)


class Supervisor:
    def __init__(self) -> None:
        self._watched: dict[str, Watched] = {}
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._look_forever, name="supervisor", daemon=True)
        self._journal = Journal()

    def watch(self, claim_id: str, watched: Watched) -> None:
        with self._lock:
            self._watched[claim_id] = watched
        self._wake.set()
        if not self._thread.is_alive():
            self._thread.start()

    def forget(self, claim_id: str) -> None:
        """Reaps, too: an instance that was killed for its limits was never asked for its exit code."""
        with self._lock:
            watched = self._watched.pop(claim_id, None)
        for child in watched.child if watched else []:
            child.poll()

    def is_watched(self, claim_id: str) -> bool:
        return claim_id in self._watched

    def handle(self, claim_id: str) -> Handle:
        return self._watched[claim_id].handle

    def members(self, claim_id: str) -> list[Row]:
        watched = self._watched.get(claim_id)
        return list(watched.members) if watched else []

    async def ended(self, claim_id: str) -> Ended:
        """Raises KeyError when nobody watches it. Shielded: a cancelled listener must not cancel the news."""
        return await asyncio.shield(asyncio.wrap_future(self._watched[claim_id].ended))

    def _look_forever(self) -> None:
        while True:
            began = time.monotonic()
            with self._lock:
                watched = [(claim_id, one) for claim_id, one in self._watched.items() if not one.ended.done()]
            if not watched:
                self._wake.wait()
                self._wake.clear()
                continue
            try:
                table = read_table()
                for claim_id, one in watched:
                    self._judge(claim_id, one, table)
            except Exception as error:  # the thread must outlive whatever /proc comes up with
                self._journal.error("a look at the processes failed", error=repr(error))
            time.sleep(max(0.01, LOOK_EVERY - (time.monotonic() - began)))

    def _judge(self, claim_id: str, one: Watched, table: ProcessTable) -> None:
        one.members = family(one.handle, one.members, table)
        verdict = _broken_limit(one)
        if verdict:
            send(one.members, signal.SIGKILL)
            self._journal.warning("limit exceeded, killed", claim=claim_id, reason=verdict)
        elif one.child:
            verdict = _exit_of(one.child[0])
        elif not is_running(one.handle, table):
            verdict = "exited; its code is not known, the agent was restarted while it ran"
        if verdict:
            one.ended.set_result(Ended(verdict))


def _broken_limit(one: Watched) -> str:
    allowed = one.limits.memory_mb * MEBIBYTE
    if allowed and sum(row.resident for row in one.members) > allowed:
        used = own_memory(one.members)
        if used > allowed:
            return f"memory_mb exceeded: {used // MEBIBYTE} used of {one.limits.memory_mb}"
    if len(one.members) > one.limits.processes:
        return f"processes exceeded: {len(one.members)} of {one.limits.processes}"
    return ""


def _exit_of(child: subprocess.Popen[bytes]) -> str:
    code = child.poll()
    if code is None:
        return ""
    return f"exited with code {code}" if code >= 0 else f"killed by {signal.Signals(-code).name}"

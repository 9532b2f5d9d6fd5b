"""An instance as one supervised process of this host, in a session of its own, held to what was claimed for it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Collection, Mapping
from pathlib import Path

from agents.node.builders.builder import BuildFailed, Ended, Started
from agents.node.builders.process_table import (
    ProcessTable,
    Row,
    age,
    family,
    handle_of,
    holders,
    is_running,
    marked,
    read_row,
    read_table,
    send,
    values_of,
)
from agents.node.builders.spawn import (
    CLAIM_VARIABLE,
    LOCK_FILE,
    StillRunning,
    host_marker,
    is_locked,
    last_line,
    marker,
    spawn,
)
from agents.node.builders.supervise import Limits, Supervisor, Watched
from agents.node.configuration import Image
from agents.node.instances import NOTHING, Handle, Instance, instance_directory

FIND_WITHIN = 2.0
"""Seconds a program that was just forked may take to show its environment, before its lock counts as a stranger's."""

FIRST_LOOK = 0.3
"""Seconds even an image that is ready at once is watched, so that one that cannot run at all is a failed build."""

KILL_WITHIN = 15.0
DEFAULT_PROCESSES = 256


class ProcessBuilder:
    def __init__(self, state_dir: Path, images: Mapping[str, Image], default_image: str, grace: float) -> None:
        self._state_dir = state_dir.absolute()
        self._images = images
        self._default_image = default_image
        self._grace = grace
        self._supervisor = Supervisor()
        self._cores: dict[str, frozenset[int]] = {}

    async def build(self, instance: Instance, started: Started) -> None:
        image = self._image(instance)
        if self._supervisor.is_watched(instance.claim_id) or await self.adopt(instance):
            handle = self._supervisor.handle(instance.claim_id)
        elif instance.handle != NOTHING:
            raise BuildFailed(self._with_last_line(instance, "ended while the agent was away"))
        else:
            handle = self._start(instance, image)
        started(handle)
        await self._wait_until_ready(instance, image, handle)

    async def adopt(self, instance: Instance) -> bool:
        handle = self._find(instance)
        deadline = time.monotonic() + FIND_WITHIN
        # A fork that has not executed its program yet shows the old agent's environment, but holds the lock already.
        while handle == NOTHING == instance.handle and self._is_locked(instance) and time.monotonic() < deadline:
            await asyncio.sleep(0.05)
            handle = self._find(instance)
        if handle == NOTHING:
            return False
        with contextlib.suppress(OSError):
            self._cores[instance.claim_id] = frozenset(os.sched_getaffinity(handle.pid))
        self._supervisor.watch(instance.claim_id, Watched(handle, self._limits(instance), []))
        return True

    async def alive(self, instance: Instance) -> Ended:
        if not self._supervisor.is_watched(instance.claim_id):
            return Ended(self._with_last_line(instance, "ended while the agent was away"))
        ended = await self._supervisor.ended(instance.claim_id)
        return Ended(self._with_last_line(instance, ended.reason))

    async def destroy(self, instance: Instance) -> None:
        """Politely first. Raises TimeoutError when something outlives SIGKILL, as in a hanging system call."""
        await self._signal_until_gone(instance, signal.SIGTERM, self._grace)
        if not await self._signal_until_gone(instance, signal.SIGKILL, KILL_WITHIN):
            raise TimeoutError(f"processes of {instance.claim_id} outlive SIGKILL")
        self._supervisor.forget(instance.claim_id)
        self._cores.pop(instance.claim_id, None)

    async def strays(self, host: str, known: Collection[str]) -> list[str]:
        """By the marks in their environment: what took those off is found by its lock, while it has a record."""
        return sorted(values_of(CLAIM_VARIABLE, marked(host_marker(host), read_table())) - set(known))

    def _start(self, instance: Instance, image: Image) -> Handle:
        cores = self._choose_cores(instance)
        try:
            child = spawn(instance, image, self._room(instance), cores)
        except StillRunning as error:
            raise BuildFailed("something started for this claim before still runs and cannot be identified") from error
        # Its row stays until `poll`, even when it has ended already: nobody else may reap it.
        handle = handle_of(read_row(child.pid))
        self._cores[instance.claim_id] = cores
        self._supervisor.watch(instance.claim_id, Watched(handle, self._limits(instance), [child]))
        return handle

    async def _wait_until_ready(self, instance: Instance, image: Image, handle: Handle) -> None:
        remaining = max(FIRST_LOOK, image.ready_after - age(handle))
        try:
            ended = await asyncio.wait_for(self._supervisor.ended(instance.claim_id), timeout=remaining)
        except TimeoutError:
            return
        raise BuildFailed(self._with_last_line(instance, ended.reason))

    def _find(self, instance: Instance) -> Handle:
        """The recorded process if it is still the same one; without a record, the one that carries the claim's mark."""
        table = read_table()
        if instance.handle != NOTHING:
            return instance.handle if is_running(instance.handle, table) else NOTHING
        carriers = marked(marker(instance.claim_id), table)
        pids = {row.pid for row in carriers}
        first = [row for row in carriers if row.session == row.pid and row.parent not in pids]
        return handle_of(min(first, key=lambda row: row.started)) if first else NOTHING

    async def _signal_until_gone(self, instance: Instance, number: signal.Signals, patience: float) -> bool:
        """Everybody gets the signal once for SIGTERM; SIGKILL goes to whoever is there at each look."""
        deadline = time.monotonic() + patience
        told: set[tuple[int, int]] = set()
        while rows := self._everybody(instance, read_table()):
            fresh = [row for row in rows if number == signal.SIGKILL or _identity(row) not in told]
            send(fresh, number)
            told.update(_identity(row) for row in fresh)
            if time.monotonic() >= deadline:
                return False
            await asyncio.sleep(0.05)
        return True

    def _everybody(self, instance: Instance, table: ProcessTable) -> list[Row]:
        known = self._supervisor.members(instance.claim_id) + marked(marker(instance.claim_id), table)
        handle = instance.handle if is_running(instance.handle, table) else NOTHING
        return family(handle, known, table) or self._holders(instance, table)

    def _holders(self, instance: Instance, table: ProcessTable) -> list[Row]:
        """Whoever slipped out of session, descent and environment still has the lock that it was born with."""
        return holders(self._room(instance) / LOCK_FILE, table) if self._is_locked(instance) else []

    def _is_locked(self, instance: Instance) -> bool:
        return is_locked(self._room(instance))

    def _image(self, instance: Instance) -> Image:
        name = instance.image or self._default_image
        if not name:
            raise BuildFailed("no image was named and this host has no default image")
        if name not in self._images:
            raise BuildFailed(f"unknown image {name!r}: this host has {', '.join(sorted(self._images)) or 'none'}")
        return self._images[name]

    def _limits(self, instance: Instance) -> Limits:
        image = self._images.get(instance.image or self._default_image)
        return Limits(instance.amounts.get("memory_mb", 0), image.max_processes if image else DEFAULT_PROCESSES)

    def _choose_cores(self, instance: Instance) -> frozenset[int]:
        """As many cores as vcpus were claimed, those with the fewest instances first; all of them for 0."""
        cores = sorted(os.sched_getaffinity(0))
        wanted = instance.amounts.get("vcpus", 0) or len(cores)
        busy = {core: sum(core in taken for taken in self._cores.values()) for core in cores}
        return frozenset(sorted(cores, key=lambda core: busy[core])[:wanted])

    def _with_last_line(self, instance: Instance, reason: str) -> str:
        line = last_line(self._room(instance))
        return f"{reason}: {line}" if line else reason

    def _room(self, instance: Instance) -> Path:
        return instance_directory(self._state_dir, instance)


def _identity(row: Row) -> tuple[int, int]:
    return row.pid, row.started

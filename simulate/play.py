"""One simulation, top to bottom: hosts, agents, a workload with kills in it, everything given back, and a look at what
did not come back."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping
from dataclasses import replace
from typing import Any

from bench.report import load
from simulate import SimulationError
from simulate.agents import Agents, Kill, grouped, kills
from simulate.costs import Costs
from simulate.fleet import Registered, Say, make_fleet, wait_until_alive
from simulate.follow import ask_for_silent, cursor_of_now, follow
from simulate.leaks import clean_up, end_leftovers, find_leaks
from simulate.ledger import Ledger
from simulate.mix import drawn
from simulate.options import Options
from simulate.report import Report, outcome, progress
from simulate.rest import Rest
from simulate.trace import Entry, faster, read_trace, write_trace
from simulate.workload import Workload

BUSY_HEARTBEATS = 150.0  # a second: about half of what one portal process on one core can take
WAIT_FOR_AGENTS = (60.0, 0.1)  # seconds, and more a host


class Simulation:
    """`pids`: whose CPU is told besides the agents'."""

    def __init__(self, options: Options, say: Say, pids: Callable[[], Mapping[str, list[int]]]) -> None:
        self._options, self._say, self._pids = options, say, pids
        self._ledger = Ledger()
        self._workload: list[Workload] = []
        self._was_interrupted = False

    def interrupt(self) -> bool:
        """Ends the workload and gives everything back. False when there is nothing to end in order (any more)."""
        if self._was_interrupted or not self._workload:
            return False
        self._was_interrupted = True
        self._say("  interrupted: giving everything back; once more to end at once")
        self._workload[0].end()
        return True

    async def play(self) -> Report:
        """Raises SimulationError."""
        entries = self._trace()
        async with _line(self._options) as rest:
            hosts = await make_fleet(rest, self._options, self._say)
            groups = grouped(hosts, self._options)
            agents = Agents(groups, self._options, self._say)
            try:
                agents.start()
                interval = await self._wait_for_agents(rest, agents, hosts)
                await end_leftovers(rest, self._options, self._say, force=False)
                return await self._measure(
                    rest, agents, interval, entries or self._drawn(hosts), kills(groups, self._options)
                )
            finally:
                agents.stop()

    async def _measure(
        self, rest: Rest, agents: Agents, interval: float, entries: Iterable[Entry], to_kill: Iterable[Kill]
    ) -> Report:
        options, ledger = self._options, self._ledger
        workload = Workload(rest, options.cell, ledger)
        self._workload.append(workload)
        cursor = await cursor_of_now(rest, options.cell)
        costs = Costs(self._pids(), agents.cpu)
        beside = [
            follow(rest, options.cell, ledger, cursor),
            ask_for_silent(rest, ledger),
            self._watch(agents, workload),
            *(_kill(agents, one) for one in to_kill),
        ]
        began = time.monotonic()
        try:
            async with _alongside(beside):
                await workload.play(entries, options.seconds)
                played = time.monotonic() - began
                await workload.drain(options.settle)
                drained = time.monotonic() - began - played
        finally:
            await workload.stop()
        cpu = costs.read()
        if options.save_trace:
            write_trace(options.save_trace, workload.done)
        leaks = [*self._not_over(), *await find_leaks(rest, options.cell, agents)]
        said = outcome(ledger)
        return Report(
            cell=options.cell, hosts=options.hosts, agent_processes=agents.processes, heartbeat_interval=interval,
            seconds=played, drained_after=drained, interrupted=self._was_interrupted,
            requests_per_second=said["requests"] / max(played, 0.1), agents_killed=agents.killed,
            agents_died=agents.died, asked_again=rest.asked_again, cpu=cpu, agents_memory=agents.memory(),
            load=load(), leaks=leaks, **said,
        )  # fmt: skip

    def _trace(self) -> list[Entry]:
        """Read before anything is made, so that a mistake costs nothing; empty without a trace."""
        if self._options.trace is None:
            return []
        entries = faster(read_trace(self._options.trace, self._options.lifetime), self._options.speed)
        longest = max(one.at + one.lifetime for one in entries)
        self._options = replace(self._options, seconds=min(self._options.seconds, longest))
        return entries

    def _drawn(self, hosts: Iterable[Registered]) -> Iterable[Entry]:
        return drawn(self._options, {one.host.resource_class for one in hosts})

    async def _wait_for_agents(self, rest: Rest, agents: Agents, hosts: list[Registered]) -> float:
        """The interval in which the portal wants heartbeats."""
        said = (await rest.post(f"/api/providers/{hosts[0].id}/heartbeat")).or_raise("a heartbeat")
        interval = float(said["interval"])
        a_second = len(hosts) / interval
        self._say(
            f"  {len(hosts)} agents in {agents.processes} processes; the portal asks each for a heartbeat every "
            f"{interval:g} s: {a_second:.0f} a second"
        )
        if a_second > BUSY_HEARTBEATS:
            enough = max(interval, len(hosts) / BUSY_HEARTBEATS)
            self._say(f"  that is much for one portal: HEARTBEAT_INTERVAL={enough:.0f} HEARTBEAT_TTL={3 * enough:.0f}")
        least, each = WAIT_FOR_AGENTS
        until = time.monotonic() + least + each * len(hosts)
        while agents.reported() < len(hosts) and time.monotonic() < until:
            await asyncio.sleep(1.0)
            agents.look()
        alive = await wait_until_alive(rest, self._options, self._say, until - time.monotonic())
        self._say(f"  {alive} of {len(hosts)} hosts are heard from")
        await asyncio.sleep(agents.first_looks)
        return interval

    async def _watch(self, agents: Agents, workload: Workload) -> None:
        hosts, seconds = self._options.hosts, self._options.seconds
        while True:
            await asyncio.sleep(self._options.every)
            agents.look()
            self._say(progress(self._ledger, workload.began, seconds, agents.up, hosts))

    def _not_over(self) -> list[str]:
        return [f"request {one.request_id}: {one.state or 'claimed'} {one.reason}, its end was not heard of"
                for one in self._ledger.open()]  # fmt: skip


async def remove(options: Options, say: Say) -> None:
    """What `--cleanup` does. Raises SimulationError."""
    async with _line(options) as rest:
        await clean_up(rest, options, say)


async def _kill(agents: Agents, one: Kill) -> None:
    await asyncio.sleep(one.at)
    agents.kill(one.group)
    await asyncio.sleep(one.down)
    agents.start_again(one.group)


@contextlib.asynccontextmanager
async def _line(options: Options) -> AsyncIterator[Rest]:
    try:
        token = options.token_file.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise SimulationError(
            f"{options.token_file}: {error.strerror}: give an admin's token by --token-file"
        ) from error
    os.makedirs(options.var, mode=0o700, exist_ok=True)
    rest = Rest(options.portal, token)
    try:
        (await rest.get("/api/cells", limit=1)).or_raise(f"the portal at {options.portal}")
        yield rest
    finally:
        await rest.close()


@contextlib.asynccontextmanager
async def _alongside(work: Iterable[Coroutine[Any, Any, None]]) -> AsyncIterator[None]:
    """While the body runs; an error of theirs ends it, its own end ends them."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one) for one in work]
            yield
            for task in tasks:
                task.cancel()
    except* SimulationError as errors:
        raise errors.exceptions[0] from None

"""One provider of this agent: it reports what it has, says that it is alive, and looks for orders."""

from __future__ import annotations

import asyncio
import contextlib
import math
import random
import time
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path

from agents.node.builders.builder import Builder
from agents.node.configuration import Configuration
from agents.node.instances import Instance, InstanceStore, State, intend, intend_end, shown_active, stray
from agents.node.inventory import inventory_of
from agents.node.journal import Journal
from agents.node.life import Life, Surroundings
from agents.node.line import Line
from agents.node.provider_configuration import ProviderConfiguration
from agents.node.reconcile import Reconciliation
from agents.protocol import TO_BUILD, ClaimOrder, DestroyOrder, KnownInstance, Report

AFTER_ERROR = 10.0
SHORTEST_HEARTBEAT = 0.2
LONGEST_HEARTBEAT = 300.0
SPREAD_PER_PROVIDER = 0.02
"""Seconds: a fleet in one process starts over this long a provider, not all at the same moment."""

COMPARE_GAP = 60.0
"""Seconds between two comparisons with the portal that late heartbeats are the reason of."""


class Host:
    def __init__(
        self,
        provider: ProviderConfiguration,
        settings: Configuration,
        line: Line,
        builder: Builder,
        journal: Journal,
    ) -> None:
        self.provider_id, self.token, self.name = provider.provider_id, provider.token, provider.name
        self._provider = provider
        self._settings = settings
        self._journal = journal.bind(provider=provider.name)
        self._line = line
        self._store = InstanceStore(settings.state_dir, provider.provider_id)
        self._around = Surroundings(self._line, builder, self._store, self._end_siblings, self._changed)
        self._lives: dict[str, Life] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._change = asyncio.Event()
        self._reported: list[Report] = []
        self._reported_at = 0.0
        self._heartbeat_interval = settings.heartbeat_interval
        self._unreadable: set[str] = set()
        self._is_told = False
        self._look = asyncio.Event()
        self._compare = asyncio.Event()
        self._has_looked = asyncio.Event()
        self._heard_at = time.monotonic()
        self._late_at = -math.inf
        self._reconciliation = Reconciliation(
            self._line,
            self._lives,
            self._take_up,
            lambda known: builder.strays(self.provider_id, known),
            self._take_stray_away,
            self._journal,
        )

    async def run(self) -> None:
        await asyncio.sleep(random.uniform(0, SPREAD_PER_PROVIDER * len(self._settings.providers)))
        async with asyncio.TaskGroup() as loops:
            loops.create_task(self._forever("report", self.report, asyncio.Event()))
            loops.create_task(self._forever("heartbeat", self.heartbeat, asyncio.Event()))
            loops.create_task(self._forever("poll", self.poll, self._look))
            loops.create_task(self._forever("reconcile", self.reconcile, self._compare))

    async def run_once(self) -> None:
        """One report, one heartbeat, then orders until a look brings no new ones and what was begun is settled; what
        runs is held against what the portal says, once."""
        await self.report()
        await self.heartbeat()
        await self.poll()
        await self.reconcile()
        seen: set[str] = set()
        while True:
            fresh = set(self._lives) - seen
            seen |= fresh
            await self._until(lambda: all(life.instance.state == State.ACTIVE for life in self._lives.values()))
            if not fresh:
                return
            await self.poll()

    def resume(self) -> None:
        """Takes up what an earlier run of the agent left. Raises OSError when the state cannot be read at all."""
        for instance in self._store.load(self._set_aside):
            life = Life(instance, self._around, self._journal)
            self._begin(life, life.resume())

    async def report(self) -> float:
        """Says what the host has when that changed or was not said for long. Returns seconds until the next look."""
        measured = inventory_of(self._provider, Path(self._settings.state_dir))
        is_due = time.monotonic() - self._reported_at >= self._settings.report_interval
        if self._reported != [measured] or is_due:
            await self._line.report(measured)
            self._reported, self._reported_at = [measured], time.monotonic()
            self._journal.info("reported", totals=dict(measured.totals))
        return min(self._settings.measure_interval, self._settings.report_interval) * random.uniform(0.9, 1.0)

    async def heartbeat(self) -> float:
        answer = await self._line.heartbeat()
        if time.monotonic() - self._heard_at > answer.ttl:
            self._journal.info("the portal took this host for dead, comparing what runs here with what it says")
            # A portal that is slow to hear makes all its hosts late, time and again: that is no reason to ask it more.
            after = max(0.0, self._late_at + COMPARE_GAP - time.monotonic())
            self._late_at = time.monotonic() + after
            self._soon(self._compare, answer.interval, after)
        self._heard_at = time.monotonic()
        self._heartbeat_interval = min(max(answer.interval, SHORTEST_HEARTBEAT), LONGEST_HEARTBEAT)
        return self._heartbeat_interval * random.uniform(0.8, 1.0)

    async def poll(self) -> float:
        page = await self._line.orders()
        for complaint in set(page.unreadable) - self._unreadable:
            self._journal.error("an order cannot be read and is left alone", detail=complaint)
        self._unreadable = set(page.unreadable)
        for claim in page.claims:
            self._consider(claim)
        for order in page.destroy:
            self._take_away(order)
        self._has_looked.set()
        interval = self._settings.poll_interval
        if self._is_told:
            interval = max(interval, self._settings.fallback_poll_interval)
        return interval * random.uniform(0.8, 1.2)

    async def reconcile(self) -> float:
        """Holds what runs here against what the portal says; orders come first."""
        await self._has_looked.wait()
        await self._reconciliation.look()
        return self._settings.reconcile_interval * random.uniform(0.9, 1.0)

    def look_now(self) -> None:
        """There may be orders. While a look is under way it is followed by another."""
        self._look.set()

    def hear(self) -> None:
        """From now on the portal says when there are orders; what was before, this host looks for itself."""
        self._is_told = True
        self._soon(self._look)

    def hear_nothing(self) -> None:
        """Nobody tells this host any more."""
        if self._is_told:
            self._is_told = False
            self._soon(self._look)

    def _soon(self, turn: asyncio.Event, spread: float = 0.0, after: float = 0.0) -> None:
        """As soon as polling would, or within `spread` seconds: thousands of hosts lose a portal and find it again in
        the same moment."""
        moment = random.uniform(0, spread or self._settings.poll_interval)
        asyncio.get_running_loop().call_later(after + moment, turn.set)

    def _consider(self, claim: ClaimOrder) -> None:
        """A claim that is known is being lived already, however often the portal shows it."""
        if claim.claim_id not in self._lives and claim.state in TO_BUILD:
            life = Life(intend(claim, self.provider_id), self._around, self._journal)
            self._begin(life, life.begin())
        if claim.release_requested and claim.claim_id in self._lives:
            self._lives[claim.claim_id].release()

    def _take_away(self, order: DestroyOrder) -> None:
        if order.claim_id in self._lives:
            self._lives[order.claim_id].destroy()
        else:
            life = Life(intend_end(order, self.provider_id), self._around, self._journal)
            self._begin(life, life.begin())

    def _take_up(self, known: KnownInstance) -> None:
        life = Life(shown_active(known.order, self.provider_id), self._around, self._journal)
        self._begin(life, life.take_up())

    def _take_stray_away(self, claim_id: str) -> None:
        life = Life(stray(claim_id, self.provider_id), self._around, self._journal)
        self._begin(life, life.begin())

    def _begin(self, life: Life, story: Coroutine[None, None, None]) -> None:
        self._lives[life.instance.claim_id] = life
        task = asyncio.create_task(self._live(life, story))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _live(self, life: Life, story: Coroutine[None, None, None]) -> None:
        try:
            await story
        except Exception as error:  # such as a full disk before the intent is written: the next look begins again
            self._journal.error("a claim was left alone for now", claim=life.instance.claim_id, error=repr(error))
        finally:
            self._lives.pop(life.instance.claim_id, None)
            self._changed()
            if life.instance.state == State.DISCARDING:
                self._soon(self._look)  # a claim that was asked back meanwhile is there still, and waits for a word

    async def _forever(self, name: str, turn: Callable[[], Awaitable[float]], now: asyncio.Event) -> None:
        """Turn after turn, with the pause that each asks for, or `now`."""
        while True:
            now.clear()
            try:
                pause = await turn()
            except Exception as error:  # an answer that makes no sense, a disk that cannot be measured: later again
                self._journal.error(f"{name} failed, trying again", error=repr(error))
                pause = AFTER_ERROR
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await now.wait()

    async def _end_siblings(self, instance: Instance) -> None:
        """A request ends as a whole, so its others end here too, told or not: `destroyed` names no claim. Can go when
        it does."""

        def siblings() -> list[Life]:
            of_request = [one for one in self._lives.values() if one.instance.request_id == instance.request_id]
            return [one for one in of_request if one.instance.claim_id != instance.claim_id]

        for life in siblings():
            if life.instance.state == State.ACTIVE:
                life.destroy(instance.reason)
        states = (State.ACTIVE, State.ENDING)
        await self._until(lambda: all(one.is_taken_away for one in siblings() if one.instance.state in states))

    async def _until(self, is_so: Callable[[], bool]) -> None:
        while not is_so():
            self._change.clear()
            await self._change.wait()

    def _changed(self) -> None:
        self._change.set()

    def _set_aside(self, path: Path, error: str) -> None:
        self._journal.error("a state file cannot be read and was set aside", file=str(path), error=error)

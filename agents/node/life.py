"""The life of a claim on this host, top to bottom: say that it is being built, build it, consume it, watch it, end it.

The state is on the disk before the step that it names begins. So a kill at any line repeats at most one step, and
every step may be repeated: the portal answers a second time as it did the first, a builder takes up what it finds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, replace

from agents.node.builders.builder import Builder, BuildFailed
from agents.node.instances import Handle, Instance, InstanceStore, State, moved
from agents.node.journal import Journal
from agents.node.line import Line, Outcome
from agents.protocol import REASON_RELEASED

RETRY_AFTER_ERROR = 2.0
LONGEST_RETRY = 60.0


@dataclass(frozen=True)
class Next:
    state: State
    reason: str = ""


@dataclass(frozen=True)
class Over:
    """Nothing is left of it and everybody who must know does."""


@dataclass(frozen=True)
class Surroundings:
    """What a life needs of its host. `end_siblings` returns when no active instance of the same request runs on this
    host any more: the portal is told about a request, and gives back the amounts of all its instances here."""

    line: Line
    builder: Builder
    store: InstanceStore
    end_siblings: Callable[[Instance], Awaitable[None]]
    changed: Callable[[], None]


Step = Callable[[], Coroutine[None, None, Next | Over]]


class Life:
    def __init__(self, instance: Instance, around: Surroundings, journal: Journal) -> None:
        self.instance = instance
        self.is_taken_away = False
        self._around = around
        self._journal = journal.bind(claim=instance.claim_id, request=instance.request_id)
        self._was_left = False
        self._order: list[Next] = []
        self._running: list[asyncio.Task[Next | Over]] = []
        self._steps: Mapping[State, Step] = {
            State.INTENT: self._announce,
            State.BUILDING: self._build,
            State.BUILT: self._consume,
            State.ACTIVE: self._watch,
            State.FAILING: self._fail,
            State.ENDING: self._end,
            State.DISCARDING: self._discard,
        }

    async def begin(self) -> None:
        """A new instance: the intent to build it is on the disk before anybody hears of it."""
        self._around.store.write(self.instance)
        await self._live()

    async def resume(self) -> None:
        """An instance that an earlier run of the agent left."""
        self._was_left = self.instance.state in (State.BUILT, State.ACTIVE)
        await self._live()

    async def take_up(self) -> None:
        """An instance that the portal says runs here and of which this host has no record: it is looked for."""
        self._was_left = True
        await self.begin()

    def release(self) -> None:
        """The portal wants the claim back. Once it is built, the answer to its consumption decides instead."""
        if self.instance.state in (State.INTENT, State.BUILDING):
            self._interrupt(Next(State.FAILING, REASON_RELEASED))

    def destroy(self, reason: str = "") -> None:
        if self.instance.state != State.ENDING:
            self._interrupt(Next(State.ENDING, reason))

    def discard(self, reason: str) -> None:
        """Nobody knows it any more: there is nobody to tell that it is gone."""
        if self.instance.state == State.ACTIVE:
            self._interrupt(Next(State.DISCARDING, reason))

    async def _announce(self) -> Next | Over:
        outcome = await self._around.line.building(self.instance.claim_id)
        if outcome == Outcome.DONE:
            return Next(State.BUILDING)
        return Next(State.DISCARDING, "the claim was gone before it was built")

    async def _build(self) -> Next | Over:
        try:
            await self._around.builder.build(self.instance, self._started)
        except BuildFailed as error:
            return Next(State.FAILING, str(error) or "the builder gave no reason")
        except OSError as error:  # such as a full disk: another host can build it sooner than this one
            return Next(State.FAILING, f"the host could not build it: {error}")
        return Next(State.BUILT)

    async def _consume(self) -> Next | Over:
        """Also when it ended meanwhile: whether an earlier try was heard is not known, and this settles it."""
        await self._adopt_if_left()
        outcome = await self._around.line.consume(self.instance.claim_id)
        if outcome == Outcome.DONE:
            return Next(State.ACTIVE)
        return Next(State.DISCARDING, "the claim was gone when it was built")

    async def _watch(self) -> Next | Over:
        await self._adopt_if_left()
        ended = await self._around.builder.alive(self.instance)
        return Next(State.ENDING, ended.reason)

    async def _fail(self) -> Next | Over:
        await self._take_away()
        await self._around.line.failed(self.instance.claim_id, self.instance.reason)
        return Over()

    async def _end(self) -> Next | Over:
        await self._take_away()
        await self._around.end_siblings(self.instance)
        await self._around.line.destroyed(self.instance.request_id, self.instance.reason)
        return Over()

    async def _discard(self) -> Next | Over:
        await self._take_away()
        return Over()

    async def _adopt_if_left(self) -> None:
        if self._was_left:
            adopted = await self._around.builder.adopt(self.instance)
            self._journal.info("adopted" if adopted else "not running any more", state=self.instance.state)
            self._was_left = False

    async def _take_away(self) -> None:
        await self._around.builder.destroy(self.instance)
        self.is_taken_away = True
        self._around.changed()

    async def _live(self) -> None:
        errors = 0
        while True:
            try:
                step = await self._step_or_order()
                if isinstance(step, Over):
                    break
                self._move(step)
                errors = 0
            except Exception as error:  # a full disk or a builder's defect: the instance waits, the agent lives on
                errors += 1
                self._journal.error("a step failed, trying it again", state=self.instance.state, error=repr(error))
                await asyncio.sleep(min(RETRY_AFTER_ERROR * errors, LONGEST_RETRY))
        self._around.store.forget(self.instance)
        self._journal.info("over", state=self.instance.state, reason=self.instance.reason)
        self._around.changed()

    async def _step_or_order(self) -> Next | Over:
        """The step's own result, or what it was interrupted with."""
        if not self._order:
            self._running = [asyncio.create_task(self._steps[self.instance.state]())]
            try:
                result = await self._running[0]
            except asyncio.CancelledError:
                if not self._order or self._agent_stops():
                    raise
            else:
                if not self._order or isinstance(result, Over):
                    return result
            finally:
                self._running = []
        return self._order.pop()

    def _agent_stops(self) -> bool:
        """Whether it is this life that was cancelled, and not only its step in favour of an order."""
        task = asyncio.current_task()
        return task is not None and task.cancelling() > 0

    def _interrupt(self, order: Next) -> None:
        self._order = [order]
        for task in self._running:
            task.cancel()

    def _started(self, handle: Handle) -> None:
        if handle != self.instance.handle:
            self.instance = self._around.store.write(replace(self.instance, handle=handle))

    def _move(self, step: Next) -> None:
        self.instance = self._around.store.write(moved(self.instance, step.state, step.reason))
        self._journal.info(step.state.value, reason=step.reason)
        self._around.changed()

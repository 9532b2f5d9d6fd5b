"""Makes the requests when they are due, lets what was placed live, and gives it back."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Iterable

from simulate import SimulationError
from simulate.ledger import PLACED, Asked, Ledger
from simulate.rest import Rest
from simulate.trace import Entry

CONSUMER = "simulate"
DELETES_AT_ONCE = 16
AGAIN = 1.0  # seconds until a deletion that came at a bad moment is repeated


class Workload:
    """`began` is on time.monotonic()'s clock; 0 before."""

    def __init__(self, rest: Rest, cell: str, ledger: Ledger) -> None:
        self.began = 0.0
        self.done: list[Entry] = []
        self._rest, self._cell, self._ledger = rest, cell, ledger
        self._is_over = asyncio.Event()
        self._deleting = asyncio.Semaphore(DELETES_AT_ONCE)
        self._lives: set[asyncio.Task[None]] = set()

    def end(self) -> None:
        """From now on nothing is asked for, and all that lives is given back."""
        self._is_over.set()

    async def play(self, entries: Iterable[Entry], seconds: float) -> None:
        """For so many seconds, or until `end`."""
        self.began = time.monotonic()
        for entry in entries:
            if entry.at >= seconds or await self._pause(entry.at):
                break
            self.done.append(entry)
            life = asyncio.create_task(self._live(entry))
            self._lives.add(life)
            life.add_done_callback(self._lives.discard)
        await self._pause(seconds)
        self.end()

    async def drain(self, seconds: float) -> None:
        """Until nothing of it is left, for so many seconds at the most."""
        if self._lives:
            await asyncio.wait(self._lives, timeout=seconds)
        await self.stop()

    async def stop(self) -> None:
        """Nothing of it goes on; what lives is left as it is."""
        lives = list(self._lives)
        for life in lives:
            life.cancel()
        await asyncio.gather(*lives, return_exceptions=True)

    async def _pause(self, at: float) -> bool:
        """Until so many seconds after the beginning; True when it is over before."""
        return await _first(self.began + at - time.monotonic(), self._is_over)

    async def _live(self, entry: Entry) -> None:
        one = Asked(entry, str(uuid.uuid4()))
        self._ledger.ask(one)
        try:
            await self._ask(one)
            if one.outcome == PLACED:
                await _first(None, one.settled, self._is_over)
                await _first(entry.lifetime, one.over, self._is_over)
                await self._delete(one)
                await one.over.wait()
        except SimulationError as error:
            self._ledger.errors[str(error)] += 1

    async def _ask(self, one: Asked) -> None:
        """Its time counts from when it was due: a portal, or a tool, that is behind is not hidden."""
        body = {**one.entry.body(), "request_id": one.request_id, "consumer": CONSUMER, "cell": self._cell}
        answer = await self._rest.post("/api/schedule", body)
        self._ledger.answered(one, answer, time.monotonic() - self.began - one.entry.at)

    async def _delete(self, one: Asked) -> None:
        one.is_deleted = True
        async with self._deleting:
            while not one.over.is_set():
                answer = await self._rest.ask("DELETE", f"/api/requests/{one.request_id}")
                one.asked_after = time.monotonic()
                if answer.is_success or answer.status == 404:
                    return
                if answer.code not in ("conflict", "contended"):
                    answer.or_raise(f"deleting {one.request_id}")
                await _first(AGAIN, one.over)


async def _first(seconds: float | None, *events: asyncio.Event) -> bool:
    """Until one of the events, or so many seconds are over; whether it was an event."""
    waits = [asyncio.create_task(event.wait()) for event in events]
    try:
        done, _ = await asyncio.wait(waits, timeout=seconds if seconds is None else max(0.0, seconds),
                                     return_when=asyncio.FIRST_COMPLETED)  # fmt: skip
        return bool(done)
    finally:
        for wait in waits:
            wait.cancel()

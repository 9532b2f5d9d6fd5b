"""Builds nothing, in a believable time: for simulated fleets, where everything but the instance itself is real."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Collection

from agents.node.builders.builder import BuildFailed, Ended, Started
from agents.node.configuration import NoopConfiguration
from agents.node.instances import Instance


class NoopBuilder:
    def __init__(self, settings: NoopConfiguration) -> None:
        self._settings = settings

    async def build(self, instance: Instance, started: Started) -> None:
        await asyncio.sleep(random.uniform(self._settings.shortest_build, self._settings.longest_build))
        if random.random() < self._settings.fail_fraction:
            raise BuildFailed("simulated failure")

    async def adopt(self, instance: Instance) -> bool:
        return True

    async def alive(self, instance: Instance) -> Ended:
        await asyncio.Event().wait()
        return Ended("")  # nothing sets the event: what does not run cannot end

    async def destroy(self, instance: Instance) -> None:
        return None

    async def strays(self, host: str, known: Collection[str]) -> list[str]:
        return []

"""The five things a builder can do. Whoever writes another one (containers, virtual machines) reads only this."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Protocol

from agents.node.instances import Handle, Instance

Started = Callable[[Handle], None]
"""Called by a builder as soon as there is something on the host that could be lost; returns when it is on the disk."""


class BuildFailed(Exception):
    """The instance cannot be built. The message is the reason the portal and its operator will read."""


@dataclass(frozen=True)
class Ended:
    """An instance ended without having been told to; `reason` is for the operator."""

    reason: str


class Builder(Protocol):
    async def build(self, instance: Instance, started: Started) -> None:
        """Return when the instance is ready for use; raise BuildFailed when it will not be.

        May be called again for the same claim after the agent was killed at any line of it, and must then take up
        what it finds: never two of one claim. It may be cancelled; `destroy` follows.
        """

    async def adopt(self, instance: Instance) -> bool:
        """Take a built instance up again after a restart of the agent. False: nothing of it runs on this host."""

    async def alive(self, instance: Instance) -> Ended:
        """Return when the instance, built or adopted by this object, has ended by itself or broke its limits."""

    async def destroy(self, instance: Instance) -> None:
        """Take it away with all that belongs to it, and return only when it is gone. Unknown here is gone too.

        Raising means that it may still run: the agent will say nothing to the portal and try again.
        """

    async def strays(self, host: str, known: Collection[str]) -> list[str]:
        """The claims, but these, of which anything runs on this machine that was built for this provider by whatever
        agent, found without any record. Raising means that nobody knows; it is asked again later.
        """

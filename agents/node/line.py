"""What a host says and asks, whoever carries it: the portal over REST, or the portal's own functions beside Cassandra.

Callers see outcomes, never a lost connection: each of these returns when there is an answer that means something.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from agents.protocol import ClaimPage, HeartbeatAnswer, KnownInstance, Report


class Outcome(StrEnum):
    """The last word on a claim, and what it means for the instance."""

    DONE = "done"
    GONE = "gone"  # there is no such claim any more: nothing of it may run


@dataclass(frozen=True)
class CannotSay:
    """Nobody there knows what runs on this host: the provider was removed, or the portal is older than the question."""

    reason: str


class Line(Protocol):
    """Of one provider."""

    async def report(self, report: Report) -> None: ...

    async def heartbeat(self) -> HeartbeatAnswer:
        """Raises ProtocolError when the answer names no usable interval."""

    async def orders(self) -> ClaimPage:
        """All of them. Raises ProtocolError when the answer is none."""

    async def instances(self) -> tuple[KnownInstance, ...] | CannotSay:
        """All that run here, as far as is known there. Raises ProtocolError when the answer is none."""

    async def building(self, claim_id: str) -> Outcome: ...

    async def consume(self, claim_id: str) -> Outcome:
        """Only an answer that says what became of the claim ends this: a built instance is at stake."""

    async def failed(self, claim_id: str, reason: str) -> None: ...

    async def destroyed(self, request_id: str, reason: str) -> None: ...

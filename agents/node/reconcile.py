"""What runs on this host against what the portal says runs here, and what is done about each difference.

A difference that is seen once may be a thing in motion, so each is looked at a second time. And nothing is taken away
but on the portal's own word about that claim: not for a list that lacks it, nor an answer that makes no sense.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence

from agents.node.instances import State
from agents.node.journal import Journal
from agents.node.life import Life
from agents.node.line import CannotSay, Line, Outcome
from agents.protocol import KnownInstance

LOOK_AGAIN = 2.0
"""Seconds between the two looks at an instance that the portal shows and this host does not know."""

UNKNOWN_THERE = "the portal does not know it any more"

Strays = Callable[[Collection[str]], Awaitable[list[str]]]
"""Claims, but these, of which something runs on this host."""


class Reconciliation:
    """Of one host. `lives` are the host's own, by claim, and change meanwhile; `take_up` begins one for an instance
    that was not among them, `take_away` for something that runs and is nobody's."""

    def __init__(
        self,
        line: Line,
        lives: Mapping[str, Life],
        take_up: Callable[[KnownInstance], None],
        strays: Strays,
        take_away: Callable[[str], None],
        journal: Journal,
    ) -> None:
        self._line = line
        self._lives = lives
        self._take_up = take_up
        self._strays = strays
        self._take_away = take_away
        self._journal = journal
        self._said = ""

    async def look(self) -> None:
        """Raises ProtocolError when what the portal says is no list."""
        # Before asking: what becomes active or ends while the answer is on its way is no finding.
        active = {claim_id: life for claim_id, life in self._lives.items() if life.instance.state == State.ACTIVE}
        known_here = set(self._lives)
        shown = await self._line.instances()
        if isinstance(shown, CannotSay):
            self._complain(shown)
            return
        self._said = ""
        for claim_id in sorted(active.keys() - {one.order.claim_id for one in shown}):
            await self._ask_what_became_of(active[claim_id])
        if strangers := self._strangers(shown, known_here):
            await asyncio.sleep(LOOK_AGAIN)
            again = await self._line.instances()
            if not isinstance(again, CannotSay):
                seen_before = {one.order.claim_id for one in strangers}
                self._look_for([one for one in self._strangers(again, known_here) if one.order.claim_id in seen_before])
        await self._take_strays_away()

    async def _ask_what_became_of(self, life: Life) -> None:
        """By saying again that it is built, whose answer names what became of the claim; an instance that is there
        answers `consumed`, as it did the first time."""
        outcome = await self._line.consume(life.instance.claim_id)
        still_runs = self._lives.get(life.instance.claim_id) is life and life.instance.state == State.ACTIVE
        if outcome == Outcome.GONE and still_runs:
            self._journal.warning(
                "an instance runs here that the portal does not know: taking it away",
                claim=life.instance.claim_id,
                request=life.instance.request_id,
            )
            life.discard(UNKNOWN_THERE)

    def _strangers(self, shown: Sequence[KnownInstance], known_here: set[str]) -> list[KnownInstance]:
        unknown = [one for one in shown if one.order.claim_id not in known_here | self._lives.keys()]
        return [one for one in unknown if one.is_wanted]

    def _look_for(self, strangers: Sequence[KnownInstance]) -> None:
        for one in strangers:
            self._journal.warning(
                "the portal shows an instance that this host has no record of: looking for it",
                claim=one.order.claim_id,
                request=one.order.request_id,
            )
            self._take_up(one)

    async def _take_strays_away(self) -> None:
        """What runs, and neither this host nor the portal knows of: in two looks, and on the portal's word."""
        before = await self._strays(self._lives.keys())
        if not before:
            return
        await asyncio.sleep(LOOK_AGAIN)
        orders, shown = await self._line.orders(), await self._line.instances()
        if isinstance(shown, CannotSay):
            return
        theirs = {one.claim_id for one in orders.claims} | {one.claim_id for one in orders.destroy}
        theirs |= {one.order.claim_id for one in shown}
        for claim_id in await self._strays({*self._lives, *theirs}):
            if claim_id not in before or await self._line.consume(claim_id) != Outcome.GONE:
                continue
            if claim_id not in self._lives:
                self._journal.warning("something runs here that nobody knows of: taking it away", claim=claim_id)
                self._take_away(claim_id)

    def _complain(self, answer: CannotSay) -> None:
        if answer.reason != self._said:
            self._said = answer.reason
            self._journal.info("the portal cannot say what runs here", reason=answer.reason)

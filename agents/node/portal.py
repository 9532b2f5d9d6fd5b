"""The agent's line to the portal: every question is asked until it has an answer that means something.

Callers see outcomes, never a lost connection: that is how a portal that is away for an hour costs time and no state.
"""

from __future__ import annotations

import asyncio
import importlib.util
import ipaddress
import itertools
import random
import ssl
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import urlsplit

import httpx

from agents.node.answers import Answer, is_settled, is_success, read_answer, says_what_became_of_it
from agents.node.journal import Journal
from agents.protocol import (
    REASON_LIMIT,
    ROUTE_BUILDING,
    ROUTE_CLAIMS,
    ROUTE_CONSUME,
    ROUTE_DESTROYED,
    ROUTE_FAILED,
    ROUTE_HEARTBEAT,
    ROUTE_REPORT,
    ClaimOrder,
    ClaimPage,
    ClaimState,
    DestroyOrder,
    HeartbeatAnswer,
    ProtocolError,
    Report,
    parse_heartbeat,
    parse_page,
)

FIRST_RETRY = 0.5
SLOW_RETRY = 15.0
SLOWEST_RETRY = 300.0
CONNECTIONS = 8
"""A simulated fleet shares them, so that a portal that comes back is not met by hundreds of connections at once."""

HEARTBEATS = 8
"""Connections for heartbeats alone: who has much to say of its claims is alive all the same."""
EVERY = CONNECTIONS + HEARTBEATS

IsFinal = Callable[[Answer], bool]

TIMEOUT = httpx.Timeout(30.0, connect=5.0)
"""Longer than the portal's own deadline of 20 s: giving up earlier would only ask the same again."""


class Outcome(StrEnum):
    """What the portal's last word on a claim means for the instance."""

    DONE = "done"
    GONE = "gone"  # there is no such claim any more: nothing of it may run


@dataclass(frozen=True)
class Question:
    """`body` is only sent with POST. A heartbeat does not stand in line with the rest."""

    method: str
    path: str
    token: str
    body: Mapping[str, object] | None = None
    params: Mapping[str, str] = field(default_factory=dict)
    is_heartbeat: bool = False


class Portal:
    """One HTTP client for the whole process, and one place that says when the portal goes away and comes back."""

    def __init__(self, url: str, ca_file: str, retry_longest: float, journal: Journal) -> None:
        self._client = httpx.AsyncClient(
            base_url=url,
            timeout=TIMEOUT,
            limits=httpx.Limits(max_connections=EVERY, max_keepalive_connections=EVERY),
            verify=ssl.create_default_context(cafile=ca_file or None),
            # A proxy named in the environment is for portals elsewhere, never for one on this machine.
            trust_env=not is_loopback(url),
        )
        _spare_httpcore_a_search()
        # The pool looks at every connection for every waiting request each time one of them ends; with a fleet's
        # hundreds waiting in it that is most of the agent's CPU, so they wait here.
        self._turn = asyncio.Semaphore(CONNECTIONS)
        self._heartbeats_turn = asyncio.Semaphore(HEARTBEATS)
        self._longest = retry_longest
        self._journal = journal.bind(portal=url)
        self._away = False
        self._complaints: set[tuple[str, int]] = set()

    async def close(self) -> None:
        await self._client.aclose()

    async def ask(self, question: Question, journal: Journal, is_final: IsFinal = is_success) -> Answer:
        """Returns the first answer that is final; all else is asked again, later and later."""
        for tries in itertools.count(1):
            try:
                answer = read_answer(await self._send(question))
            except (httpx.HTTPError, OSError) as error:
                self._lost(tries, error)
                await asyncio.sleep(self._pause(tries))
                continue
            self._heard()
            if is_final(answer):
                self._complaints = {one for one in self._complaints if one[0] != question.token}
                return answer
            if answer.is_passing:
                await asyncio.sleep(answer.retry_after + self._pause(tries))
            else:
                self._complain(question, answer, journal)
                await asyncio.sleep(_jittered(min(SLOW_RETRY * 2 ** min(tries - 1, 5), SLOWEST_RETRY)))
        raise AssertionError("counting never ends")

    async def _send(self, question: Question) -> httpx.Response:
        async with self._heartbeats_turn if question.is_heartbeat else self._turn:
            return await self._client.request(
                question.method,
                question.path,
                json=question.body,
                params=dict(question.params),
                headers={"Authorization": f"Token {question.token}"},
            )

    def _complain(self, question: Question, answer: Answer, journal: Journal) -> None:
        """Once a token and status, until something works again: three loops would say the same three times."""
        if (question.token, answer.status) not in self._complaints:
            self._complaints.add((question.token, answer.status))
            journal.error(_complaint(answer), path=question.path, status=answer.status, detail=answer.text)

    def _pause(self, tries: int) -> float:
        return _jittered(min(FIRST_RETRY * 2 ** min(tries - 1, 10), self._longest))

    def _lost(self, tries: int, error: Exception) -> None:
        """One line for the whole process. The first failure of a call is often an idle connection that was closed."""
        if not self._away and tries > 1:
            self._away = True
            self._journal.warning("portal cannot be reached, waiting for it", error=str(error) or type(error).__name__)

    def _heard(self) -> None:
        if self._away:
            self._away = False
            self._journal.info("portal is back")


class ProviderLine:
    """What one provider says and asks, with the token that is bound to it."""

    def __init__(self, portal: Portal, provider_id: str, token: str, journal: Journal) -> None:
        self._portal = portal
        self._provider_id = provider_id
        self._token = token
        self._journal = journal

    async def report(self, report: Report) -> None:
        await self._post(ROUTE_REPORT.format(provider_id=self._provider_id), report.as_json())

    async def heartbeat(self) -> HeartbeatAnswer:
        """Raises ProtocolError when the answer names no usable interval."""
        path = ROUTE_HEARTBEAT.format(provider_id=self._provider_id)
        question = Question("POST", path, self._token, {}, is_heartbeat=True)
        return parse_heartbeat((await self._portal.ask(question, self._journal)).body)

    async def orders(self) -> ClaimPage:
        """All pages as one. Raises ProtocolError when a page is no page."""
        claims: list[ClaimOrder] = []
        destroy: list[DestroyOrder] = []
        unreadable: list[str] = []
        path = ROUTE_CLAIMS.format(provider_id=self._provider_id)
        cursors = [""]
        while True:
            params = {"next": cursors[-1]} if cursors[-1] else {}
            answer = await self._portal.ask(Question("GET", path, self._token, params=params), self._journal)
            page = parse_page(answer.body)
            claims.extend(page.claims)
            destroy.extend(page.destroy)
            unreadable.extend(page.unreadable)
            if not page.next_cursor:
                return ClaimPage(tuple(claims), tuple(destroy), "", tuple(unreadable))
            if page.next_cursor in cursors:
                raise ProtocolError("next: the same cursor twice")
            cursors.append(page.next_cursor)

    async def building(self, claim_id: str) -> Outcome:
        answer = await self._tell(ROUTE_BUILDING.format(claim_id=claim_id), {})
        return Outcome.DONE if answer.is_success else Outcome.GONE

    async def consume(self, claim_id: str) -> Outcome:
        """Only an answer that says what became of the claim ends this: a built instance is at stake."""
        answer = await self._tell(ROUTE_CONSUME.format(claim_id=claim_id), {}, says_what_became_of_it)
        return Outcome.DONE if answer.is_success or answer.claim_state == ClaimState.CONSUMED else Outcome.GONE

    async def failed(self, claim_id: str, reason: str) -> None:
        await self._tell(ROUTE_FAILED.format(claim_id=claim_id), {"reason": reason[:REASON_LIMIT]})

    async def destroyed(self, request_id: str, reason: str) -> None:
        body = {"reason": reason[:REASON_LIMIT]} if reason else {}
        await self._tell(ROUTE_DESTROYED.format(request_id=request_id), body)

    async def _post(self, path: str, body: Mapping[str, object]) -> Answer:
        return await self._portal.ask(Question("POST", path, self._token, body), self._journal)

    async def _tell(self, path: str, body: Mapping[str, object], is_final: IsFinal = is_settled) -> Answer:
        return await self._portal.ask(Question("POST", path, self._token, body), self._journal, is_final)


def _complaint(answer: Answer) -> str:
    if answer.status == 401:
        return "the portal does not know this token: give the agent a new one"
    if answer.status == 403:
        return "the portal does not let this token do that: is it bound to this provider?"
    return "the portal refuses what the agent says, asking again slowly"


def _spare_httpcore_a_search() -> None:
    """httpcore 1.0 imports sniffio in every lock it takes, and a failing import searches the whole path: a third of the
    agent's CPU. None in sys.modules makes it fail at once. Can go when httpcore remembers, or anyio brings sniffio."""
    if "sniffio" not in sys.modules and importlib.util.find_spec("sniffio") is None:
        sys.modules["sniffio"] = None  # type: ignore[assignment]


def _jittered(seconds: float) -> float:
    return seconds * random.uniform(0.5, 1.0)


def is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"

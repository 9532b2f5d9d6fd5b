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
from urllib.parse import urlsplit

import httpx

from agents.node.answers import Answer, is_success, read_answer
from agents.node.journal import Journal
from agents.protocol import VERSION_HEADER

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


@dataclass(frozen=True)
class Question:
    """`body` is only sent with POST. A heartbeat does not stand in line with the rest. `version`: of the API, where
    the first one does not have it."""

    method: str
    path: str
    token: str
    body: Mapping[str, object] | None = None
    params: Mapping[str, str] = field(default_factory=dict)
    is_heartbeat: bool = False
    version: str = ""


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
        headers = {"Authorization": f"Token {question.token}"}
        if question.version:
            headers[VERSION_HEADER] = question.version
        async with self._heartbeats_turn if question.is_heartbeat else self._turn:
            return await self._client.request(
                question.method,
                question.path,
                json=question.body,
                params=dict(question.params),
                headers=headers,
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

"""The tool's line to the portal: asks until there is an answer, also while the portal is away or busy."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from agents.node.portal import is_loopback
from simulate import SimulationError

VERSION = "scheduling latest"
PATIENCE = 120.0  # seconds that a portal may be away, or too busy
CONNECTIONS = 64
TIMEOUT = httpx.Timeout(40.0, connect=5.0)  # longer than the portal's own deadline of 20 s
A_PAGE = 1000


class PortalAway(SimulationError):
    """The portal did not answer for PATIENCE seconds."""


@dataclass(frozen=True)
class Answer:
    status: int
    body: Mapping[str, Any]

    @property
    def code(self) -> str:
        """Of a problem; empty for a good answer."""
        return str(self.body.get("code", "")) or (f"http_{self.status}" if self.status >= 400 else "")

    @property
    def is_success(self) -> bool:
        return self.status < 300

    def or_raise(self, what: str) -> Mapping[str, Any]:
        """The body of a good answer. Raises SimulationError."""
        if not self.is_success:
            raise SimulationError(f"{what}: {self.status} {self.code}: {self.body.get('detail', '')}")
        return self.body


class Rest:
    """`asked_again` counts the times that a question had to be repeated."""

    def __init__(self, url: str, token: str) -> None:
        self.asked_again = 0
        self._url = url
        self._client = httpx.AsyncClient(
            base_url=url,
            timeout=TIMEOUT,
            limits=httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS),
            headers={"Authorization": f"Token {token}", "OpenStack-API-Version": VERSION},
            trust_env=not is_loopback(url),
        )

    async def close(self) -> None:
        await self._client.aclose()

    async def get(self, path: str, **params: object) -> Answer:
        return await self.ask("GET", path, params=params)

    async def post(self, path: str, body: Mapping[str, Any] | None = None) -> Answer:
        return await self.ask("POST", path, body or {})

    async def ask(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, params: Mapping[str, object] | None = None
    ) -> Answer:
        """The first answer that is neither "later" nor none at all. Everything asked here may be asked twice. Raises
        PortalAway."""
        until, tries = time.monotonic() + PATIENCE, 0
        while True:
            try:
                shown = {name: str(value) for name, value in (params or {}).items()}
                response = await self._client.request(method, path, json=body, params=shown)
                answer, wait = _read(response), float(response.headers.get("Retry-After", 0))
                if answer.code not in ("throttled", "unavailable") and answer.status not in (502, 504):
                    return answer
                reason = answer.code
            except httpx.HTTPError as error:
                reason, wait = str(error) or type(error).__name__, 0.0
            if time.monotonic() > until:
                raise PortalAway(f"{self._url} does not answer {method} {path}: {reason}")
            tries += 1
            self.asked_again += 1
            await asyncio.sleep(max(wait, min(0.2 * 2**tries, 5.0)) * random.uniform(0.7, 1.0))

    async def pages(self, path: str, most: int = 1000, **params: object) -> AsyncIterator[Mapping[str, Any]]:
        """Every result of a list, `most` pages of it at the most. Raises SimulationError."""
        cursor: dict[str, object] = {}
        for _ in range(most):
            body = (await self.get(path, limit=A_PAGE, **params, **cursor)).or_raise(f"GET {path}")
            for one in body["results"]:
                yield one
            if body["next"] is None:
                return
            cursor = {"next": body["next"]}


def _read(response: httpx.Response) -> Answer:
    try:
        body = response.json() if response.content else {}
    except ValueError:
        body = {}
    return Answer(response.status_code, body if isinstance(body, dict) else {})

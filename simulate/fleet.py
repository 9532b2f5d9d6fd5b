"""The simulated hosts in their cell: those that are missing are registered and get a token; a second run finds them.

Tokens are shown once, so they are kept in a file that only its owner may read.
"""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from websockets.asyncio.client import connect

from agents.node.portal import is_loopback
from agents.socket_protocol import ROUTE_SOCKET, SOCKET_TOKENS, parse_socket_message
from api.simulated_hosts import SimulatedHost, simulated_hosts
from api.write_secret import write_secret
from simulate import SimulationError
from simulate.options import Options
from simulate.rest import Rest

AT_ONCE = 16
TOLD_EVERY = 5.0  # seconds
KEPT_EVERY = 500  # tokens: what an interrupted registration has to issue again
PREFIX = "sim-"
DESCRIPTION = "Made by manage.py simulate, which ends whatever is open in it"

Say = Callable[[str], None]


@dataclass(frozen=True)
class Registered:
    """A simulated host with what its agent needs."""

    id: str
    token: str
    host: SimulatedHost


async def make_fleet(rest: Rest, options: Options, say: Say) -> list[Registered]:
    """As many hosts as are asked for, in a cell that is made when it is missing. Raises SimulationError."""
    await _make_cell(rest, options.cell)
    hosts = list(simulated_hosts(options.hosts, options.classes))
    there = {one["name"]: str(one["id"]) async for one in rest.pages("/api/providers", cell=options.cell)}
    missing = [host for host in hosts if host.name not in there]
    if missing:
        there |= await _register(rest, options.cell, missing, say)
    tokens = _Tokens(options.var / "tokens.json", options.portal)
    ids = {there[host.name] for host in hosts}
    await tokens.drop_refused(ids)
    without = [one for one in sorted(ids) if one not in tokens.of]
    await _issue(rest, tokens, without, say)
    return [Registered(there[host.name], tokens.of[there[host.name]], host) for host in hosts]


async def has_cell(rest: Rest, name: str) -> bool:
    """Raises SimulationError when it is not a simulation's: what is open there would be ended, and counts as leaked."""
    found = await rest.get(f"/api/cells/{name}")
    if found.status == 404:
        return False
    if found.or_raise(f"cell {name}")["description"] != DESCRIPTION:
        raise SimulationError(f"cell {name} was not made by a simulation: name another one by --cell")
    return True


async def _make_cell(rest: Rest, name: str) -> None:
    if not await has_cell(rest, name):
        answer = await rest.post("/api/cells", {"name": name, "description": DESCRIPTION})
        if answer.code != "conflict":  # another simulation was first
            answer.or_raise(f"cell {name}")


async def _register(rest: Rest, cell: str, missing: Sequence[SimulatedHost], say: Say) -> dict[str, str]:
    async def one(host: SimulatedHost) -> tuple[str, str]:
        provider_id = str(uuid.uuid4())  # ours, so that asking twice registers once
        answer = await rest.post("/api/providers", {"id": provider_id, **_provider(cell, host)})
        if answer.code != "conflict":
            answer.or_raise(f"registering {host.name}")
        return host.name, provider_id

    # The first of each class opens its shard, so that sixteen at once do not open sixteen.
    firsts = list({host.resource_class: host for host in reversed(missing)}.values())
    rest_of = [host for host in missing if host not in firsts]
    made = await in_turns(firsts, one, lambda done: None)
    made += await in_turns(rest_of, one, _told("registered", len(missing), say))
    return dict(made)


def _provider(cell: str, host: SimulatedHost) -> dict[str, Any]:
    return {
        "name": host.name,
        "cell": cell,
        "resource_class": host.resource_class,
        "amounts": host.totals,
        "properties": host.properties,
        "traits": list(host.traits),
        "failure_domain": {"rack": host.rack, "zone": host.zone},
    }


class _Tokens:
    """The hosts' tokens by provider; those of another portal are of no use."""

    def __init__(self, path: Path, portal: str) -> None:
        self._path, self._portal = path, portal
        try:
            kept = json.loads(path.read_text(encoding="utf-8"))
            self.of: dict[str, str] = kept["tokens"] if kept["portal"] == portal else {}
        except (OSError, ValueError, KeyError, TypeError):
            self.of = {}

    def keep(self) -> None:
        write_secret(self._path, json.dumps({"portal": self._portal, "tokens": self.of}))

    async def drop_refused(self, ids: Iterable[str]) -> None:
        """Those that were replaced or revoked since. The agents' socket says of a thousand at once."""
        wanted = [one for one in ids if one in self.of]
        for first in range(0, len(wanted), SOCKET_TOKENS - 1):
            asked = wanted[first : first + SOCKET_TOKENS - 1]
            for refused in await self._refused(asked):
                del self.of[refused]

    async def _refused(self, asked: Sequence[str]) -> list[str]:
        """The first one opens the connection; when that is refused nothing is known of the others."""
        url = "ws" + self._portal.removeprefix("http") + ROUTE_SOCKET
        headers = {"Authorization": f"Token {self.of[asked[0]]}"}
        try:
            async with connect(url, additional_headers=headers, proxy=None if is_loopback(url) else True) as socket:
                await socket.recv()
                await socket.send(json.dumps({"type": "add", "tokens": [self.of[one] for one in asked]}))
                while (heard := parse_socket_message(await socket.recv())).type != "added":
                    pass
                return [asked[position] for position in heard.refused]
        except Exception:  # refused, or the portal has no socket: new tokens are always right
            return list(asked)


async def _issue(rest: Rest, tokens: _Tokens, providers: Sequence[str], say: Say) -> None:
    async def one(provider_id: str) -> None:
        answer = await rest.post(f"/api/providers/{provider_id}/token")
        tokens.of[provider_id] = str(answer.or_raise("issuing a token")["token"])

    told = _told("tokens for", len(providers), say)
    for first in range(0, len(providers), KEPT_EVERY):
        await in_turns(providers[first : first + KEPT_EVERY], one, partial(_beyond, told, first))
        tokens.keep()


def _beyond(told: Callable[[int], None], before: int, done: int) -> None:
    told(before + done)


async def in_turns(items: Sequence[Any], work: Callable[[Any], Any], told: Callable[[int], None]) -> list[Any]:
    """`work` for each item, AT_ONCE side by side; `told` gets how many are done. The first error ends all."""
    made: list[Any] = []
    left = iter(items)

    async def some() -> None:
        for item in left:
            made.append(await work(item))
            told(len(made))

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(some())
    except* SimulationError as errors:
        raise errors.exceptions[0] from None
    return made


def _told(what: str, of: int, say: Say) -> Callable[[int], None]:
    """Says how far it is, every TOLD_EVERY seconds."""
    began = last = time.monotonic()

    def told(done: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= TOLD_EVERY:
            last = now
            say(f"  {what} {done} of {of} hosts, {done / (now - began):.0f}/s")

    return told


async def wait_until_alive(rest: Rest, options: Options, say: Say, seconds: float) -> int:
    """Until the portal hears from all hosts, or `seconds` are over; how many there are. Each look reads the whole cell,
    so the next one waits several times as long as it took."""
    until, told = time.monotonic() + seconds, time.monotonic()
    while True:
        began = time.monotonic()
        hosts: Mapping[str, int] = (await rest.get("/api/capacity", cell=options.cell)).or_raise("capacity")["hosts"]
        now = time.monotonic()
        if hosts["alive"] >= options.hosts or now > until:
            return hosts["alive"]
        if now - told >= TOLD_EVERY:
            told = now
            say(f"  {hosts['alive']} of {options.hosts} hosts are heard from")
        await asyncio.sleep(max(1.0, 5 * (now - began)))

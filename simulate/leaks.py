"""Whether everything that was taken came back, looked at from outside; and taking back what an earlier run left."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import time
from collections.abc import Mapping
from typing import Any

from simulate import SimulationError
from simulate.agents import Agents
from simulate.fleet import PREFIX, Say, has_cell, in_turns
from simulate.ledger import ENDED
from simulate.options import Options
from simulate.rest import Rest

CLAIM_PAGES = 10  # of a thousand: nobody needs to see more leaks than that
SETTLE = 15.0  # seconds: what is shown of a host may lag behind its records
PAUSE = 1.0


async def find_leaks(rest: Rest, cell: str, agents: Agents | None = None, settle: float = SETTLE) -> list[str]:
    """One line for each amount that did not come back, each claim and each instance that is left. Looked at again for
    `settle` seconds while there are any."""
    until = time.monotonic() + settle
    while True:
        found = [*await _short(rest, cell), *await _claims(rest, cell), *_instances(agents)]
        if not found or time.monotonic() > until:
            return found
        await asyncio.sleep(PAUSE)


async def _short(rest: Rest, cell: str) -> list[str]:
    hosts = [one async for one in rest.pages("/api/providers", cell=cell)]
    return [f"{one['name']}: {line}" for one in hosts if one["name"].startswith(PREFIX) for line in _missing(one)]


def _missing(provider: Mapping[str, Any]) -> list[str]:
    found = []
    for name, inventory in provider["inventory"].items():
        whole = int(inventory["total"] * inventory["allocation_ratio"]) - inventory["reserved"]
        own, available = provider["amounts"].get(name, 0), provider["available"].get(name, 0)
        if own != available:
            found.append(f"{name}: {own} of its own, {available} available: claims are left")
        if own != whole:
            found.append(f"{name}: {whole} in all, {own} of its own: instances are left")
    return found


async def _claims(rest: Rest, cell: str) -> list[str]:
    claims = [one async for one in rest.pages("/api/claims", CLAIM_PAGES, cell=cell)]
    return [
        f"claim {one['id']} of request {one['request_id']} on {one['provider_name']}: {one['state']}" for one in claims
    ]


def _instances(agents: Agents | None) -> list[str]:
    files = agents.left_on_disk() if agents else []
    return [f"an agent still has {file.stem} of {file.parent.name}" for file in files]


async def end_leftovers(rest: Rest, options: Options, say: Say, force: bool) -> None:
    """Ends what is still open in the cell, of a run that was killed. `force` does not wait for agents."""
    if not await _is_used(rest, options.cell):
        return
    say(f"  {options.cell} is in use: ending what an earlier run left")
    requests = [one async for one in rest.pages("/api/requests", cell=options.cell)]
    left = [str(one["request_id"]) for one in requests if one["state"] not in ENDED]
    params = {"force": "true", "reason": "left by an earlier simulation"} if force else {}

    async def end(request_id: str) -> None:
        answer = await rest.ask("DELETE", f"/api/requests/{request_id}", params=params)
        if answer.status not in (404, 409):
            answer.or_raise(f"ending request {request_id}")

    await in_turns(left, end, lambda done: None)
    until = time.monotonic() + options.settle
    while not force and await _is_used(rest, options.cell) and time.monotonic() < until:
        await asyncio.sleep(PAUSE)


async def _is_used(rest: Rest, cell: str) -> bool:
    return bool(await _short(rest, cell) or await _claims(rest, cell))


async def clean_up(rest: Rest, options: Options, say: Say) -> None:
    """Removes the simulated hosts, what is on them, their cell when nothing else is in it, and the files."""
    if await has_cell(rest, options.cell):
        await end_leftovers(rest, options, say, force=True)
        hosts = [one async for one in rest.pages("/api/providers", cell=options.cell)]
        ours = [str(one["id"]) for one in hosts if one["name"].startswith(PREFIX)]

        async def remove(provider_id: str) -> None:
            answer = await rest.ask("DELETE", f"/api/providers/{provider_id}")
            if answer.status != 404:
                answer.or_raise(f"removing provider {provider_id}")

        await in_turns(ours, remove, lambda done: say(f"  removed {done} of {len(ours)}") if not done % 250 else None)
        if len(ours) == len(hosts):
            with contextlib.suppress(SimulationError):  # somebody put something into it
                (await rest.ask("DELETE", f"/api/cells/{options.cell}")).or_raise("removing the cell")
        say(f"removed {len(ours)} simulated hosts of {options.cell}")
    shutil.rmtree(options.var, ignore_errors=True)

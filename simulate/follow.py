"""Learns what became of requests: from the cell's events, a page every two seconds, and of the few whose event did not
come by asking for them. So it costs the portal the same however many requests are open. What is measured does not
depend on it: events carry the time at which they happened."""

from __future__ import annotations

import asyncio
import time

from simulate.ledger import ENDED, RELEASED, Asked, Ledger, parse_time
from simulate.rest import Rest

LOOK_EVERY = 2.0  # seconds; a long poll of a busy cell would come back at once, again and again
A_PAGE = 1000
DOUBT = 20.0  # seconds without a word after which a request is asked for
ASKED_AT_ONCE = 10
PAUSE = 2.0


async def follow(rest: Rest, cell: str, ledger: Ledger, cursor: str) -> None:
    """Until it is cancelled."""
    while True:
        body = (await rest.get("/api/events", cell=cell, after=cursor, limit=A_PAGE)).or_raise("reading events")
        cursor = body["next"]
        for event in body["results"]:
            ledger.hear(event)
        if len(body["results"]) < A_PAGE:
            await asyncio.sleep(LOOK_EVERY)


async def cursor_of_now(rest: Rest, cell: str) -> str:
    return str((await rest.get("/api/events", cell=cell, after="now")).or_raise("reading events")["next"])


async def ask_for_silent(rest: Rest, ledger: Ledger) -> None:
    """Until it is cancelled. Of requests that are neither active nor over, those that were asked for longest ago."""
    while True:
        await asyncio.sleep(PAUSE)
        now = time.monotonic()
        waiting = [one for one in ledger.open() if one.is_deleted or not one.settled.is_set()]
        silent = [one for one in waiting if now - one.asked_after > DOUBT]
        for one in sorted(silent, key=lambda one: one.asked_after)[:ASKED_AT_ONCE]:
            one.asked_after = time.monotonic()
            await ask_for(rest, ledger, one)


async def ask_for(rest: Rest, ledger: Ledger, one: Asked) -> None:
    answer = await rest.get(f"/api/requests/{one.request_id}")
    if answer.status == 404:
        ledger.moved(one, RELEASED, None, "there is no such request")
        return
    life = answer.or_raise("reading a request")
    for line in life["history"]:
        if line["state"] == "active":
            ledger.moved(one, "active", parse_time(line["at"]))
    if life["state"] == "active" and one.active_at is None:  # its line of history is lost with a process that died
        ledger.moved(one, "active", parse_time(life["updated_at"]))
    if life["state"] in ENDED:
        ledger.moved(one, life["state"], parse_time(life["updated_at"]), life["reason"])

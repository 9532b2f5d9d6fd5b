"""Heartbeats on the agents' socket: many in one message, of the providers that the connection speaks for alone."""

import asyncio
import uuid
from typing import Any

import pytest
from django.conf import settings

from api import agent_socket, tokens
from providers import heartbeat
from providers.heartbeat import Rhythm, last_heard
from providers.records import OwnRow, locate
from tests.rooms.api.test_agent_socket import Connect, Host, bearing, cassandra_away_now, connect, hear, issue, say

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["connect"]


async def is_alive(own: OwnRow) -> bool:
    location = await asyncio.to_thread(locate, own.id)
    return (await asyncio.to_thread(last_heard, location)).alive


def beat_of(*owners: OwnRow | uuid.UUID) -> dict[str, Any]:
    return {"type": "beat", "providers": [str(getattr(one, "id", one)) for one in owners]}


def heard(*owners: OwnRow) -> dict[str, Any]:
    ids = sorted(str(own.id) for own in owners)
    return {"type": "heard", "providers": ids, "ttl": settings.HEARTBEAT_TTL, "interval": settings.HEARTBEAT_INTERVAL}


async def open_for(connect: Connect, *owners: OwnRow) -> Any:
    first, *others = await issue(*owners)
    socket = await connect(bearing(first))
    assert (await hear(socket))["heartbeats"] is True
    await say(socket, {"type": "add", "tokens": others})
    assert (await hear(socket))["type"] == "added"
    return socket


async def test_several_are_heard_at_once(host: Host, connect: Connect) -> None:
    first, second, other = [await asyncio.to_thread(host, heartbeat="required") for _ in range(3)]
    socket = await open_for(connect, first, second)
    assert not await is_alive(first)
    await say(socket, beat_of(first, second, first, other, uuid.uuid4()))
    assert await hear(socket) == heard(first, second), "the others are not its own to speak for"
    assert [await is_alive(one) for one in (first, second, other)] == [True, True, False]


async def test_nothing_of_its_own_is_not_answered(host: Host, connect: Connect) -> None:
    first, second = await asyncio.to_thread(host), await asyncio.to_thread(host)
    socket = await open_for(connect, first, second)
    await say(socket, beat_of(uuid.uuid4()))
    assert await socket.receive_nothing(0.3)
    await say(socket, beat_of(first))
    assert await hear(socket) == heard(first)


async def test_a_revoked_one_is_not_heard_any_more(
    host: Host, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agent_socket, "LOOK_AGAIN", 0.3)
    first, second = [await asyncio.to_thread(host, heartbeat="required") for _ in range(2)]
    socket = await open_for(connect, first, second)
    await asyncio.to_thread(tokens.revoke, provider_id=second.id)
    assert (await hear(socket))["type"] == "dropped"
    await say(socket, beat_of(first, second))
    assert await hear(socket) == heard(first)
    assert not await is_alive(second)


async def test_cassandra_is_away(host: Host, connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = await asyncio.to_thread(host), await asyncio.to_thread(host)
    socket = await open_for(connect, first, second)
    with monkeypatch.context() as away:
        away.setattr(agent_socket, "beat_together", cassandra_away_now)
        await say(socket, beat_of(first))
        assert await socket.receive_nothing(0.5), "what was not written is not said to be"
    await say(socket, beat_of(first))
    assert await hear(socket) == heard(first)


async def test_large_cells_are_told_to_beat_less_often(
    host: Host, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = await asyncio.to_thread(host), await asyncio.to_thread(host)
    socket = await open_for(connect, first, second)
    monkeypatch.setattr(agent_socket, "rhythm", lambda home: Rhythm(60, 150))
    monkeypatch.setattr(heartbeat, "rhythm", lambda home: Rhythm(60, 150))
    await say(socket, beat_of(first, second))
    assert await hear(socket) == {**heard(first, second), "interval": 60, "ttl": 150}

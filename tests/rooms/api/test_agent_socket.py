"""The agents' socket as an agent sees it: the whole ASGI application, real claims, a real event log."""

import asyncio
import datetime as dt
import json
import sys
import threading
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from cassandra.util import uuid_from_time
from channels.testing import WebsocketCommunicator
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db import OperationalError

from agents import notify
from agents.socket_protocol import (
    CLOSE_FORBIDDEN,
    CLOSE_TRY_AGAIN,
    CLOSE_UNAUTHENTICATED,
    SOCKET_LONGEST,
    SOCKET_TOKENS,
)
from api import agent_socket, tokens
from conductor.progress import building, built
from conductor.release import delete_request, release_claim
from events.append import event_writes
from events.buckets import bucket_of
from events.tail import Follower
from events.types import CLAIM_TAKEN, News
from providers.cells import Cell
from providers.records import OwnRow
from providers.remove import remove
from sched_portal.asgi import application
from store.failures import StoreUnavailable
from store.record_roles import ROLES
from store.session import write_many
from tests.rooms.dashboard.cast import claim

pytestmark = pytest.mark.django_db(transaction=True)
Host = Callable[..., OwnRow]
Connect = Callable[..., Any]
GARBLED = (
    *(" ", "{", "[]", "7", '"x"', "null", "{}", "[" * 4000, "x" * (SOCKET_LONGEST + 1), '{"type": "add"}'),
    *('{"type": "add", "tokens": []}', '{"type": "add", "tokens": "x"}', '{"type": "add", "tokens": [7]}'),
    *('{"type": "add", "tokens": ["\\ud800"]}', '{"type": ["add"], "tokens": ["x"]}', '{"tokens": ["x"]}'),
    *('{"type": "beat"}', '{"type": "beat", "providers": []}', '{"type": "beat", "providers": ["x"]}'),
    *('{"type": "beat", "providers": [7]}', '{"type": "beat", "providers": {"a": 1}}'),
    json.dumps({"type": "beat", "providers": [str(uuid.UUID(int=n)) for n in range(SOCKET_TOKENS + 1)]}),
)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(notify, "LINGER", 0.1)
    yield
    for thread in threading.enumerate():
        if isinstance(thread, notify.Watch):
            thread.join(20)
            assert not thread.is_alive(), "a cell is followed on although nobody listens"


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    opened: list[WebsocketCommunicator] = []

    async def to(*headers: tuple[str, str]) -> WebsocketCommunicator:
        raw = [(name.encode(), value.encode()) for name, value in headers]
        socket = WebsocketCommunicator(application, "/ws/agent/", raw)
        socket.welcome, _ = await socket.connect(timeout=30)
        opened.append(socket)
        return socket

    yield to
    for socket in opened:
        await socket.disconnect(timeout=5)


def token_of(*owners: OwnRow) -> list[str]:
    issued = tokens.issue_for_providers([(own.id, own.row["name"]) for own in owners])
    return [issued[own.id] for own in owners]


def token_of_user(role: str) -> str:
    user = get_user_model().objects.create_user(f"{role}-{uuid.uuid4().hex[:6]}")
    user.groups.add(Group.objects.get_or_create(name=role)[0])
    return tokens.issue(user, role)


async def issue(*owners: OwnRow) -> list[str]:
    return await asyncio.to_thread(token_of, *owners)


def bearing(token: str) -> tuple[str, str]:
    return ("authorization", f"Token {token}")


async def hear(socket: WebsocketCommunicator, seconds: float = 30) -> dict[str, Any]:
    said: dict[str, Any] = json.loads(await socket.receive_from(timeout=seconds))
    return said


async def closed(socket: WebsocketCommunicator) -> Any:
    assert socket.welcome
    said = await socket.receive_output(timeout=30)
    assert said["type"] == "websocket.close"
    return said["code"]


async def say(socket: WebsocketCommunicator, message: dict[str, Any]) -> None:
    await socket.send_to(text_data=json.dumps(message))


async def silent(socket: WebsocketCommunicator, of: OwnRow) -> bool:
    """At most one message more waits."""
    if not await socket.receive_nothing(0.6):
        assert await hear(socket) == orders(of)
    return bool(await socket.receive_nothing(0.6))


async def hello(connect: Connect, own: OwnRow, token: str) -> WebsocketCommunicator:
    socket: WebsocketCommunicator = await connect(bearing(token))
    assert await hear(socket) == greeting(own)
    return socket


def greeting(own: OwnRow) -> dict[str, Any]:
    return {"type": "hello", "providers": [str(own.id)], "heartbeats": True}


def orders(*owners: OwnRow) -> dict[str, Any]:
    return {"type": "orders", "providers": sorted(str(own.id) for own in owners)}


async def test_told_of_a_claim_its_release_and_its_destruction(cell: Cell, host: Host, connect: Connect) -> None:
    own = await asyncio.to_thread(host)
    socket = await hello(connect, own, (await issue(own))[0])
    claim_id, other = await asyncio.to_thread(claim, cell), await asyncio.to_thread(claim, cell)
    assert claim_id is not None
    assert other is not None
    assert await hear(socket) == orders(own)
    assert await silent(socket, of=own), "told once or twice, however often the log is read"

    await asyncio.to_thread(building, claim_id, own.id)
    assert await socket.receive_nothing(0.6), "the agent said so itself"
    assert not await asyncio.to_thread(release_claim, claim_id, "somebody")
    assert await hear(socket) == orders(own)

    await asyncio.to_thread(building, other, own.id)
    row = await asyncio.to_thread(built, other, own.id)
    assert await socket.receive_nothing(0.6)
    assert not await asyncio.to_thread(delete_request, row.request_id, "somebody")
    assert await hear(socket) == orders(own)


async def test_told_of_a_claim_that_another_process_makes(cell: Cell, host: Host, connect: Connect) -> None:
    own, other = await asyncio.to_thread(host), await asyncio.to_thread(host, amounts={"vcpus": 2})
    mine, its = await issue(own, other)
    socket, elsewhere = await hello(connect, own, mine), await hello(connect, other, its)
    program = (
        "import django; django.setup()\n"
        "from providers.cells import find\n"
        "from tests.rooms.dashboard.cast import claim\n"
        f"assert claim(find({cell.name!r}), 8)"
    )
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", program)
    assert await process.wait() == 0
    assert await hear(socket) == orders(own)
    assert await elsewhere.receive_nothing(0.6)


async def test_told_of_what_was_written_late(cell: Cell, host: Host, connect: Connect) -> None:
    own = await asyncio.to_thread(host)
    socket = await hello(connect, own, (await issue(own))[0])
    assert await socket.receive_nothing(1.8)
    at = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=1.5)
    cql, (name, _, _, *rest) = event_writes(cell.home, News(CLAIM_TAKEN, own.id), root_id=own.id)[0]
    await asyncio.to_thread(write_many, [(cql, [name, bucket_of(at), uuid_from_time(at.timestamp()), *rest])])
    assert await hear(socket) == orders(own)


async def test_the_roots_agent_is_told_of_its_children(cell: Cell, host: Host, connect: Connect) -> None:
    root = await asyncio.to_thread(host, amounts={"vcpus": 1})
    child = await asyncio.to_thread(host, parent=root.id)
    socket = await hello(connect, root, (await issue(root))[0])
    assert await asyncio.to_thread(claim, cell, 4)
    assert child.id
    assert await hear(socket) == orders(root)


async def test_who_may_listen(host: Host, connect: Connect) -> None:
    own, gone = await asyncio.to_thread(host), await asyncio.to_thread(host)
    revoked, removed = await issue(own, gone)
    await asyncio.to_thread(tokens.revoke, provider_id=own.id)
    await asyncio.to_thread(remove, gone.id)
    nobodys = (("authorization", "Basic eDp5"), bearing("x"), bearing(revoked), bearing(removed), bearing(""))
    for header in ((), *((one,) for one in nobodys), (("origin", "http://localhost:8000"),)):
        assert await closed(await connect(*header)) == CLOSE_UNAUTHENTICATED
    for role in ROLES:
        token = await asyncio.to_thread(token_of_user, role)
        assert await closed(await connect(bearing(token))) == CLOSE_FORBIDDEN


async def test_one_connection_speaks_for_many(cell: Cell, host: Host, connect: Connect) -> None:
    own, second, gone = [await asyncio.to_thread(host) for _ in range(3)]
    mine, its, removed = await issue(own, second, gone)
    await asyncio.to_thread(remove, gone.id)
    users = await asyncio.to_thread(token_of_user, "admin")
    socket = await hello(connect, own, mine)
    await say(socket, {"type": "add", "tokens": ["x", its, users, removed, mine, its]})
    refusals = [(0, "unauthenticated"), (2, "unauthenticated"), (3, "not_found")]
    assert await hear(socket) == {
        "type": "added",
        "providers": [str(second.id)],
        "refused": [{"token": position, "code": code} for position, code in refusals],
    }
    assert await asyncio.to_thread(claim, cell, 8)
    assert await asyncio.to_thread(claim, cell, 8)
    told: set[str] = set()
    while len(told) < 2:
        told |= set((await hear(socket))["providers"])
    assert told == {str(own.id), str(second.id)}


async def test_a_connection_speaks_for_a_thousand_and_no_more(host: Host, connect: Connect) -> None:
    own = await asyncio.to_thread(host)
    socket = await hello(connect, own, (await issue(own))[0])
    strangers = [(uuid.uuid4(), "gone") for _ in range(SOCKET_TOKENS)]
    issued = list((await asyncio.to_thread(tokens.issue_for_providers, strangers)).values())
    await say(socket, {"type": "add", "tokens": issued})
    refused = await hear(socket)
    assert refused["code"] == "invalid"
    assert "1000 tokens" in refused["detail"]
    await say(socket, {"type": "add", "tokens": issued[1:]})
    answer = await hear(socket)
    assert {one["code"] for one in answer["refused"]} == {"not_found"}
    assert len(answer["refused"]) == SOCKET_TOKENS - 1


async def test_revoked_while_connected(
    cell: Cell, host: Host, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agent_socket, "LOOK_AGAIN", 0.3)
    own, second = await asyncio.to_thread(host, amounts={"vcpus": 2}), await asyncio.to_thread(host)
    mine, its = await issue(own, second)
    socket = await hello(connect, own, mine)
    await say(socket, {"type": "add", "tokens": [its]})
    assert (await hear(socket))["type"] == "added"
    await asyncio.to_thread(tokens.revoke, provider_id=second.id)
    assert await hear(socket) == {"type": "dropped", "providers": [str(second.id)]}
    assert await asyncio.to_thread(claim, cell, 8)
    assert await socket.receive_nothing(0.6)
    with monkeypatch.context() as away:
        away.setattr(tokens, "bound", away_now)
        await asyncio.to_thread(tokens.revoke, provider_id=own.id)
        assert await socket.receive_nothing(0.6), "a database that does not answer revokes nothing"
    assert await hear(socket) == {"type": "dropped", "providers": [str(own.id)]}
    assert await closed(socket) == CLOSE_UNAUTHENTICATED


async def test_what_makes_no_sense_is_an_error_and_the_connection_goes_on(
    cell: Cell, host: Host, connect: Connect
) -> None:
    own = await asyncio.to_thread(host)
    socket = await hello(connect, own, (await issue(own))[0])
    for text in GARBLED:
        await socket.send_to(text_data=text)
        assert (await hear(socket))["code"] == "invalid", text[:50]
    await socket.send_to(bytes_data=b"{}")
    assert (await hear(socket))["code"] == "invalid"
    assert await asyncio.to_thread(claim, cell)
    assert await hear(socket) == orders(own)


def away_now(*_: Any) -> Any:
    raise OperationalError("away")


def cassandra_away_now(*_: Any) -> Any:
    raise StoreUnavailable("away")


async def test_a_database_that_is_away(host: Host, connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    own, second = await asyncio.to_thread(host), await asyncio.to_thread(host)
    mine, its = await issue(own, second)
    socket = await hello(connect, own, mine)
    for place, name, failing in (
        (tokens, "find", away_now),
        (tokens, "bound", away_now),
        (agent_socket, "places_of", cassandra_away_now),
    ):
        with monkeypatch.context() as away:
            away.setattr(place, name, failing)
            assert await closed(await connect(bearing(mine))) == CLOSE_TRY_AGAIN
            if name != "find":
                await say(socket, {"type": "add", "tokens": [its]})
                assert (await hear(socket))["code"] == "unavailable"
    await say(socket, {"type": "add", "tokens": [its]})
    assert (await hear(socket))["providers"] == [str(second.id)]


async def test_cassandra_is_away_for_a_moment(
    cell: Cell, host: Host, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = await asyncio.to_thread(host)
    socket = await hello(connect, own, (await issue(own))[0])
    with monkeypatch.context() as away:
        away.setattr(Follower, "poll", cassandra_away_now)
        assert await asyncio.to_thread(claim, cell)
        assert await socket.receive_nothing(1)
    assert await hear(socket) == orders(own), "the log is read from where it was left"


async def test_cassandra_is_away_for_long(
    cell: Cell, host: Host, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notify, "GAP", 1.0)
    own = await asyncio.to_thread(host)
    socket = await hello(connect, own, (await issue(own))[0])
    with monkeypatch.context() as away:
        away.setattr(Follower, "poll", cassandra_away_now)
        assert await asyncio.to_thread(claim, cell)
        assert await socket.receive_nothing(2)
    assert await hear(socket) == greeting(own), "look for yourself"
    assert await asyncio.to_thread(claim, cell)
    while (said := await hear(socket))["type"] == "hello":
        continue  # this machine was slow, and a look took longer than the gap
    assert said == orders(own)

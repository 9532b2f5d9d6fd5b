"""The WebSocket as its clients see it: the whole ASGI application, a real Cassandra and real claims."""

import asyncio
import base64
import json
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any
from urllib.parse import quote

import pytest
from asgiref.sync import sync_to_async
from channels.testing import WebsocketCommunicator
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.test import Client

from api.tokens import issue, issue_for_providers, revoke
from conductor.release import release_claim
from dashboard import consumers, follow, kept
from dashboard.follow import watch
from providers import cells
from providers.cells import Cell
from providers.heartbeat import silence
from providers.records import OwnRow, locate
from sched_portal.asgi import application
from store.failures import StoreUnavailable
from store.record_roles import VIEWER
from tests.rooms.dashboard.cast import claim

pytestmark = pytest.mark.django_db(transaction=True)
Host = Callable[..., OwnRow]
Connect = Callable[..., Any]
ORIGIN = ("origin", "http://localhost:8000")
SERVED_AS = ("host", "localhost:8000")
GARBLED = (
    *(" ", "{", "[]", "7", '"x"', "null", "{}", "[" * 4000, "x" * 5000),
    *('{"type": "resume"}', '{"type": "resume", "after": 7}', '{"type": "resume", "after": "nonsense"}'),
    *('{"type": "resume", "after": "\\ud800"}', '{"type": ["resume"]}', '{"type": "ack"}'),
    *('{"type": "ack", "seq": "1"}', '{"type": "ack", "seq": true}'),
)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(follow, "LOOK_AGAIN", 0.3)
    monkeypatch.setattr(consumers, "SILENCE", 0.05)
    yield
    follow.end_all()


@pytest.fixture
def user() -> Any:
    made = get_user_model().objects.create_user(f"viewer-{uuid.uuid4().hex[:6]}")
    made.groups.add(Group.objects.get_or_create(name=VIEWER)[0])
    return made


@pytest.fixture
def token(user: Any) -> tuple[str, str]:
    return ("authorization", f"Token {issue(user, 'test')}")


@pytest.fixture
async def connect(cell: Cell) -> AsyncIterator[Connect]:
    opened: list[WebsocketCommunicator] = []

    async def to(*headers: tuple[str, str], path: str = "") -> WebsocketCommunicator:
        raw = [(name.encode(), value.encode()) for name, value in headers]
        socket = WebsocketCommunicator(application, path or f"/ws/cells/{cell.name}/", raw)
        socket.welcome, _ = await socket.connect(timeout=45)
        opened.append(socket)
        return socket

    yield to
    for socket in opened:
        await socket.disconnect(timeout=5)


async def hear(socket: WebsocketCommunicator) -> dict[str, Any]:
    said: dict[str, Any] = json.loads(await socket.receive_from(timeout=45))
    return said


async def hear_until(socket: WebsocketCommunicator, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    while True:
        said = await hear(socket)
        if wanted(said):
            return said


async def closed(socket: WebsocketCommunicator) -> Any:
    assert socket.welcome
    said = await socket.receive_output(timeout=45)
    assert said["type"] == "websocket.close"
    return said["code"]


def available(message: dict[str, Any], own: OwnRow) -> list[int]:
    return [host["amounts"]["vcpus"]["available"] for host in message["hosts"] if host["id"] == str(own.id)]


async def test_a_snapshot_then_what_changes(cell: Cell, host: Host, connect: Connect, token: Any) -> None:
    own = await asyncio.to_thread(host)
    socket = await connect(token)
    first = await hear(socket)
    assert (first["type"], first["seq"], first["cell"]) == ("snapshot", 0, cell.name)
    assert available(first, own) == [8]
    assert first["units"]["compute"] == {"vcpus": "vCPU", "memory_mb": "MiB", "disk_gb": "GiB"}

    claim_id = await asyncio.to_thread(claim, cell, 3)
    taken = await hear_until(socket, lambda said: bool(said["claims"]))
    assert taken["type"] == "delta"
    assert available(taken, own) == [5]
    (shown,) = taken["claims"]
    assert shown["id"] == str(claim_id)
    assert shown["amounts"]["vcpus"] == -3

    await asyncio.to_thread(release_claim, claim_id, "admin")
    back = await hear_until(socket, lambda said: bool(said["ended"]))
    assert available(back, own) == [8]
    assert back["ended"] == [str(claim_id)]
    assert back["seq"] > taken["seq"]


async def test_every_message_has_the_next_number(cell: Cell, host: Host, connect: Connect, token: Any) -> None:
    await asyncio.to_thread(host)
    socket = await connect(token)
    seen = [(await hear(socket))["seq"]]
    for _ in range(3):
        await asyncio.to_thread(claim, cell)
        seen.append((await hear_until(socket, lambda said: bool(said["claims"])))["seq"])
    assert seen == sorted(set(seen))
    assert seen[0] == 0


async def test_a_host_that_falls_silent_is_told(cell: Cell, host: Host, connect: Connect, token: Any) -> None:
    own = await asyncio.to_thread(host)
    socket = await connect(token)
    assert [h["alive"] for h in (await hear(socket))["hosts"]] == [True]
    await asyncio.to_thread(lambda: silence(locate(own.id)))
    said = await hear_until(socket, lambda said: bool(said["hosts"]))
    assert [h["alive"] for h in said["hosts"]] == [False]


async def test_resuming_tells_what_was_missed(
    cell: Cell, host: Host, connect: Connect, token: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "MARGIN", kept.MARGIN * 0)  # the cell has not been followed for longer than that here
    monkeypatch.setattr(follow, "OVERLAP", 0.0)
    own, other = await asyncio.to_thread(lambda: (host(), host(amounts={"vcpus": 1, "memory_mb": 1, "disk_gb": 1})))
    socket = await connect(token)
    cursor = (await hear_until(socket, lambda said: said["type"] == "delta"))["cursor"]
    await socket.disconnect()
    await asyncio.to_thread(claim, cell, 3)
    await asyncio.sleep(1.0)

    again = await connect(token)
    await again.send_to(json.dumps({"type": "resume", "after": cursor}))
    said = await hear(again)
    assert (said["type"], said["seq"]) == ("delta", 1)
    assert available(said, own) == [5]
    assert available(said, other) == []


async def test_an_old_cursor_gets_a_snapshot(host: Host, connect: Connect, token: Any) -> None:
    await asyncio.to_thread(host)
    for stamp in (0, 0x1EB_0000_0000_0000, 2**60 - 1):  # 1582, 2021, 5236
        old = uuid.UUID(fields=(stamp & 0xFFFFFFFF, stamp >> 32 & 0xFFFF, 0x1000 | stamp >> 48, 0x80, 0, 0))
        socket = await connect(token)
        after = base64.urlsafe_b64encode(old.bytes).rstrip(b"=").decode()
        await socket.send_to(json.dumps({"type": "resume", "after": after}))
        said = await hear(socket)
        assert (said["type"], said["seq"]) == ("snapshot", 0)


async def test_garbled_messages_are_answered_and_nothing_else_happens(
    cell: Cell, host: Host, connect: Connect, token: Any
) -> None:
    await asyncio.to_thread(host)
    socket = await connect(token)
    await hear(socket)
    for said in GARBLED:
        await socket.send_to(said)
        error = await hear_until(socket, lambda said: said["type"] == "error")
        assert error["code"] == "invalid", said
    await asyncio.to_thread(claim, cell)
    assert await hear_until(socket, lambda said: bool(said.get("claims")))


async def test_bytes_are_not_a_message(connect: Connect, token: Any) -> None:
    socket = await connect(token)
    await socket.send_to(bytes_data=b"\xff\x00")
    assert (await hear_until(socket, lambda said: said["type"] == "error"))["code"] == "invalid"


async def test_a_slow_reader_gets_a_snapshot(
    cell: Cell, host: Host, connect: Connect, token: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumers, "UNREAD", 2)
    monkeypatch.setattr("dashboard.viewer.WAITING", 2)
    await asyncio.to_thread(host)
    socket = await connect(token)
    assert (await hear(socket))["type"] == "snapshot"
    await socket.send_to(json.dumps({"type": "ack", "seq": 0}))
    followed = await asyncio.to_thread(watch, cell.home)
    for _ in range(8):
        await asyncio.to_thread(claim, cell)
        await asyncio.sleep(0.4)
    (viewer,) = followed.viewers
    assert viewer.take()[1]  # missed: it does not grow behind somebody who does not read
    seen = [await hear(socket), await hear(socket)]
    assert [said["seq"] for said in seen] == [1, 2]
    assert await socket.receive_nothing(timeout=0.5)
    await socket.send_to(json.dumps({"type": "ack", "seq": 2}))
    caught_up = await hear(socket)
    assert (caught_up["type"], caught_up["seq"]) == ("snapshot", 0)
    assert len(caught_up["claims"]) == 8


async def test_many_viewers_share_one_subscription(
    cell: Cell, host: Host, connect: Connect, token: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow, "LINGER", 0.5)
    await asyncio.to_thread(host)
    sockets = [await connect(token) for _ in range(5)]
    for socket in sockets:
        await hear(socket)
    followed = await asyncio.to_thread(watch, cell.home)
    assert len(followed.viewers) == 5
    await asyncio.to_thread(claim, cell)
    for socket in sockets:
        assert await hear_until(socket, lambda said: bool(said["claims"]))
    for socket in sockets:
        await socket.disconnect()
    await asyncio.to_thread(followed.join, 5)
    assert not followed.is_alive()  # nobody looks any more


async def test_who_may_watch(cell: Cell, host: Host, connect: Connect, user: Any, token: Any) -> None:
    own = await asyncio.to_thread(host)
    agent = (await sync_to_async(issue_for_providers)([(own.id, "host")]))[own.id]
    nobody = await sync_to_async(get_user_model().objects.create_user)(f"nobody-{uuid.uuid4().hex[:6]}")
    assert await closed(await connect(("authorization", "Token wrong"))) == 4401
    assert await closed(await connect(("authorization", "Basic YTpi"))) == 4401
    assert await closed(await connect(("authorization", f"Token {agent}"))) == 4403
    assert await closed(await connect(("authorization", f"Token {await sync_to_async(issue)(nobody, 'n')}"))) == 4403
    assert await closed(await connect(ORIGIN, SERVED_AS)) == 4401
    assert await closed(await connect(token, path="/ws/cells/no-such-cell/")) == 4404
    assert not (await connect(token, path="/ws/nothing/")).welcome
    assert (await hear(await connect(token)))["type"] == "snapshot"


async def test_a_session_counts_on_our_own_pages_only(connect: Connect, user: Any, settings: Any, cell: Cell) -> None:
    browser = Client()
    await sync_to_async(browser.force_login)(user)
    cookie = ("cookie", f"sessionid={browser.cookies['sessionid'].value}")
    assert (await hear(await connect(ORIGIN, SERVED_AS, cookie)))["type"] == "snapshot"
    for origin in (
        "http://localhost:9000",
        "http://evil.example",
        "null",
        "file://",
        "http://localhost:8000.evil.example",
    ):
        assert not (await connect(("origin", origin), SERVED_AS, cookie)).welcome, origin
    assert await closed(await connect(SERVED_AS, cookie)) == 4401  # no browser: its cookie says nothing
    assert not (await connect(("origin", "http://evil.example"), ("host", "evil.example"), cookie)).welcome
    settings.CSRF_TRUSTED_ORIGINS = ["https://portal.example"]
    assert (await connect(("origin", "https://portal.example"), SERVED_AS, cookie)).welcome


async def test_who_is_logged_out_is_sent_away(
    connect: Connect, user: Any, token: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumers, "LOOK_AGAIN", 0.1)
    monkeypatch.setattr(follow, "PULSE", 0.2)
    browser = Client()
    await sync_to_async(browser.force_login)(user)
    sockets = [
        await connect(ORIGIN, SERVED_AS, ("cookie", f"sessionid={browser.cookies['sessionid'].value}")),
        await connect(token),
    ]
    for socket in sockets:
        await hear(socket)
        await hear(socket)
    await sync_to_async(browser.logout)()
    await sync_to_async(revoke)(user=user)
    for socket in sockets:
        while (said := await socket.receive_output(timeout=45))["type"] != "websocket.close":
            pass
        assert said["code"] == 4401


async def test_while_cassandra_is_away_it_says_how_old_this_is(
    cell: Cell, host: Host, connect: Connect, token: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = await asyncio.to_thread(host)
    monkeypatch.setattr(follow, "PULSE", 0.2)
    socket = await connect(token)
    assert (await hear(socket))["behind"] == 0

    def away(follower: Any) -> Any:
        raise StoreUnavailable("no node answers")

    with monkeypatch.context() as outage:
        outage.setattr(follow.Follower, "poll", away)
        await hear_until(socket, lambda said: said["behind"] > 1)
        await asyncio.to_thread(claim, cell, 3)
    said = await hear_until(socket, lambda said: bool(said["claims"]))
    assert said["type"] == "delta"
    assert available(said, own) == [5]
    assert (await hear_until(socket, lambda said: True))["behind"] == 0


async def test_a_follower_that_fails_begins_anew(
    cell: Cell, host: Host, connect: Connect, token: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = await asyncio.to_thread(host)
    socket = await connect(token)
    assert (await hear(socket))["type"] == "snapshot"
    with monkeypatch.context() as broken:
        broken.setattr(follow, "apply", lambda state, event: 1 / 0)
        await asyncio.to_thread(claim, cell, 3)
        said = await hear_until(socket, lambda said: said["type"] == "snapshot")
    assert said["seq"] == 0
    assert available(said, own) == [5]


async def test_a_cell_whose_name_needs_quoting(connect: Connect, token: Any) -> None:
    name = f"größe 1/2 {uuid.uuid4().hex[:4]}?"
    await asyncio.to_thread(cells.create, name)
    said = await hear(await connect(token, path=f"/ws/cells/{quote(name, safe='')}/"))
    assert said["cell"] == name

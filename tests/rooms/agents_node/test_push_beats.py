"""Heartbeats over the socket where the portal hears them there, over REST wherever it does not."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator

import pytest

from agents.node import beats
from tests.rooms.agents_node.cast import Agent
from tests.rooms.agents_node.portal_partner import TOKEN, PortalPartner
from tests.rooms.agents_node.socket_partner import SocketPartner

BEAT = "/heartbeat"


@pytest.fixture
def portal() -> Iterator[PortalPartner]:
    partner = PortalPartner(socket=SocketPartner(), interval=0.3)
    yield partner
    partner.stop()


def told(portal: PortalPartner, agent: Agent) -> SocketPartner:
    assert portal.socket is not None
    portal.socket.owners = {TOKEN: agent.provider}
    agent.configure(portal, builder="noop", retry_longest=0.3)
    agent.start()
    portal.wait(lambda: portal.socket and portal.socket.listening())
    return portal.socket


def test_where_the_portal_hears_them(portal: PortalPartner, agent: Agent) -> None:
    assert portal.socket is not None
    portal.socket.takes_beats = True
    socket = told(portal, agent)
    portal.wait(lambda: len(socket.beats) > 1)
    over_rest = len(portal.said(BEAT))
    portal.wait(lambda: len(socket.beats) > 6)
    assert len(portal.said(BEAT)) == over_rest
    assert all(said == [agent.provider] for said in socket.beats)


def test_a_portal_that_does_not(portal: PortalPartner, agent: Agent) -> None:
    socket = told(portal, agent)
    portal.wait(lambda: len(portal.said(BEAT)) > 3)
    assert not socket.beats


def test_a_socket_that_is_lost_and_found(portal: PortalPartner, agent: Agent) -> None:
    assert portal.socket is not None
    portal.socket.takes_beats = True
    socket = told(portal, agent)
    portal.wait(lambda: socket.beats)
    socket.takes_beats = False  # an older portal took its place
    socket.close(1012)
    portal.wait(lambda: len(socket.openers) > 1)
    over_rest = len(portal.said(BEAT))
    portal.wait(lambda: len(portal.said(BEAT)) > over_rest + 2)
    socket.takes_beats, over_socket = True, len(socket.beats)
    socket.close(1012)
    portal.wait(lambda: len(socket.beats) > over_socket + 2)


async def test_no_answer_on_the_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beats, "ANSWER", 0.4)
    said: list[str] = []

    async def send(text: str) -> None:
        said.append(text)

    own, one = beats.Beats(), str(uuid.uuid4())
    own.open([one], send)
    began = time.monotonic()
    assert await own.say(one) is None, "over REST then"
    assert 1.1 < time.monotonic() - began < 9
    assert len(said) == beats.TRIES
    own.close([one])
    assert await own.say(one) is None
    assert len(said) == beats.TRIES


async def test_a_socket_that_breaks_as_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beats, "ANSWER", 0.4)

    async def send(text: str) -> None:
        raise OSError("gone")

    own, one = beats.Beats(), str(uuid.uuid4())
    own.open([one], send)
    assert await own.say(one) is None

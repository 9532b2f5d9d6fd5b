"""An agent that is told of its orders: it looks at once, seldom otherwise, and as before when nobody tells it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.read_fields import ProtocolError
from agents.socket_protocol import parse_socket_message
from tests.rooms.agents_node.cast import Agent
from tests.rooms.agents_node.portal_partner import TOKEN, PortalPartner, problem
from tests.rooms.agents_node.socket_partner import UNKNOWN, SocketPartner

WORDS = st.none() | st.integers() | st.text() | st.lists(st.integers() | st.dictionaries(st.text(), st.integers()))
SAID = st.fixed_dictionaries({}, optional=dict.fromkeys(("type", "providers", "refused", "detail"), WORDS))


@settings(max_examples=100)
@given(SAID | st.text() | st.binary())
def test_whatever_is_said_is_a_message_or_a_protocol_error(said: Any) -> None:
    try:
        heard = parse_socket_message(json.dumps(said) if isinstance(said, dict) else said)
    except ProtocolError:
        return
    assert all(isinstance(one, str) for one in heard.providers)


@pytest.fixture
def portal() -> Iterator[PortalPartner]:
    partner = PortalPartner(socket=SocketPartner())
    yield partner
    partner.stop()


def told(portal: PortalPartner, agent: Agent, **changes: Any) -> SocketPartner:
    """An agent that polls every 0.2 s, every 60 s while it is told, and is told now."""
    assert portal.socket is not None
    portal.socket.owners = {TOKEN: agent.provider}
    quick = {"builder": "noop", "poll_interval": 0.2, "fallback_poll_interval": 60, "retry_longest": 0.3}
    agent.configure(portal, **{**quick, **changes})
    agent.start()
    portal.wait(lambda: portal.socket and portal.socket.listening())
    rest(portal)  # after the look that follows the hello
    return portal.socket


def rest(portal: PortalPartner) -> None:
    """Until nobody has looked for three intervals of an agent that polls."""
    before = -1
    while looks(portal) != before:
        before = looks(portal)
        time.sleep(0.6)


def looks(portal: PortalPartner) -> int:
    return len([path for method, path, _ in list(portal.calls) if method == "GET"])


def test_it_looks_when_it_is_told_and_not_before(portal: PortalPartner, agent: Agent) -> None:
    socket = told(portal, agent)
    before = looks(portal)
    claim_id = portal.claim(agent.provider)
    time.sleep(0.8)
    assert looks(portal) == before
    socket.tell("orders", agent.provider)
    portal.wait(lambda: portal.state(claim_id) == "consumed")
    portal.order_destroy(claim_id)
    socket.tell("orders", agent.provider)
    portal.wait(lambda: not portal.destroy)
    socket.tell("orders", "6a1f6a52-9d2b-4c8e-8a52-0d6f7f6e6f10")
    rest(portal)
    assert looks(portal) == before + 2


def test_told_while_it_looks_it_looks_again(portal: PortalPartner, agent: Agent) -> None:
    socket = told(portal, agent)
    before, late = looks(portal), []

    def during(method: str, path: str) -> None:
        if method == "GET" and not late:
            late.append(portal.claim(agent.provider))  # the answer to this look was made before it
            socket.tell("orders", agent.provider)
            time.sleep(0.2)

    portal.after = during
    socket.tell("orders", agent.provider)
    portal.wait(lambda: late and portal.state(late[0]) == "consumed")
    assert looks(portal) == before + 2


def test_without_its_socket_it_polls_and_comes_back_to_it(portal: PortalPartner, agent: Agent) -> None:
    socket = told(portal, agent)
    portal.socket, claim_id = None, portal.claim(agent.provider)
    socket.close(1012)
    portal.wait(lambda: portal.state(claim_id) == "consumed")
    polled = looks(portal)
    portal.wait(lambda: looks(portal) >= polled + 3)
    portal.wait(lambda: "has no socket for agents (HTTP 404)" in agent.log.read_text())
    assert agent.log.read_text().count("has no socket for agents") == 1


def test_a_portal_that_is_started_again_is_listened_to_again(portal: PortalPartner, agent: Agent) -> None:
    socket = told(portal, agent)
    portal.stop()
    time.sleep(0.3)
    back = PortalPartner(portal.port, socket=SocketPartner())
    try:
        assert back.socket is not None
        back.socket.owners = socket.owners
        missed = back.claim(agent.provider)  # claimed before it listens again: nobody tells it of this one
        back.wait(lambda: back.socket and back.socket.listening())
        back.wait(lambda: back.state(missed) == "consumed")
        rest(back)
        before, claim_id = looks(back), back.claim(agent.provider)
        back.socket.tell("orders", agent.provider)
        back.wait(lambda: back.state(claim_id) == "consumed")
        assert looks(back) == before + 1
    finally:
        back.stop()
    assert agent.log.read_text().count("listening for orders") == 2


def test_a_gap_and_a_provider_that_is_dropped(portal: PortalPartner, agent: Agent) -> None:
    socket = told(portal, agent)
    before = looks(portal)
    socket.tell("hello", agent.provider)
    portal.wait(lambda: looks(portal) == before + 1)
    socket.tell("dropped", agent.provider)
    portal.wait(lambda: looks(portal) >= before + 4)


def test_many_hosts_share_a_connection_and_a_revoked_token_is_its_own_hosts_matter(
    portal: PortalPartner, agent: Agent
) -> None:
    inventory = {"totals": {"vcpus": 64}}
    tokens = [UNKNOWN, *(f"{TOKEN}-{n}" for n in range(5))]
    ids = [f"6a1f6a52-9d2b-4c8e-8a52-00000000000{n}" for n in range(6)]
    providers = [
        {"id": one, "token": token, "name": f"sim{n}", "inventory": inventory}
        for n, (one, token) in enumerate(zip(ids, tokens, strict=True))
    ]
    assert portal.socket is not None
    portal.socket.owners = dict(zip(tokens, ids, strict=True))
    agent.configure(portal, builder="noop", providers=providers, poll_interval=0.2, fallback_poll_interval=60)
    agent.start()
    portal.wait(lambda: portal.socket and portal.socket.listening())
    assert portal.socket.openers == tokens[:2]
    portal.wait(lambda: "the portal refuses tokens" in agent.log.read_text())
    assert "hosts=sim0\n" in agent.log.read_text()
    rest(portal)
    before = looks(portal)
    claims = [portal.claim(one) for one in ids[1:]]
    time.sleep(0.6)
    assert looks(portal) == before
    portal.socket.tell("orders", *ids[1:])
    portal.wait(lambda: all(portal.state(one) == "consumed" for one in claims))
    assert looks(portal) == before + 5


def test_what_was_asked_back_while_it_was_built_is_answered_soon(portal: PortalPartner, agent: Agent) -> None:
    """The portal waits for `failed` of a claim that it asked back, also when the host had built it by then and only the
    refused consumption told it so. Without a look of its own the host would find out after fallback_poll_interval."""
    socket = told(portal, agent)
    claim_id = portal.claim(agent.provider)

    def ask_back(method: str, path: str) -> tuple[int, dict[str, Any]] | None:
        if not path.endswith("/consume"):
            return None
        portal.claims[claim_id]["release_requested"] = True
        return problem(409, "conflict", claim_state="released")

    portal.before = ask_back
    socket.tell("orders", agent.provider)
    portal.wait(lambda: portal.said(f"{claim_id}/failed"), 10)
    assert portal.said(f"{claim_id}/failed") == [{"reason": "released"}]
    assert len(portal.said("/consume")) == 1
    rest(portal)

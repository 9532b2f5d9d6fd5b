"""The same on a real Cassandra: real claims make the events, and the page's state is compared with a new reading."""

import copy
import random
import threading
import uuid
from collections.abc import Callable

import pytest

from conductor import progress
from conductor.release import release_claim
from dashboard.apply import apply, hear
from dashboard.snapshot import compare, load, vital
from dashboard.types import Delta
from events.tail import Follower, head_cursor
from providers import projection
from providers.cells import Cell
from providers.change import Changes, change
from providers.heartbeat import silence
from providers.projection import projector
from providers.records import OwnRow, locate, read_provider
from providers.refusals import Conflict
from providers.remove import remove
from tests.rooms.dashboard.cast import claim, content, until

Host = Callable[..., OwnRow]


def make_history(cell: Cell, own: list[OwnRow], rng: random.Random) -> None:
    open_claims: list[uuid.UUID] = []
    for _ in range(25):
        action = rng.choice(("claim", "claim", "claim", "build", "consume", "release", "drain"))
        if action == "claim":
            made = claim(cell, rng.randint(1, 3))
            open_claims += [made] if made else []
        elif action == "drain":
            state = rng.choice(("enabled", "draining"))
            try:
                change(own[0].id, read_provider(own[0].id)[1].state_version, Changes({"state": state}, {}, {}))
            except Conflict:
                continue  # the other thread was first
        elif open_claims:
            one = open_claims.pop(rng.randrange(len(open_claims)))
            if action == "release":
                release_claim(one, "admin")
            else:
                progress.building(one, None)
                if action == "consume":
                    progress.built(one, None)


@pytest.mark.parametrize("seed", [1, 2])
def test_stale_state_and_the_log_are_the_fresh_state(cell: Cell, host: Host, seed: int) -> None:
    rng = random.Random(seed)
    own = [host(f"h{n}") for n in range(4)]
    follower = Follower(cell.home, head_cursor())
    claim(cell)
    projector().drain()
    state = load(cell.home)
    page = copy.deepcopy(state)

    threads = [threading.Thread(target=make_history, args=(cell, own, random.Random(seed + n))) for n in (10, 20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    host("late")
    remove(host("short-lived").id)
    projector().drain()

    expected = content(load(cell.home))

    def put(told: Delta, delta: Delta) -> None:
        state.put(delta)
        told.merge(delta)

    def caught_up() -> bool:
        events, told = follower.poll(), Delta()
        rng.shuffle(events)
        for event in events:
            put(told, apply(state, event))
        state.vital = vital(cell.home)
        put(told, hear(state, state.vital))
        page.put(told)
        return content(state) == expected

    until(caught_up, "the state to be the fresh one")
    assert content(page) == expected


def test_what_the_log_did_not_tell_is_found(cell: Cell, host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = host("h1"), host("h2")
    state = load(cell.home)
    with monkeypatch.context() as crash:  # the process dies between its transaction and its event
        crash.setattr("claims.take.project_soon", lambda home, root_id, *news: projection.project_soon(home, root_id))
        assert claim(cell, 5)
    projector().drain()
    state.hosts.pop(str(second.id))
    assert not compare(load(cell.home), cell.home)

    state.put(compare(state, cell.home))
    assert content(state) == content(load(cell.home))
    assert sum(one["amounts"]["vcpus"]["available"] for one in state.hosts.values()) == 11

    state.hosts["00000000-0000-4000-8000-000000000000"] = {
        **state.hosts[str(first.id)],
        "id": "00000000-0000-4000-8000-000000000000",
        "root": "00000000-0000-4000-8000-000000000000",
    }
    told = compare(state, cell.home)
    assert told.hosts == {"00000000-0000-4000-8000-000000000000": None}


def test_a_host_that_is_not_heard_from_is_not_alive(cell: Cell, host: Host) -> None:
    own, external = host("agent"), host("external", heartbeat="none")
    silence(locate(own.id))
    state = load(cell.home)
    assert state.hosts[str(own.id)]["alive"] is False
    assert state.hosts[str(external.id)]["alive"] is True

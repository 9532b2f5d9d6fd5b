"""Stale state + what is told == fresh state, over random histories with duplicates, late events and any order."""

import copy
import random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard.apply import apply, apply_image, hear
from dashboard.types import Delta, State, Vital
from tests.rooms.dashboard.cast import content
from tests.rooms.dashboard.ledger import Ledger

ACTIONS = ("create", "child", "claim", "claim", "claim", "build", "consume", "release", "change", "remove")
STEPS = st.lists(st.tuples(st.sampled_from(ACTIONS), st.integers(0, 10_000), st.integers(1, 9)), max_size=40)


def fresh(ledger: Ledger) -> State:
    """What a new reading of the ledger's records shows."""
    state = State()
    for row in ledger.rows.values():
        state.put(apply_image(state, row, "then"))
    return state


def play(ledger: Ledger, step: tuple[str, int, int]) -> None:
    action, pick, amount = step
    providers = list(ledger.providers.values())
    if action == "create" or not providers:
        ledger.create()
        return
    provider = providers[pick % len(providers)]
    claims = sorted(provider.claims)
    if action == "child":
        ledger.create(provider.id)
    elif action == "claim":
        ledger.claim(provider, amount)
    elif action == "change":
        ledger.change(provider, 16 + amount, "draining" if amount % 2 else "enabled")
    elif action == "remove":
        ledger.remove(provider)
    elif claims:
        {"build": ledger.build, "consume": ledger.consume, "release": ledger.release}[action](
            provider, claims[pick % len(claims)]
        )


@settings(max_examples=150, deadline=None)
@given(STEPS, STEPS, st.integers(0, 2**32), st.integers(1, 5))
def test_stale_state_and_deltas_are_the_fresh_state(before: Any, after: Any, seed: int, coalesced: int) -> None:
    ledger, rng = Ledger(), random.Random(seed)
    for step in before:
        play(ledger, step)
    state = fresh(ledger)
    page = copy.deepcopy(state)  # a viewer who has the snapshot and is told deltas only
    since = rng.randint(0, len(ledger.events))  # the log is read from before the snapshot
    for step in after:
        play(ledger, step)

    told = [event for event in ledger.events[since:] for _ in range(rng.choice((1, 1, 1, 2)))]
    rng.shuffle(told)
    waiting = Delta()
    for number, event in enumerate(told):
        delta = apply(state, event)
        state.put(delta)
        waiting.merge(delta)
        if number % coalesced == 0:
            page.put(waiting)
            waiting = Delta()
    page.put(waiting)

    assert content(state) == content(fresh(ledger))
    assert content(page) == content(state)
    assert page.claims_on == state.claims_on


@given(STEPS)
def test_what_is_known_changes_nothing(steps: Any) -> None:
    ledger = Ledger()
    for step in steps:
        play(ledger, step)
    state = fresh(ledger)
    for event in ledger.events:
        if event.provider_id in ledger.providers:
            assert not apply(state, event)


def test_apply_leaves_the_state_as_it_was() -> None:
    ledger = Ledger()
    ledger.create()
    state = fresh(ledger)
    before = copy.deepcopy(state)
    ledger.claim(next(iter(ledger.providers.values())), 4)
    delta = apply(state, ledger.events[-1])
    assert state == before
    (host,) = [host for host in delta.hosts.values() if host]
    assert host["amounts"]["vcpus"] == {"total": 16, "capacity": 16, "used": 0, "claimed": 4, "available": 12}


def test_a_late_event_does_not_bring_a_removed_host_back() -> None:
    ledger = Ledger()
    ledger.create()
    provider = next(iter(ledger.providers.values()))
    ledger.remove(provider)
    created, removed = ledger.events
    state = State()
    for event in (removed, created):
        state.put(apply(state, event))
    assert state.hosts == {}


def test_heartbeats_change_only_who_fell_silent() -> None:
    ledger = Ledger()
    ledger.create()
    ledger.create(next(iter(ledger.providers)))
    ledger.create()
    state = fresh(ledger)
    root, child, other = (str(provider_id) for provider_id in ledger.providers)
    state.put(hear(state, {root: Vital(True)}))
    assert [state.hosts[i]["alive"] for i in (root, child, other)] == [True, True, False]
    assert hear(state, {root: Vital(True)}) == Delta()
    assert hear(state, {root: Vital(True), other: Vital(True)}).hosts.keys() == {other}
    late = hear(state, {root: Vital(True, "2026-01-01T00:00:00+00:00", 2, 1)})
    assert [late.hosts[i]["failed_builds"] for i in (root, child)] == [2, 2]

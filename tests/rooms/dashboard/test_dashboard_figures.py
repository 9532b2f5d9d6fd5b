"""A cell's figures: counted from events, laid together, kept and read again."""

import datetime as dt
import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard import figures_table
from dashboard.apply import apply_image
from dashboard.figures import Tally, figures, times, together
from dashboard.figures_table import MINUTE, MOST, STEP, between, newest, newest_of, put
from dashboard.types import State, Vital
from events.types import CLAIM_CONSUMED, CLAIM_REFUSED, CLAIM_TAKEN, REQUEST_STATE, Event
from providers import cells
from providers.cells import Cell
from tests.rooms.dashboard.ledger import Ledger

NOW = dt.datetime(2026, 5, 1, 12, 0, tzinfo=dt.UTC)


def event(kind: str, at: dt.datetime = NOW, **more: Any) -> Event:
    told = {"provider_id": None, "claim_id": None, "request_id": None, "data": {}, **more}
    return Event(
        id=uuid.uuid4(), cell="c", type=kind, at=at, root_id=None, resource_class=None, generation=1, image=None, **told
    )


def state_of(ledger: Ledger, *heard: uuid.UUID) -> State:
    state = State(vital={str(root): Vital(True) for root in heard})
    for row in ledger.rows.values():
        state.put(apply_image(state, row, NOW.isoformat()))
    return state


def test_what_a_cell_has_is_summed() -> None:
    ledger = Ledger()
    ledger.create()
    ledger.create()
    first, second = ledger.providers.values()
    ledger.claim(first, 3)
    ledger.change(second, 20, "draining")
    row = figures(state_of(ledger, first.id), Tally(), NOW, STEP)
    assert row["hosts"] == {"all": 2, "silent": 1, "enabled": 1, "draining": 1}
    assert row["classes"]["compute"] == {
        "hosts": 2,
        "amounts": {"vcpus": {"capacity": 36, "used": 0, "claimed": 3, "available": 33}},
    }
    assert (row["claims"]["all"], row["claims"]["claimed"], row["claims"]["oldest"]) == (1, 1, NOW.isoformat())


def test_what_happened_is_counted() -> None:
    ledger = Ledger()
    ledger.create()
    (host,) = ledger.providers.values()
    ledger.claim(host, 1)
    (claim_id,) = host.claims
    state, tally = state_of(ledger), Tally()
    refused = {"state": "failed", "reason": "no_valid_host", "stage": "capacity"}
    tally.hear(
        [
            event(CLAIM_TAKEN),
            event(CLAIM_REFUSED),
            event(CLAIM_CONSUMED, NOW + dt.timedelta(seconds=4), claim_id=uuid.UUID(claim_id)),
            event(CLAIM_CONSUMED, claim_id=uuid.uuid4()),  # its claim was never seen: no time, but counted
            event(REQUEST_STATE, data=refused),
            event(REQUEST_STATE, data={"state": "failed", "reason": "contended"}),
            event(REQUEST_STATE, data={"state": "active"}),
        ],
        state,
    )
    row = figures(state, tally, NOW, STEP)
    assert row["happened"] == {"claimed": 1, "lost": 1, "active": 2}
    assert row["refused"] == {"no_valid_host: capacity": 1, "contended": 1}
    assert row["to_active"] == {"n": 1, "p50": 4.0, "p95": 4.0}


@given(st.lists(st.floats(0, 1000), min_size=1, max_size=300))
def test_a_share_takes_no_longer_than_its_percentile(samples: list[float]) -> None:
    found = times(samples)
    assert found is not None
    assert sum(one <= found["p50"] for one in samples) >= len(samples) / 2
    assert sum(one <= found["p95"] for one in samples) >= 0.95 * len(samples)
    assert found["p95"] in samples


def test_rows_together_are_their_sums_and_the_last() -> None:
    state, first, second = state_of(Ledger()), Tally(), Tally()
    first.hear([event(CLAIM_TAKEN)], state)
    second.hear([event(CLAIM_TAKEN), event(CLAIM_REFUSED)], state)
    rows = [figures(state, tally, NOW + dt.timedelta(seconds=n), STEP) for n, tally in enumerate((first, second))]
    whole = together(rows, [1.0, 3.0], MINUTE)
    assert whole["happened"] == {"claimed": 2, "lost": 1}
    assert (whole["step"], whole["at"], whole["to_active"]["n"]) == (MINUTE, rows[1]["at"], 2)


def test_rows_are_kept_and_found_again(cell: Cell) -> None:
    state, now = State(), dt.datetime.now(dt.UTC).replace(microsecond=0)
    assert newest(cell.home) is None
    for ago in (3700, 120, 60, 0):
        put(cell.home, figures(state, Tally(), now - dt.timedelta(seconds=ago), STEP))
    put(cell.home, figures(state, Tally(), now - dt.timedelta(days=2), MINUTE))
    last = newest(cell.home)
    assert last is not None
    assert last["at"] == now.isoformat(timespec="seconds")
    other = cells.create(f"empty-{uuid.uuid4().hex[:6]}")
    assert newest_of([cell.home, other.home]) == [last, None]
    found = between(cell.home, now - dt.timedelta(seconds=90), now)
    assert [row["at"] for row in found] == [(now - dt.timedelta(seconds=s)).isoformat() for s in (60, 0)]
    assert len(between(cell.home, now - dt.timedelta(seconds=4000), now)) == 4
    assert [row["step"] for row in between(cell.home, now - dt.timedelta(days=3), now)] == [MINUTE]


def test_a_long_time_is_thinned(cell: Cell, monkeypatch: pytest.MonkeyPatch) -> None:
    assert MOST * STEP >= 3600  # an hour of short steps is given whole
    monkeypatch.setattr(figures_table, "MOST", 10)
    now = dt.datetime.now(dt.UTC).replace(microsecond=0)
    for number in range(45):
        put(cell.home, figures(State(), Tally(), now - dt.timedelta(minutes=number), MINUTE))
    found = between(cell.home, now - dt.timedelta(hours=2), now + dt.timedelta(seconds=1))
    assert 5 <= len(found) <= 10
    assert found == sorted(found, key=lambda row: row["at"])

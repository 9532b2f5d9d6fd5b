"""Stale state + deltas == a fresh snapshot, over a line that loses, doubles and swaps messages, and breaks.

The reader does what the page's connection does (static/dashboard/connection.js): it takes a delta only when its number
is the next one, asks for a snapshot at a gap, and resumes by its cursor after a break.
"""

import copy
import datetime as dt
import json
import random
from typing import Any

from cassandra.util import max_uuid_from_time
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard.apply import apply
from dashboard.kept import Kept
from dashboard.message import SNAPSHOT, Head, delta_of, encode, whole
from dashboard.types import Delta, State
from events.tail import decode_cursor, encode_cursor
from tests.rooms.dashboard.cast import content
from tests.rooms.dashboard.ledger import Ledger
from tests.rooms.dashboard.test_dashboard_apply import STEPS, fresh, play

FAULTS = st.lists(
    st.sampled_from(["well", "well", "well", "lost", "twice", "late", "broken", "forgotten"]), max_size=60
)


class Portal:
    """What one process knows and keeps; `clock` stands for the time of the log."""

    def __init__(self, state: State) -> None:
        self.state, self.clock = state, dt.datetime.now(dt.UTC) - dt.timedelta(seconds=3000)
        self.kept = Kept(self.clock)

    def tell(self, delta: Delta) -> Any:
        self.clock += dt.timedelta(seconds=1)
        self.state.put(delta)
        self.kept.add(self.clock, delta)
        return delta_of(self.head(), delta)

    def head(self) -> Head:
        return Head(encode_cursor(max_uuid_from_time(self.clock.timestamp())), 0.0)

    def snapshot(self) -> Any:
        return encode(SNAPSHOT, self.head(), whole("c", self.state))

    def after(self, cursor: str) -> Any:
        missed = self.kept.after(decode_cursor(cursor))
        return self.snapshot() if missed is None else delta_of(self.head(), missed)


class Reader:
    """One page. `hear` answers whether it has to ask for a snapshot."""

    def __init__(self) -> None:
        self.state, self.seq, self.cursor = State(), 0, ""

    def hear(self, text: str) -> bool:
        said = json.loads(text)
        if said["type"] == "delta" and said["seq"] != self.seq + 1:
            return True
        self.seq, self.cursor = said["seq"], said["cursor"]
        if said["type"] == SNAPSHOT:
            self.state = State()
        self.state.put(
            Delta(
                {**{h["id"]: h for h in said["hosts"]}, **dict.fromkeys(said.get("removed", ()))},
                {**{c["id"]: c for c in said["claims"]}, **dict.fromkeys(said.get("ended", ()))},
            )
        )
        return False


@settings(max_examples=150, deadline=None)
@given(STEPS, STEPS, FAULTS, st.integers(0, 2**32))
def test_whatever_the_line_does_the_page_is_as_the_cell(before: Any, after: Any, faults: Any, seed: int) -> None:
    ledger, rng = Ledger(), random.Random(seed)
    for step in before:
        play(ledger, step)
    portal, reader = Portal(fresh(ledger)), Reader()
    reader.hear(portal.snapshot().text(0))
    sent, late = 0, []
    for number, step in enumerate(after):
        heard = len(ledger.events)
        play(ledger, step)
        waiting = Delta()
        for event in ledger.events[heard:]:
            delta = apply(portal.state, event)
            portal.state.put(delta)
            waiting.merge(delta)
        message = portal.tell(waiting)
        sent += 1
        texts = [message.text(sent)]
        match faults[number] if number < len(faults) else "well":
            case "lost":
                texts = []
            case "twice":
                texts *= 2
            case "late":
                late, texts = [*texts, *late], late
                rng.shuffle(texts)
            case "broken":  # what was on its way is gone; the page comes back with its cursor
                late = []
                sent = reader.seq = 0
                again = portal.after(reader.cursor)
                sent = 0 if again.type == SNAPSHOT else 1
                texts = [again.text(sent)]
            case "forgotten":  # it comes back to another process, which does not know the cursor
                late = []
                portal.kept = Kept(portal.clock + dt.timedelta(days=1))
                sent, reader.seq = 0, 0
                texts = [portal.after(reader.cursor).text(0)]
                portal.kept = Kept(portal.clock)
        for text in texts:
            if reader.hear(text):
                sent = 0
                late = []
                reader.hear(portal.snapshot().text(0))
                break
    last = copy.deepcopy(portal.tell(Delta()))  # the pulse of a quiet cell shows a gap, if there is one
    if reader.hear(last.text(sent + 1)):
        reader.hear(portal.snapshot().text(0))
    assert content(reader.state) == content(portal.state) == content(fresh(ledger))
    assert reader.state.claims_on == portal.state.claims_on

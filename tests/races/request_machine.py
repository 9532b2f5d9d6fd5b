"""The state machine of one request: its client, two conductors, its hosts and who declares them silent, interleaved.

A transaction at a time, each of them free to die or to lose an answer at any. After every step the rows in Cassandra
must agree with each other; at the end the request has come to its end and nothing is left over. No rule has a
precondition: who is at work depends on where Cassandra and the scheduler put things, and what is drawn must not.
"""

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from request_players import DIE_AFTER, DIE_BEFORE, GO, NOT_HEARD, NOT_SENT, Player, Players, end_all
from request_stage import REFUSALS, SHAPES, RequestStage, Shape, Tally

from claims import groups
from claims.find import on_provider
from claims.types import HELD
from conductor.outcome import parts_of
from conductor.place import schedule
from conductor.recover import recover
from conductor.release import delete_request
from conductor.rows import RequestRow, find
from conductor.states import ACTIVE, ALLOWED, ENDED, FAILED
from conductor.twin import UNDECIDED
from conductor.types import OVER
from providers.records import CLAIM, CLOSED, INSTANCE, Record
from providers.silent import Silent, declare, heard_again

FAULTS = (DIE_BEFORE, DIE_AFTER, NOT_SENT, NOT_HEARD)
END = 60  # rounds until a request must have come to its end


class RequestMachine(RequestStage, RuleBasedStateMachine):
    """One request a run."""

    def __init__(self, tally: Tally, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__()
        self.tally, self.state, self.history = tally, "", list[str]()
        self.crew = Players(monkeypatch, self._applied)
        self.at_work: dict[str, Player] = {}
        self.is_over = False

    @initialize(shape=st.sampled_from(SHAPES), how=st.sampled_from(("whole", "whole", "steps")))
    def a_cell(self, shape: Shape, how: str) -> None:
        self.set_up(shape)
        self.history.append(f"{shape}")
        self.the_client_asks(how)

    # Who begins what.

    @rule(how=st.sampled_from(("whole", "whole", "steps")))
    def the_client_asks(self, how: str) -> None:
        if not self.is_over and self._may_ask():
            self._begin("client", "schedule", lambda: schedule(self._wanted()), how)

    @rule(how=st.sampled_from(("whole", "steps")), really=st.sampled_from((False, False, False, True)))
    def the_client_deletes(self, how: str, really: bool) -> None:
        if really:
            self._begin("deleter", "delete", lambda: delete_request(self.request_id, "me"), how)

    @rule(which=st.sampled_from("AB"), how=st.sampled_from(("whole", "steps", "steps")))
    def a_conductor_comes_by(self, which: str, how: str) -> None:
        self._begin(f"conductor {which}", "recover", self._recover, how)

    @rule(which=st.sampled_from("AB"), how=st.sampled_from(("whole", "steps", "steps")))
    def a_conductor_finds_hosts_late(self, which: str, how: str) -> None:
        self._finds_them_late(which, how)

    def _finds_them_late(self, which: str, how: str) -> None:
        """As if each host that has not begun had been asked long ago."""
        settings.ANSWER_DEADLINE = -1.0
        try:
            self._begin(f"conductor {which}", "recover late", self._recover, how)
        finally:
            settings.ANSWER_DEADLINE = 600.0

    @rule(
        which=st.integers(0, 3),
        says=st.sampled_from(("building", "built", "built", "not built", "not built", "looks")),
        how=st.sampled_from(("whole", "whole", "steps")),
    )
    def a_host_says(self, which: int, says: str, how: str) -> None:
        self._hears_a_host(which, says, how)

    def _hears_a_host(self, which: int, says: str, how: str) -> None:
        """Of the first that it finds; `looks`: what an agent does with all that it finds."""
        host = self.hosts[which]
        if self.is_over or host in self.silent:
            return
        if says == "looks":
            self._look(host)
            return
        found = next((r for r in on_provider(host) if r.kind == CLAIM and r.state != HELD), None)
        if found is not None:
            self._begin(f"host {which}", f"{says} {found.id}", lambda: self._say(host, found, says), how)

    @rule(which=st.integers(0, 3))
    def a_host_is_declared_silent(self, which: int) -> None:
        now, host = dt.datetime.now(dt.UTC), self.hosts[which]
        if (
            not self.is_over
            and len(self.silent) < 2
            and declare(self.home, Silent(host, f"h{which}", "compute", 0, now, now, False))
        ):
            self.silent.add(host)
            self.history.append(f"h{which} is silent")

    @rule()
    def one_is_heard_again(self) -> None:
        if self.is_over or not self.silent:
            return
        host = sorted(self.silent)[0]
        heard_again(self.home, host)
        self.silent.discard(host)
        self.history.append(f"h{self.hosts.index(host)} is heard again")

    # Who goes on.

    @rule(which=st.integers(0, 9), steps=st.integers(0, 3), ends=st.sampled_from((GO, *FAULTS)))
    def one_goes_on(self, which: int, steps: int, ends: str) -> None:
        """Some transactions further; then it may meet a fault."""
        self._somebody(which)
        for told in (*(GO,) * steps, ends):
            self.tally.counts[told] += bool(self.at_work) and told in FAULTS
            self._step(which, told)

    @rule(which=st.integers(0, 9))
    def one_comes_to_its_end(self, which: int) -> None:
        if self.at_work and not self.is_over:
            self._player(which).run_on()
            self._sort_out()

    # What is always so.

    @invariant()
    def the_rows_agree(self) -> None:
        if self.crew.unanswered:
            self._give_up()
        if not hasattr(self, "hosts") or self.is_over:
            return
        row = find(self.request_id, at_home=True)
        if row is not None and row.state != self.state:
            self._fail(f"the row is {row.state}, its transactions made it {self.state}")
        wrong = [*self._wrong_sums(), *(self._built_twice(row) if row else ())]
        if wrong:
            self._fail("; ".join(wrong))

    def teardown(self) -> None:
        try:
            if hasattr(self, "hosts") and not self.is_over:
                self._to_the_end()
        finally:
            end_all(list(self.at_work.values()))
            self.tally.counts["runs"] += 1
            if self.tally.every and self.tally.counts["runs"] % self.tally.every == 0:
                print(self.tally, flush=True)

    def _to_the_end(self) -> None:
        for player in list(self.at_work.values()):
            player.run_on()
        self._sort_out()
        for host in self.silent:
            heard_again(self.home, host)
        self.silent.clear()
        self.the_rows_agree()
        row = self._settle(lambda row: row.state in (ACTIVE, *ENDED))
        if row is None or self.is_over:
            return
        self.tally.ends[row.state] += 1
        wanted = sorted(p.claim_id for p in parts_of(row) if row.state == ACTIVE and p.state not in OVER)
        there = sorted(r.id for r in self._records() if r.kind in (CLAIM, INSTANCE))
        if there != wanted or sorted(self.running) != [c for c in wanted if c not in self._on_pools()]:
            self._fail(f"{row.state} has {wanted}, there is {there}, hosts run {sorted(self.running)}")
        if row.state == ACTIVE:
            delete_request(self.request_id, "me")
            self._settle(lambda row: row.state in ENDED)
        if self.is_over:
            return
        left = [r for r in self._records() if r.kind != CLOSED]
        if left or self.running or (self.group and groups.members(self.group)):
            self._fail(f"left over: {left}, running {self.running}, group {self.group and groups.members(self.group)}")

    def _settle(self, is_settled: Callable[[RequestRow], bool]) -> RequestRow | None:
        """Conductors and hosts go on until all is done; None: nothing was ever written."""
        row = find(self.request_id, at_home=True)
        for _ in range(END if row else 0):
            assert row is not None
            if self.is_over:
                return None
            if is_settled(row) and not any(self._is_open(row, r) for r in self._records()):
                return row
            if row.state not in (ACTIVE, *ENDED) and not self._is_on_the_list():
                self._fail(f"{row.state}, and not on the list of open work")
            self._quietly(self._recover)
            for host in self.hosts:
                self._look(host)
            row = find(self.request_id, at_home=True)
            self.the_rows_agree()
        if row is not None and not self.is_over:
            self._fail(f"does not come to its end: {row.state}, {self._records()}")
        return None

    def _is_open(self, row: RequestRow, record: Record) -> bool:
        if record.kind == CLAIM:
            return record.provider_id not in self.pools or row.state in ENDED
        return record.kind == INSTANCE and row.state in ENDED

    # How.

    def _begin(self, who: str, title: str, call: Callable[[], Any], how: str) -> None:
        if who in self.at_work or self.is_over:
            return
        self.history.append(f"{who}: {title}, {how}")
        player = Player(self.crew, title, call)
        self.at_work[who] = player
        if how == "whole":
            player.run_on()
        self._sort_out()

    def _somebody(self, which: int) -> None:
        """Begins something when nobody is at work."""
        if self.at_work:
            return
        if which < 3:
            self._begin("conductor A", "recover", self._recover, "steps")
        elif which < 5:
            self._finds_them_late("B", "steps")
        else:
            for host in range(4):
                self._hears_a_host((which + host) % 4, "built" if which % 2 else "not built", "steps")

    def _player(self, which: int) -> Player:
        return self.at_work[sorted(self.at_work)[which % len(self.at_work)]]

    def _step(self, which: int, told: str) -> None:
        if not self.at_work or self.is_over:
            return
        player = self._player(which)
        who = next(name for name, one in self.at_work.items() if one is player)
        self.history.append(f"  {who} {told} at {player.at}")
        player.step(told)
        self._sort_out()

    def _sort_out(self) -> None:
        """Who has ended leaves; whoever ended by an error that nobody expects fails the run."""
        for who, player in list(self.at_work.items()):
            if player.is_over:
                del self.at_work[who]
                self.history.append(f"  {who}: {player.title} -> {player.outcome}")
                if player.error is not None and not isinstance(player.error, REFUSALS):
                    self._fail(f"{who}: {player.title} raised {player.error!r}", player.error)

    def _applied(self, point: str) -> None:
        """Hears of every transaction that went through."""
        self.tally.counts["transactions"] += 1
        if not point.startswith("requests."):
            return
        source, _, target = point.removeprefix("requests.").partition("-")
        source = "" if source == "new" else source
        self.tally.moves[f"{source}-{target}"] += 1
        if (source, target) not in ALLOWED or source != self.state:
            self.state = f"{self.state}, then moved from {source} to {target}"
        else:
            self.state = target

    def _may_ask(self) -> bool:
        """Not while the first try is under way: its twin would wait for it."""
        if "client" in self.at_work or not hasattr(self, "hosts"):
            return False
        row = find(self.request_id)
        return row is None or (row.state == FAILED and row.reason in UNDECIDED and not self.at_work)

    def _recover(self) -> object:
        return recover(self.home, self.request_id, dt.datetime.now(dt.UTC))

    def refused(self) -> None:
        if self.crew.unanswered:
            self._give_up()

    def _give_up(self) -> None:
        """Cassandra really did not answer: what is so then, nobody knows. What is drawn after that does nothing."""
        self.tally.counts["given up"] += not self.is_over
        self.is_over, self.crew.unanswered = True, False

    def _fail(self, why: str, cause: BaseException | None = None) -> None:
        self.is_over = True
        raise AssertionError(f"{why}\n" + "\n".join(self.history)) from cause

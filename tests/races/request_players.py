"""Who works on a request side by side, a transaction at a time: each in a thread that stops before its next transaction
until it is told to go on, to die there, or to hear nothing of what came of it."""

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from conductor import side_by_side
from store import failpoints, lwt

GO, DIE_BEFORE, DIE_AFTER, NOT_SENT, NOT_HEARD = "go", "dies before", "dies after", "not sent", "not heard"
PATIENCE = 60.0  # seconds for a transaction, on a machine that is busy


class Dies(BaseException):
    """Nothing catches it: what a process that is killed would have done next is not done."""


class Player:
    """One call. It stands before its first transaction when it is made, or has ended without any."""

    def __init__(self, stage: "Players", title: str, call: Callable[[], Any]) -> None:
        self.title, self.at, self.outcome = title, "", "still at it"
        self.error: BaseException | None = None
        self._stage, self._call = stage, call
        self._told: str | None = None
        self._turn = threading.Condition()
        self._is_parked = False
        self._thread = threading.Thread(target=self._play, daemon=True)
        self._thread.start()
        self._wait()

    @property
    def is_over(self) -> bool:
        return not self._thread.is_alive()

    def step(self, told: str = GO) -> None:
        """Its next transaction, and on to the one after that."""
        if self.is_over:
            return
        with self._turn:
            self._told, self._is_parked = told, False
            self._turn.notify_all()
        self._wait()

    def run_on(self) -> None:
        while not self.is_over:
            self.step()

    def park(self, name: str) -> str:
        """Called by its own thread."""
        with self._turn:
            self.at, self._is_parked, self._told = name, True, None
            self._turn.notify_all()
            while self._told is None:
                self._turn.wait()
            return self._told

    def _wait(self) -> None:
        with self._turn:
            assert self._turn.wait_for(lambda: self._is_parked or self.is_over or self._has_ended, PATIENCE), self.at
        if not self._is_parked:
            self._thread.join(PATIENCE)

    _has_ended = False

    def _play(self) -> None:
        self._stage.mine.player = self
        try:
            self.outcome = repr(self._call())[:60]
        except Dies:
            self.outcome = "died"
        except Exception as error:
            self.error, self.outcome = error, repr(error)[:200]
        finally:
            with self._turn:
                self._has_ended = True
                self._turn.notify_all()


class Players:
    """`applied` hears of every transaction that went through, by its point. `unanswered`: Cassandra really gave no
    answer to one."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, applied: Callable[[str], None]) -> None:
        self.mine = threading.local()
        self.unanswered = False
        self._applied = applied
        self._run = lwt._run
        monkeypatch.setattr(lwt, "_run", self._transaction)
        monkeypatch.setattr(failpoints, "reach", self._reach)
        monkeypatch.setattr(side_by_side, "_submit", lambda work, number: None)  # all in the player's own thread

    def _reach(self, name: str, phase: str) -> str:
        self.mine.point = name
        return ""

    def _transaction(self, *arguments: Any) -> lwt.Outcome:
        player: Player | None = getattr(self.mine, "player", None)
        point = self.mine.point
        told = player.park(point) if player else GO
        if told == DIE_BEFORE:
            raise Dies
        if told == NOT_SENT:
            return lwt.Unknown("not sent")
        outcome = self._run(*arguments)
        if isinstance(outcome, lwt.Applied):
            self._applied(point)
        self.unanswered |= isinstance(outcome, lwt.Unknown)
        if told == DIE_AFTER:
            raise Dies
        return lwt.Unknown("not heard") if told == NOT_HEARD else outcome


def end_all(players: list[Player]) -> None:
    for player in players:
        with suppress(AssertionError):
            while not player.is_over:
                player.step(DIE_BEFORE)

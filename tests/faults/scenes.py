"""Plays scenes: processes that die where they are told to, the client's and the host's side of the story, the books."""

import multiprocessing
import os
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from multiprocessing.connection import wait
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import pytest

from claims.find import on_provider
from claims.types import BUILDING, CLAIMED, DESTROYING, NOTIFIED
from conductor.find import read_request
from conductor.place import schedule
from conductor.progress import ClaimGone, building, built, destroyed, not_built
from conductor.release import delete_request
from conductor.rows import find
from conductor.states import ENDED, RELEASED
from providers.records import CLAIM, INSTANCE, Record
from providers.refusals import Conflict, NotFound
from tests.faults.scenes_actor import act, conduct, told
from tests.faults.scenes_points import ROOT
from tests.faults.scenes_stage import SILENT, Stage

IN_TIME = 30.0  # seconds until every request has come to its end
PATIENCE = 90.0  # seconds that a step is waited for, so that a busy machine is told from a process that hangs
# A portal's lease ends long before its own deadline, as if its clock were wrong: it goes on while others take over.
SHORT = {"SCHEDULE_DEADLINE": 20.0, "REQUEST_LEASE": -18.0, "CLOSED_KEPT": 0.0, "HEARTBEAT_TTL": 600}
CONDUCTOR = SHORT | {"REQUEST_LEASE": 1.0, "CONDUCTOR_INTERVAL": 0.3, "ANSWER_DEADLINE": 600.0}

_processes = multiprocessing.get_context("forkserver")
_lock = threading.Lock()  # a start asks for everybody's exit code, and a code that two threads read is lost to one


@contextmanager
def serving() -> Iterator[None]:
    """Processes can be started: each is forked from one that has imported everything, for this run's keyspace."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("PYTHONPATH", str(ROOT))
        _processes.set_forkserver_preload(["tests.faults.scenes_actor"])
        yield


class Actor:
    """Acts in a process of its own; the failpoint is for the last of them."""

    def __init__(self, names: Sequence[str], stage: Stage, failpoint: str = "") -> None:
        self._answers, theirs = _processes.Pipe(duplex=False)
        self._process: ForkServerProcess = _processes.Process(target=act, args=(names, stage, failpoint, theirs))
        with _lock:
            self._process.start()
        theirs.close()
        self.pid: int = self._process.pid or 0

    def end(self, seconds: float = PATIENCE) -> int | None:
        """The exit code (negative: the signal), None while it lives."""
        wait([self._process.sentinel], seconds)
        with _lock:
            return self._process.exitcode

    def answer(self) -> Any:
        """What the last act told, once it has ended by itself."""
        return self._answers.recv() if self._answers.poll(PATIENCE) else None

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def stops(self, seconds: float = PATIENCE) -> bool:
        """Waits until it has stopped; False when it ended instead."""
        until = time.monotonic() + seconds
        while self.end(0.0) is None and time.monotonic() < until:
            if Path(f"/proc/{self.pid}/stat").read_text().rsplit(")")[1].split()[0] == "T":
                return True
            time.sleep(0.02)
        return False


@contextmanager
def conducting(stages: Sequence[Stage], changed: Mapping[str, float] = CONDUCTOR) -> Iterator[None]:
    """A real conductor looks after the cells of these stages, and ends with code 0."""
    heard, theirs = _processes.Pipe(duplex=False)
    process = _processes.Process(target=conduct, args=([stage.home for stage in stages], changed, theirs))
    process.start()
    assert heard.poll(PATIENCE)
    try:
        yield
    finally:
        process.terminate()
        process.join(PATIENCE)
        code = process.exitcode
        process.kill()
    assert code == 0


def ask(stage: Stage, ends: str) -> Any:
    """What the client asks for, again and again."""
    if ends != RELEASED:
        return told(schedule(stage.request()))
    try:
        return delete_request(stage.request_id, "me")
    except NotFound:  # nothing had been written yet
        return True


def host_round(stage: Stage) -> None:
    """What the agents do at one look for orders (agents/node/host.py): build, give up, destroy."""
    for host in (host for host in stage.with_agent if not stage.is_silent(host)):
        for record in on_provider(host):
            try:
                _obey(stage, record)
            except (ClaimGone, NotFound, Conflict):
                continue  # the agent takes away what it has built


def _obey(stage: Stage, record: Record) -> None:
    breaks = stage.breaks(record.root_id)
    if record.kind == INSTANCE and (record.state == DESTROYING or breaks):
        destroyed(record.request_id, record.provider_id)
    elif record.kind == CLAIM and (record.release_requested or breaks):
        not_built(record.id, record.provider_id, "no such image")
    elif record.kind == CLAIM and record.state in (CLAIMED, NOTIFIED, BUILDING):
        if record.state != BUILDING:
            building(record.id, record.provider_id)
        built(record.id, record.provider_id)


def play_on(stage: Stage, ends: str) -> float:
    """Client and hosts go on as if nothing had happened, until the request has come to its end. Seconds that took."""
    began = time.monotonic()
    while not _has_ended(stage, ends):
        assert time.monotonic() - began < PATIENCE, f"should be {ends}, but {facts(stage)}"
        ask(stage, ends)
        host_round(stage)
        time.sleep(0.1)
    return time.monotonic() - began


def _has_ended(stage: Stage, ends: str) -> bool:
    # A request that was deleted while nobody owned it may have failed before the deletion came.
    return state_of(stage) in (ENDED if ends == RELEASED else (ends,))


def state_of(stage: Stage) -> str:
    try:
        return read_request(stage.request_id).state
    except NotFound:
        return "missing"


def facts(stage: Stage) -> str:
    row = find(stage.request_id)
    there = [(r.kind, r.state, r.epoch, r.release_requested) for host in stage.hosts for r in on_provider(host)]
    told = (row.state, row.reason, row.epoch, row.version, row.lease_until) if row else None
    return f"row {told}, records {there}, cell {stage.cell}"


def end_all(stage: Stage) -> None:
    """The client deletes everything, and the hosts take it down."""
    began = time.monotonic()
    while any(on_provider(host) for host in stage.hosts) or state_of(stage) not in (*ENDED, "missing"):
        assert time.monotonic() - began < PATIENCE, f"does not go away: {facts(stage)}"
        for request_id in (stage.request_id, stage.other_id):
            if find(request_id) is not None:
                delete_request(request_id, "me", force=stage.agents == SILENT)
        host_round(stage)
        time.sleep(0.1)

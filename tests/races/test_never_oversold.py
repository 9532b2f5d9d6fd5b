"""Never oversold: many processes claim, consume, destroy and release at once, and the sums hold at every instant.

The same run with a planted bug must be noticed, or this test proves nothing.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import pytest
import seeded_bugs
from account import Account, account_of, differences, settle
from processes import start

from providers.cells import Cell
from providers.records import OwnRow

PROCESSES = 4
THREADS = 16
CLAIMS = 5120  # acknowledged, over all threads
HOSTS = 20
EVERY_DAY = 4  # `make test` does it with a fourth of the claims and of the hosts, so as full
CAPACITY = {"vcpus": 24, "memory_mb": 24 * 512, "disk_gb": 40}
SECONDS = 400.0  # a bound for a machine that is very busy, not a plan


@dataclass(frozen=True)
class Run:
    """What came of a run: the history, what did not add up at the end, and what the serial reader saw meanwhile."""

    account: Account
    at_the_end: Sequence[str]
    meanwhile: Sequence[str]
    readings: int

    @property
    def wrong(self) -> list[str]:
        return [*self.meanwhile, *self.at_the_end]


@pytest.fixture
def race(cell: Cell, host: Callable[..., OwnRow], tmp_path: Path) -> Callable[..., Run]:
    def run(hosts: int, processes: int, threads: int, claims: int, **work: object) -> Run:
        ids = [host(heartbeat="none", amounts=CAPACITY).id for _ in range(hosts)]
        common = {
            "cell": cell.name,
            "datacenter": cell.datacenter,
            "hosts": [str(i) for i in ids],
            "threads": threads,
            "claims": claims // (processes * threads),
            "seconds": SECONDS,
            **work,
        }
        histories = [tmp_path / f"history-{number}" for number in range(processes)]
        report = tmp_path / "report"
        with start("serial_reader.py", hosts=common["hosts"], datacenter=cell.datacenter, report=str(report)) as reader:
            claimers = [
                start("claimers.py", history=str(path), seed=number, **common) for number, path in enumerate(histories)
            ]
            exits = [claimer.wait(SECONDS + 60) for claimer in claimers]
            reader.communicate(timeout=60)
        assert exits == [0] * processes
        assert reader.returncode == 0
        return _judge(histories, ids, cell, json.loads(report.read_text()))

    return run


def _judge(histories: Sequence[Path], hosts: Sequence[UUID], cell: Cell, read: dict) -> Run:
    account = account_of(histories)
    settle(account, cell.home)
    return Run(account, differences(account, hosts, cell.home, CAPACITY), read["wrong"], read["readings"])


@pytest.mark.slow
@pytest.mark.parametrize("part", [EVERY_DAY, pytest.param(1, marks=pytest.mark.faults)])
def test_nothing_is_oversold_and_what_was_acknowledged_is_what_is_there(race, part):
    run = race(hosts=HOSTS // part, processes=PROCESSES, threads=THREADS, claims=CLAIMS // part)
    assert run.wrong == []
    assert run.account.acknowledged >= 5000 // part
    assert run.account.refused >= 100 // part  # else the hosts were never full, and nothing was at stake
    assert run.readings >= 20 * HOSTS // part
    ends = [told.state for told in run.account.claims.values()]
    assert min(ends.count(state) for state in ("claim", "instance", "gone", "refused")) > 0


def test_claims_without_their_conditions_are_noticed(race):
    run = race(hosts=2, processes=2, threads=4, claims=64, bug=seeded_bugs.NO_CONDITIONS, gives_back=False)
    assert any("oversold" in finding for finding in run.at_the_end)


def test_two_updates_of_a_row_in_one_batch_are_noticed(race):
    run = race(hosts=2, processes=2, threads=4, claims=64, bug=seeded_bugs.TWO_UPDATES)
    assert any("available says" in finding for finding in run.at_the_end)


def test_the_same_small_run_without_a_bug_is_clean(race):
    run = race(hosts=2, processes=2, threads=4, claims=64)
    assert run.wrong == []

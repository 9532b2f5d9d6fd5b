"""What a simulation is made of: its options, who is killed when, what is asked for, and how it is counted."""

from __future__ import annotations

import argparse
import itertools
import math
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from api.simulated_hosts import simulated_hosts
from simulate import SimulationError
from simulate.agents import KILLS, grouped, kills
from simulate.fleet import Registered
from simulate.ledger import Asked, Ledger, percentile
from simulate.mix import drawn
from simulate.options import Options, add_arguments, read_options
from simulate.report import outcome
from simulate.rest import Answer
from simulate.trace import Entry

ALL = ("compute", "baremetal", "block_storage", "network")


def options(*words: str) -> Options:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return read_options(vars(parser.parse_args(words)), "http://127.0.0.1:8000", Path("/var"))


def fleet(count: int) -> list[Registered]:
    return [Registered(str(n), "token", host) for n, host in enumerate(simulated_hosts(count))]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--hosts", "0"], "--hosts: a whole number from 1"),
        (["--hosts", "ten"], "--hosts: a whole number"),
        (["--rate", "0"], "--rate: a number from"),
        (["--rate", "nan"], "--rate: a number from"),
        (["--kill", "5"], "--kill: a number from 0 to 1"),
        (["--failures", "-1"], "--failures: "),
        (["--down", "9-3"], "--down: seconds as A-B, the shorter first"),
        (["--classes", "gpu=3"], "--classes: CLASS=SHARE,... with each of compute, "),
        (["--classes", "compute=1,compute=2"], "--classes: "),
        (["--classes", "compute=0"], "--classes: one share above 0"),
        (["--cell", ".."], "--cell: letters, digits, - and _"),
        (["--arrivals", "never"], "--arrivals: invalid choice"),
    ],
)
def test_a_mistake_names_its_option(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        options(*words)
    assert said in capsys.readouterr().err


def test_how_long_it_takes() -> None:
    assert options().seconds == 600
    assert options("--minutes", "0.5").seconds == 30
    assert options("--trace", "t.csv").seconds == math.inf
    assert options("--trace", "t.csv", "--minutes", "1").seconds == 60


@pytest.mark.parametrize(
    ("hosts", "share", "victims"), [(1000, 0.05, 50), (100, 0.05, 5), (7, 0.5, 4), (3, 0.0, 0), (9, 1.0, 9)]
)
def test_the_share_that_is_killed_has_processes_of_its_own(hosts: int, share: float, victims: int) -> None:
    said = options("--hosts", str(hosts), "--kill", str(share), "--process-hosts", "40", "--minutes", "10")
    groups = grouped(fleet(hosts), said)
    assert sum(len(group.hosts) for group in groups if group.is_victim) == victims
    assert sorted(int(one.id) for group in groups for one in group.hosts) == list(range(hosts)), "each of them once"
    assert max(len(group.hosts) for group in groups) <= 40
    assert len({group.name for group in groups}) == len(groups)
    planned = kills(groups, said)
    assert len(planned) == sum(group.is_victim for group in groups) <= max(KILLS, math.ceil(victims / 40))
    assert all(60 <= one.at <= 480 and 5 <= one.down <= 40 for one in planned)
    assert grouped(fleet(hosts), said) == groups, "the same seed kills the same"


def test_the_workload_is_that_of_the_seed_and_of_classes_with_hosts() -> None:
    said = options("--rate", "10", "--minutes", "2", "--lifetime", "30")
    entries = list(drawn(said, ALL))
    assert entries == list(drawn(said, ALL))
    assert entries != list(drawn(options("--rate", "10", "--minutes", "2", "--seed", "2"), ALL))
    assert len(entries) == pytest.approx(1200, rel=0.15)
    assert all(one.at < other.at < 120 for one, other in itertools.pairwise(entries))
    assert sum(one.lifetime for one in entries) / len(entries) == pytest.approx(30, rel=0.15)
    asked = Counter(resource["resource_class"] for one in entries for resource in one.resources)
    assert set(asked) == set(ALL)
    assert asked["compute"] > asked["block_storage"] > asked["baremetal"]
    some = drawn(said, ["network"])
    assert {resource["resource_class"] for one in some for resource in one.resources} == {"network"}
    with pytest.raises(SimulationError, match="--classes"):
        next(drawn(said, []))


def test_even_arrivals_are_even() -> None:
    times = [one.at for one in drawn(options("--rate", "4", "--minutes", "0.1", "--arrivals", "even"), ALL)]
    assert times == [0.25 * n for n in range(1, 24)]


def event(kind: str, claim: str = "c", at: str = "", **data: str) -> dict[str, Any]:
    moment = f"2026-01-01T00:00:{at or '00'}+00:00"
    return {"type": kind, "request_id": "r", "claim_id": claim, "at": moment, "data": data}


def asked(ledger: Ledger, status: int, body: dict[str, Any]) -> Asked:
    one = Asked(Entry(0.0, [], 1, 1.0), "r")
    ledger.ask(one)
    ledger.answered(one, Answer(status, body), 0.25)
    return one


def test_times_are_the_portal_s() -> None:
    ledger = Ledger()
    claims = [{"created_at": "2026-01-01T00:00:02+00:00"}, {"created_at": "2026-01-01T00:00:01.500000+00:00"}]
    one = asked(ledger, 201, {"claims": claims})
    assert ledger.open() == [one]
    ledger.hear(event("request.state", state="rescheduling", at="03"))
    ledger.hear(event("request.state", state="active", at="04"))
    ledger.hear(event("request.state", state="active", at="09"))  # told twice
    assert one.settled.is_set()
    assert one.claim_to_active == 2.5
    said = outcome(ledger)
    assert (said["claim_to_active"].p50, said["claim_to_active_undisturbed"].count, said["reschedules"]) == (2.5, 0, 1)
    ledger.hear(event("request.state", state="releasing"))
    assert (ledger.active(), len(ledger.open())) == (0, 1)
    ledger.hear(event("request.state", state="released"))
    assert ledger.open() == []
    assert (said["requests"], said["placed"], said["became_active"]) == (1, 1, 1)


def test_a_host_that_stops_because_another_failed_is_no_failed_build() -> None:
    ledger = Ledger()
    one = asked(ledger, 201, {"claims": []})
    ledger.hear(event("claim.failed", "first"))
    ledger.hear(event("claim.changed", "second", state="building"))  # asked back
    ledger.hear(event("claim.failed", "second"))
    ledger.hear(event("request.state", state="failed"))
    assert (ledger.failed_builds, outcome(ledger)["failed_requests"]) == (1, 1)
    assert one.over.is_set()
    ledger.hear({**event("claim.failed"), "request_id": "of somebody else"})
    assert ledger.failed_builds == 1


def test_a_refusal_is_counted_by_its_reason() -> None:
    ledger = Ledger()
    funnel = [{"stage": "alive", "left": 5}, {"stage": "traits", "left": 0}, {"stage": "capacity", "left": 0}]
    one = asked(ledger, 409, {"code": "no_valid_host", "explain": {"funnel": funnel}})
    assert one.over.is_set()
    assert ledger.refused() == {"no_valid_host/traits": 1}
    asked(ledger, 503, {"code": "contended"})
    assert ledger.refused() == {"contended": 1}, "the same id"


def test_percentiles_are_values_that_were_measured() -> None:
    values = [float(n) for n in range(1, 101)]
    assert [percentile(values, share) for share in (0.5, 0.95, 0.99, 1.0)] == [50, 95, 99, 100]
    assert percentile([7.0], 0.99) == 7
    assert math.isnan(percentile([], 0.5))

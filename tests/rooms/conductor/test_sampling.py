"""A sample is random: every host of a shard has its turn, whatever kind of ids hosts have."""

import random
import uuid
from dataclasses import replace

import pytest

from conductor.place import schedule
from conductor.types import ScheduleRequest
from providers.candidates import sample
from providers.sweeps import sweep
from scheduler.filters import FILTERS
from scheduler.select import enabled_filters, rank, run_filters
from scheduler.types import UNEQUAL, Condition, GroupRule, Policy, Resource
from scheduler.weighers import WEIGHERS

HOSTS, ENOUGH, SAMPLES = 24, 4, 120
POLICY = Policy(("alive",), {})


def spread_id(number: int, version: int) -> uuid.UUID:
    """Ids at equal distances, so that chance is only in the sampling; the low bits make them new."""
    high = number * (2**128 // HOSTS) >> 80 << 80
    return uuid.UUID(int=high | version << 76 | uuid.uuid4().int & (2**76 - 1))


@pytest.mark.parametrize("version", [4, 5, 7], ids=["random", "derived", "by time"])
def test_every_host_has_its_turn(cell, host, version):
    """Cassandra sorts ids by version first: a start of any other version would always find the same few hosts."""
    hosts = {host(heartbeat="none", id=spread_id(number, version)).id for number in range(HOSTS)}
    rng = random.Random(7)
    times = dict.fromkeys(hosts, 0)
    for _ in range(SAMPLES):
        found = sample([cell.home], Resource("compute", {"vcpus": 1}), POLICY, ENOUGH, rng).fitting
        assert len(found) >= ENOUGH // 2
        for candidate in found:
            times[candidate.provider_id] += 1
    assert min(times.values()) > 0
    assert max(times.values()) < SAMPLES / 2


SSD = frozenset({"SSD"})
ASKED = [
    Resource("compute", {"vcpus": 1}),
    Resource("compute", {"vcpus": 1, "memory_mb": 0}, required=SSD),
    Resource("compute", {"vcpus": 4, "disk_gb": 10}, any_of=(SSD, frozenset({"FAST", "SSD"}))),
    Resource("compute", {"vcpus": 1}, forbidden=SSD),
    Resource("compute", {"vcpus": 1}, {"cpu_arch": "x86_64"}),
    Resource("compute", {"vcpus": 1}, conditions=(Condition("cpu_arch", UNEQUAL, "x86_64"),)),
    Resource("compute", {"vcpus": 1}, aggregates=frozenset({"blue"})),
    Resource("compute", {"vcpus": 1}, group=GroupRule("anti-affinity", "rack", frozenset({"r1"}))),
    Resource("compute", {"vcpus": 1}, group=GroupRule("soft-affinity", "zone", frozenset({"z1"}))),
]
EVERYTHING = tuple(one.name for one in FILTERS)
POLICIES = [
    Policy(EVERYTHING, {"free_amount": 1.0, "failed_builds": 2.0}),
    Policy(EVERYTHING, {one.name: 1.0 for one in WEIGHERS} | {"free_amount.memory_mb": 2.0}),
    Policy(EVERYTHING, {"balance": 1.0}, max_instances=1),
    Policy((), {"builds": 1.0}, max_builds=1),
]


def test_a_sampled_row_says_all_that_is_looked_at(cell, host):
    """Rows of a sample have fewer columns than a sweep's: who passes and how much it weighs is the same."""
    host(traits=SSD, rack="r1", zone="z1")
    host(traits=frozenset({"FAST"}), properties={"cpu_arch": "aarch64"}, aggregates=frozenset({"blue"}), rack="r2")
    host(amounts={"vcpus": 4, "memory_mb": 1 << 20, "disk_gb": 10}, traits=SSD, zone="z2", heartbeat="none")
    host(state="disabled", traits=SSD)
    host(aggregates=frozenset({"blue", "green"}))
    host(rack="r3", zone="z1")
    schedule(ScheduleRequest("me", "p", (Resource("compute", {"vcpus": 1}),), {}, "me", cell=cell.name))
    everybody = sweep([cell.home], "compute")
    assert sum(candidate.claims for candidate in everybody) == 1
    for resource in ASKED:
        resource = replace(resource, project="p", cells=frozenset({cell.name}))
        for policy in POLICIES:
            passed = run_filters(everybody, resource, enabled_filters(policy)).passed
            found = sample([cell.home], resource, policy, 1000, random.Random(1)).fitting
            weights = [
                [(r.candidate.provider_id, r.weight) for r in rank(some, resource, policy)] for some in (passed, found)
            ]
            assert weights[0] == weights[1], (resource, policy)

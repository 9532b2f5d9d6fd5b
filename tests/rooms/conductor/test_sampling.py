"""A sample is random: every host of a shard has its turn, whatever kind of ids hosts have."""

import random
import uuid

import pytest

from providers.candidates import sample
from scheduler.types import Policy, Resource

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

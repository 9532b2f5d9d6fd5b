"""A sample is random: every host of a shard has its turn, whatever kind of ids hosts have."""

import random
import uuid

import pytest

from providers.candidates import sample
from scheduler.filters import FILTERS
from scheduler.types import Resource

HOSTS, ENOUGH, SAMPLES = 24, 4, 120


@pytest.mark.parametrize("make_id", [uuid.uuid4, lambda: uuid.uuid5(uuid.uuid4(), "host")], ids=["random", "derived"])
def test_every_host_has_its_turn(cell, host, make_id):
    """Cassandra sorts ids by version first: a start of any other version would always find the same few hosts."""
    hosts = {host(heartbeat="none", id=make_id()).id for _ in range(HOSTS)}
    rng = random.Random(7)
    times = dict.fromkeys(hosts, 0)
    for _ in range(SAMPLES):
        found = sample([cell.home], Resource("compute", {"vcpus": 1}), FILTERS, ENOUGH, rng).fitting
        assert len(found) >= ENOUGH // 2
        for candidate in found:
            times[candidate.provider_id] += 1
    assert min(times.values()) > 0
    assert max(times.values()) < SAMPLES / 2

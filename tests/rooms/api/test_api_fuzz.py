"""Whatever is sent as a schedule request: an answer of the contract, never a 5xx."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.rooms.api.cast import request_for

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(
    [
        "compute",
        "baremetal",
        "block_storage",
        "network",
        "vcpus",
        "memory_mb",
        "nodes",
        "cpu_arch",
        "alive",
        "free_amount",
    ]
)
AMOUNTS = st.dictionaries(NAMES | st.text(max_size=5), st.integers(-3, 2**54) | JSON, max_size=3)
RESOURCE = st.fixed_dictionaries(
    {"resource_class": NAMES | JSON, "amounts": AMOUNTS | JSON},
    optional={
        "properties": st.dictionaries(NAMES, JSON, max_size=2) | JSON,
        "required": st.lists(st.text(max_size=5), max_size=2) | JSON,
        "forbidden": JSON,
        "aggregates": JSON,
        "more": JSON,
    },
)
OPTIONAL: dict[str, Any] = {
    "consumer": st.text(max_size=300) | JSON,
    "project": JSON,
    "request_id": st.uuids().map(str) | JSON,
    "resources": st.lists(RESOURCE | JSON, max_size=3) | JSON,
    "instance": st.fixed_dictionaries({}, optional={"name": JSON, "image": JSON, "metadata": JSON}) | JSON,
    "count": st.integers(-1, 5) | JSON,
    "all_or_nothing": st.booleans() | JSON,
    "group": JSON,
    "filters": st.lists(NAMES, max_size=2) | JSON,
    "weighers": st.dictionaries(NAMES, st.integers(-2, 2) | JSON, max_size=2) | JSON,
    "search": st.sampled_from(["sample", "all"]) | JSON,
    "dry_run": st.booleans() | JSON,
    "explain": st.booleans() | JSON,
}
# The driver's threads draw random numbers at any time; hypothesis takes that for a strategy's doing.
pytestmark = pytest.mark.filterwarnings("ignore:Do not use the `random` module")
ANSWERS = {200, 201, 202, 400, 409}


@pytest.fixture
def room(new_host, cell_of_api):
    """A cell with one host of each class that hardly fills."""
    amounts = {"vcpus": 2**40, "memory_mb": 2**40, "disk_gb": 2**40}
    new_host(amounts=amounts, heartbeat="none")
    new_host(resource_class="network", amounts={"bandwidth_mbps": 2**40}, heartbeat="none")
    return cell_of_api


@settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(changes=st.fixed_dictionaries({}, optional=OPTIONAL))
def test_anything_in_a_schedule_request(operator, room, changes):
    answer = operator.post("/api/schedule", {**request_for(room), **changes})
    assert answer.status in ANSWERS, answer


@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(raw=st.binary(max_size=60) | JSON.map(repr).map(lambda text: text.encode("utf-8", "replace")))
def test_any_bytes_at_all(operator, raw):
    assert operator.call("POST", "/api/schedule", raw=raw).status == 400

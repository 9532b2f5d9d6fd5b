"""Hosts and requests that nobody has, for tests of decisions: no database, no clock, no network."""

import uuid
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

from scheduler.filters import FILTERS
from scheduler.types import EVERYBODY, Admission, Candidate, Policy, Resource
from scheduler.weighers import WEIGHERS

settings.register_profile("busy machine", deadline=None, max_examples=40)
settings.load_profile("busy machine")

AMOUNTS = ("vcpus", "memory_mb")
TRAITS = ("SSD", "GPU", "HDD")
AGGREGATES = ("red", "blue")
NAMES = tuple(f.name for f in FILTERS)


def candidate(number: int = 1, **changes: Any) -> Candidate:
    values: dict[str, Any] = {
        "provider_id": uuid.UUID(int=number),
        "root_id": uuid.UUID(int=number),
        "cell": "cell1",
        "datacenter": "dc1",
        "resource_class": "compute",
        "name": f"host-{number}",
        "state": "enabled",
        "root_state": "enabled",
        "state_version": 1,
        "root_state_version": 1,
        "generation": 1,
        "amounts": {"vcpus": 8, "memory_mb": 8192},
        "available": {"vcpus": 8, "memory_mb": 8192},
        "totals": {"vcpus": 8, "memory_mb": 8192},
        "properties": {},
        "traits": frozenset(),
        "aggregates": frozenset(),
        "rack": "",
        "zone": "",
        "heartbeat": "none",
        "alive": True,
    }
    return Candidate(**(values | changes))


def resource(**amounts: int) -> Resource:
    return Resource("compute", amounts or {"vcpus": 2})


def policy(**changes: Any) -> Policy:
    return Policy(**({"filters": NAMES, "weighers": {"free_amount": 1.0}} | changes))


@st.composite
def candidates(draw: st.DrawFn, number: int = 1) -> Candidate:
    totals = {name: draw(st.integers(0, 16)) for name in AMOUNTS}
    return candidate(
        number,
        state=draw(st.sampled_from(["enabled", "enabled", "enabled", "disabled", "draining"])),
        root_state=draw(st.sampled_from(["enabled", "enabled", "enabled", "disabled"])),
        totals=totals,
        available={name: draw(st.integers(-4, total)) for name, total in totals.items()},
        properties=draw(st.dictionaries(st.just("cpu_arch"), st.sampled_from(["x86_64", "aarch64"]))),
        traits=draw(st.frozensets(st.sampled_from(TRAITS))),
        aggregates=draw(st.frozensets(st.sampled_from(AGGREGATES))),
        alive=draw(st.sampled_from([True, True, True, False])),
        claims=draw(st.integers(0, 3)),
        instances=draw(st.integers(0, 3)),
        failed_builds=draw(st.integers(0, 2)),
        conflicts=draw(st.integers(0, 3)),
        heartbeat=draw(st.sampled_from(["none", "agent"])),
        admits=draw(st.sampled_from([EVERYBODY, EVERYBODY, Admission(frozenset({"a"}))])),
    )


@st.composite
def clouds(draw: st.DrawFn) -> list[Candidate]:
    return [draw(candidates(number)) for number in range(1, 1 + draw(st.integers(0, 12)))]


resources = st.builds(
    Resource,
    st.just("compute"),
    st.dictionaries(st.sampled_from(AMOUNTS), st.integers(0, 8), min_size=1),
    st.dictionaries(st.just("cpu_arch"), st.sampled_from(["x86_64", "aarch64"])),
    st.frozensets(st.sampled_from(TRAITS[:2])),
    st.frozensets(st.sampled_from(TRAITS[2:])),
    st.frozensets(st.sampled_from(AGGREGATES)),
)
policies = st.builds(
    Policy,
    st.sets(st.sampled_from(NAMES)).map(tuple),
    st.dictionaries(
        st.sampled_from([*(w.name for w in WEIGHERS), "free_amount.vcpus"]),
        st.sampled_from([-2.0, -1.0, 0.0, 1.0, 3.5]),
    ),
    st.integers(1, 6),
    st.integers(0, 6),
    max_instances=st.integers(0, 5),
    max_builds=st.integers(0, 3),
)

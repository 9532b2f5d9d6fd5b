"""Decisions go by the policy in force and by the aggregates there are, and the shadow's other choices are noted."""

import time
import uuid
from typing import Any

import pytest

from conductor import policy_differences
from conductor.place import schedule
from conductor.policies import put, run_shadow
from conductor.policy_differences import differences
from conductor.types import NoValidHost, Placed, ScheduleRequest
from providers.aggregates import Changes, create
from providers.projection import projector
from scheduler.types import Resource


def request(cell, **changes: Any) -> ScheduleRequest:
    values: dict[str, Any] = {"body": {"vcpus": 1}, "username": "somebody", "cell": cell.name, "project": "shop"}
    resources = (Resource("compute", {"vcpus": 1}),)
    return ScheduleRequest(**({"consumer": "me", "resources": resources} | values | changes))


def where(outcome) -> str:
    assert isinstance(outcome, Placed), outcome
    return str(outcome.claims[0]["provider_name"])


def test_the_next_decision_goes_by_a_new_policy(own_policy, cell, host):
    names = {host(name, heartbeat="none").row["name"] for name in ("one", "other")}
    put({"weighers": {"free_amount": -1}, "subset": 1}, 0, "ann", "pack")
    used = where(schedule(request(cell)))
    assert where(schedule(request(cell))) == used
    put({"weighers": {"free_amount": 1}}, 1, "ann", "spread")
    assert {where(schedule(request(cell)))} == names - {used}
    put({"max_instances": 1}, 2, "ann", "one each")
    assert isinstance(schedule(request(cell)), NoValidHost)


def test_a_shadows_other_choice_is_noted(own_policy, cell, host, monkeypatch):
    monkeypatch.setattr(policy_differences, "_second", (0, 0))  # a test before may have noted all that a second takes
    host("used", heartbeat="none")
    host("fresh", heartbeat="none")
    put({"weighers": {"free_amount": -1}, "subset": 1}, 0, "ann", "pack")
    first = where(schedule(request(cell)))
    assert projector().drain()  # else both hosts look the same to whoever spreads
    shadow = run_shadow({"weighers": {"free_amount": 1}}, "ann", "what if we spread")
    chosen = schedule(request(cell))
    assert where(chosen) == first
    until = time.monotonic() + 60
    while True:
        noted = [one for one in differences(100).results if one.shadow_version == shadow.version]
        noted = [one for one in noted if one.request_id == chosen.request_id]
        if noted:
            break
        assert time.monotonic() < until
        time.sleep(0.1)
    assert noted[0].real == (first,)
    assert set(noted[0].shadow) == {"used", "fresh"} - {first}


@pytest.mark.parametrize("filters", [None, ("alive",)], ids=["the policy's", "its own filters"])
def test_hosts_that_are_kept_for_others_are_not_chosen(cell, host, filters):
    name = f"agg-{uuid.uuid4().hex[:8]}"
    create(name, Changes(tenants={"bank"}))
    host("vault", aggregates=frozenset({name}), heartbeat="none")
    assert isinstance(schedule(request(cell, filters=filters)), NoValidHost)
    assert where(schedule(request(cell, filters=filters, project="bank"))) == "vault"

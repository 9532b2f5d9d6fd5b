"""What went wrong on a host is weighed, and an image that aggregates are kept for goes nowhere else."""

import uuid
from uuid import UUID

import pytest

from conductor.decide import dry_run
from conductor.place import schedule
from conductor.progress import building, not_built
from conductor.types import NoValidHost, Placed, ScheduleRequest
from providers import aggregates
from providers.heartbeat import note_conflict, note_failed_build, silence
from providers.records import locate
from providers.sweeps import sweep
from scheduler.types import Resource


@pytest.fixture
def ask(cell):
    def make(project="p", **changes):
        values = {"body": {}, "username": "me", "cell": cell.name} | changes
        return ScheduleRequest("me", project, (Resource("compute", {"vcpus": 1}),), **values)

    return make


def seen(cell):
    return {c.provider_id: c for c in sweep([cell.home], "compute")}


def test_a_build_that_failed_is_counted_once_and_its_host_comes_last(cell, host, ask):
    both = {host().id, host().id}
    placed = schedule(ask())
    assert isinstance(placed, Placed)
    claim, at = UUID(placed.claims[0]["id"]), UUID(placed.claims[0]["provider"])
    building(claim, at)
    not_built(claim, at, "the image is not there")
    note_failed_build(locate(at), claim)
    assert {one: seen(cell)[one].failed_builds for one in both} == {one: int(one == at) for one in both}
    best, last = dry_run(ask(weighers={"failed_builds": 1.0}), 2).ranked
    assert (last.candidate.provider_id, last.weight, best.weight) == (at, 0.5, 1.0)


def test_conflicts_are_noted_once_a_minute_and_make_no_host_alive(cell, host):
    own = host()
    silence(locate(own.id))
    for _ in range(3):
        note_conflict(locate(own.id))
    assert (seen(cell)[own.id].conflicts, seen(cell)[own.id].alive) == (1, False)


def test_an_image_that_hosts_are_kept_for_goes_nowhere_else(cell, host, ask):
    name, image = f"kept-{uuid.uuid4().hex[:8]}", uuid.uuid4().hex
    kept, free = host(aggregates=frozenset({name})), host()
    aggregates.create(name, aggregates.Changes(tenants=["theirs"], images=[image]))
    aggregates._kept.forget()

    def where(**changes):
        found = schedule(ask(**changes))
        return UUID(found.claims[0]["provider"]) if isinstance(found, Placed) else found

    assert where() == free.id
    assert where(project="theirs", instance={"image": image}) == kept.id
    refused = where(instance={"image": image})  # nor is the host for this project
    assert isinstance(refused, NoValidHost)
    removed = {s["stage"]: s["removed"] for s in refused.explanation["funnel"] if s["removed"]}
    assert removed == {"isolation": 1, "aggregates": 1}

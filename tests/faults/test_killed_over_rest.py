"""Killed anywhere, the whole of it: a real portal is killed at each of its transactions while a real client, agent and
conductor go on over REST; and `manage.py run_conductor` at each of its own. (`make faults`: takes some minutes.)"""

import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.conf import settings

from providers.cells import Cell
from tests.faults.scenes import SHORT, Actor, end_all, play_on, serving
from tests.faults.scenes_actor import sweep
from tests.faults.scenes_books import left_over, wrong_claims, wrong_sums
from tests.faults.scenes_play import members_left, play_before
from tests.faults.scenes_served import Client, MortalPortal, agent_of, run_conductor
from tests.faults.scenes_stage import set_up
from tests.faults.scenes_table import CONDUCTOR, Scene
from tests.rooms.agents_node.cast import Agent, processes_in

pytestmark = pytest.mark.faults
VCPUS: dict[str, Any] = {"resource_class": "compute", "amounts": {"vcpus": 6}}
DISK: dict[str, Any] = {"resource_class": "block_storage", "amounts": {"capacity_gb": 10}}


def built_and_deleted(client: Client) -> None:
    made = client.schedule(VCPUS)
    client.wait(made["request_id"], "active")
    client.delete(made["request_id"])


def with_a_disk(client: Client) -> None:
    made = client.schedule(VCPUS, DISK)
    client.wait(made["request_id"], "active")
    disk = next(claim["id"] for claim in made["claims"] if claim["resource_class"] == "block_storage")
    client.call("DELETE", f"/api/claims/{disk}")
    client.wait(made["request_id"], "active")
    client.delete(made["request_id"])


def on_two_hosts(client: Client) -> None:
    made = client.schedule(VCPUS, count=2)
    client.wait(made["request_id"], "active")
    client.delete(made["request_id"])


def apart(client: Client) -> None:
    made = client.schedule(VCPUS, count=2, group={"id": client.cell, "policy": "anti-affinity", "scope": "host"})
    client.wait(made["request_id"], "active")
    client.delete(made["request_id"])


def disk_alone(client: Client) -> None:
    made = client.schedule(DISK)
    client.call("DELETE", f"/api/claims/{made['claims'][0]['id']}")
    client.wait(made["request_id"], "released")


def too_much(client: Client) -> None:
    resources = {"resource_class": "compute", "amounts": {"vcpus": 99}}
    assert client.schedule(resources)["code"] == "no_valid_host"


def broken(client: Client) -> None:
    made = client.schedule(VCPUS, instance={"name": "web", "image": "broken"})
    client.wait(made["request_id"], "failed")


def deleted_while_it_is_built(client: Client) -> None:
    made = client.schedule(VCPUS, instance={"name": "web", "image": "slow"})
    client.wait(made["request_id"], "building", "active")
    client.delete(made["request_id"])


STORIES: dict[Callable[[Client], None], str] = {
    built_and_deleted: "requests.new-scheduling claims.take claims.building requests.scheduling-active claims.consume "
    "requests.active-releasing claims.to_be_destroyed claims.destroy requests.releasing-released",
    with_a_disk: "requests.scheduling-claimed claims.confirm requests.claimed-active claims.active "
    "requests.active-active claims.release",
    on_two_hosts: "requests.claimed-claimed",
    apart: "claims.join claims.leave",
    disk_alone: "requests.scheduling-releasing",
    too_much: "requests.new-failed",
    broken: "requests.releasing-failed",
    deleted_while_it_is_built: "claims.to_be_released",
}
TOLD = [
    (story, point, phase)
    for story, names in STORIES.items()
    for point in names.split()
    for phase in ("before", "after")
]


@pytest.fixture(scope="module")
def portal(cassandra: SimpleNamespace, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MortalPortal]:
    one = MortalPortal(tmp_path_factory.mktemp("portal"))
    yield one
    one.stop()


@pytest.fixture
def agent(portal: MortalPortal, cell: Cell, tmp_path: Path) -> Iterator[SimpleNamespace]:
    made, providers = agent_of(portal, tmp_path, cell.name)
    yield SimpleNamespace(process=made, providers=providers)
    made.kill()


@pytest.mark.parametrize(("story", "point", "phase"), TOLD)
def test_the_portal_dies(
    portal: MortalPortal, agent: SimpleNamespace, cell: Cell, story: Callable[[Client], None], point: str, phase: str
) -> None:
    client = Client(portal, cell.name)
    with run_conductor():
        portal.begin(f"{point}:{phase}=kill")
        story(client)
        until = time.monotonic() + 90
        while not_at_rest(client, agent):
            assert time.monotonic() < until, not_at_rest(client, agent)
            time.sleep(0.2)
        portal.end()
    assert portal.deaths == [-signal.SIGKILL], "it did not reach its point"


def not_at_rest(client: Client, agent: SimpleNamespace) -> list[str]:
    """What is still claimed, missing or running."""
    found = [
        f"claim {claim['id']}" for claim in client.call("GET", f"/api/claims?cell={client.cell}").json()["results"]
    ]
    for provider in agent.providers:
        one = client.call("GET", f"/api/providers/{provider}").json()
        total = {name: amount["total"] for name, amount in one["inventory"].items()}
        if not one["available"] == one["amounts"] == total:
            found.append(f"{one['name']} has {one['available']} of {total}")
    started: Agent = agent.process
    found += [f"process {one.pid}" for one in processes_in(started.state_dir)]
    outputs = started.state_dir.glob("*/*/output.log")
    return found + [f"{log}: started twice" for log in outputs if log.read_text().splitlines().count("started") > 1]


@pytest.mark.parametrize("phase", ["before", "after"])
@pytest.mark.parametrize("scene", [s for s in CONDUCTOR if s.act == "conduct"], ids=lambda scene: scene.title)
def test_the_conductor_dies(cassandra: SimpleNamespace, scene: Scene, phase: str) -> None:
    with pytest.MonkeyPatch.context() as patch, serving():
        for name, value in SHORT.items():
            patch.setattr(settings, name, value)
        stage = set_up(scene.shape, scene.agents, **SHORT | scene.settings)
        names = play_before(scene, stage)
        if names:
            assert Actor(names, stage).end() == 0
        with run_conductor(f"{scene.point}:{phase}=kill") as dying:
            assert dying.wait(60) == -signal.SIGKILL
        with run_conductor():
            assert play_on(stage, scene.ends) < 30
            assert [*wrong_sums(stage), *wrong_claims(stage, members_left(scene, phase))] == []
            end_all(stage)
        sweep(stage)
        assert list(left_over(stage)) == []


def test_a_host_that_was_asleep_takes_down_what_was_given_up(
    portal: MortalPortal, agent: SimpleNamespace, cell: Cell
) -> None:
    """The agent stops in the middle of a build; its request is ended by force meanwhile."""
    client = Client(portal, cell.name)
    process = agent.process.processes[-1]
    made = client.schedule(VCPUS, instance={"name": "web", "image": "slow"})
    client.wait(made["request_id"], "building")
    process.send_signal(signal.SIGSTOP)
    assert client.call("DELETE", f"/api/requests/{made['request_id']}?force=true").status_code == 204
    other = client.schedule(VCPUS, count=2)  # its room is sold again
    process.send_signal(signal.SIGCONT)
    client.wait(other["request_id"], "active")
    time.sleep(3.0)
    running = {one.environ().get("SCHED_INSTANCE_ID") for one in processes_in(agent.process.state_dir)}
    assert running == {claim["id"] for claim in other["claims"]}
    client.delete(other["request_id"])
    assert not_at_rest(client, agent) == []

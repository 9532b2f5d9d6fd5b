"""What one claim goes through on a host, with a real agent and real processes."""

from __future__ import annotations

import time

import psutil
import pytest

from tests.rooms.agents_node.cast import Agent, processes_of, sessions_of
from tests.rooms.agents_node.portal_partner import PortalPartner, problem


def test_built_consumed_destroyed(portal: PortalPartner, agent: Agent) -> None:
    claim_id = portal.claim(agent.provider)
    agent.start()
    portal.wait(lambda: portal.state(claim_id) == "consumed")
    portal.wait(lambda: agent.record(claim_id)["state"] == "active")
    (process,) = processes_of(claim_id)
    assert process.cmdline() == ["sleep", "3600"]
    assert agent.record(claim_id)["handle"]["pid"] == process.pid
    verbs = [path.rsplit("/")[-1] for _, path, _ in portal.calls if claim_id in path]
    assert verbs == ["building", "consume"], "said to be building first, and each of it once over many polls"
    portal.order_destroy(claim_id)
    portal.wait(lambda: portal.said("/destroyed"))
    assert portal.said("/destroyed") == [{}]
    assert not processes_of(claim_id)
    portal.wait(lambda: not agent.path(claim_id).exists())


def test_children_and_stubborn_ones_are_taken_away(portal: PortalPartner, agent: Agent) -> None:
    claims = [portal.claim(agent.provider, image) for image in ("children", "stubborn")]
    agent.start()
    portal.wait(lambda: all(portal.state(claim_id) == "consumed" for claim_id in claims))
    assert len(processes_of(claims[0])) == 4
    for claim_id in claims:
        portal.order_destroy(claim_id)
    portal.wait(lambda: len(portal.said("/destroyed")) == 2)
    assert not [process for claim_id in claims for process in processes_of(claim_id)]


def test_the_environment_is_small_and_names_the_instance(portal: PortalPartner, agent: Agent) -> None:
    claim_id = portal.claim(agent.provider, "environment")
    agent.start()
    portal.wait(lambda: portal.state(claim_id) == "consumed")
    lines = (agent.state_dir / agent.provider / claim_id / "output.log").read_text().splitlines()
    names = {line.partition("=")[0] for line in lines if "=" in line}
    assert {"SCHED_META_COLOUR=blue", f"SCHED_INSTANCE_ID={claim_id}", "SCHED_AMOUNT_MEMORY_MB=512"} <= set(lines)
    assert {name for name in names if not name.startswith("SCHED_")} <= {"PATH", "HOME", "LANG", "PWD", "SHLVL", "_"}


def test_vcpus_are_cores_it_cannot_leave(portal: PortalPartner, agent: Agent) -> None:
    claim_id = portal.claim(agent.provider, "children", amounts={"vcpus": -1, "memory_mb": -100})
    agent.start()
    portal.wait(lambda: portal.state(claim_id) == "consumed")
    assert {len(process.cpu_affinity() or []) for process in processes_of(claim_id)} == {1}
    assert {process.nice() for process in processes_of(claim_id)} == {5}


def test_failures_say_why(portal: PortalPartner, agent: Agent) -> None:
    expected = {
        "broken": "exited with code 3: no such disk",
        "absent": "cannot start /no/such/program: [Errno 2] No such file or directory: '/no/such/program'",
        "unheard-of": "unknown image 'unheard-of': this host has absent, broken",
        "forks": "processes exceeded: ",
    }
    claims = {portal.claim(agent.provider, image): image for image in expected}
    agent.start()
    portal.wait(lambda: all(portal.state(claim_id) == "gone" for claim_id in claims))
    for claim_id, image in claims.items():
        (body,) = portal.said(f"{claim_id}/failed")
        assert body["reason"].startswith(expected[image])
        assert not processes_of(claim_id)
    assert not portal.said("/consume")


def test_a_host_that_cannot_build_says_so(portal: PortalPartner, agent: Agent) -> None:
    claim_id = portal.claim(agent.provider)
    agent.path(claim_id).parent.mkdir(parents=True)
    agent.path(claim_id).with_suffix("").write_text("a file where the instance's directory should be")
    agent.start()
    portal.wait(lambda: portal.said(f"{claim_id}/failed"))
    assert portal.said(f"{claim_id}/failed")[0]["reason"].startswith("the host could not build it: ")


def test_memory_hog_is_killed_and_reported_failed(portal: PortalPartner, agent: Agent) -> None:
    claim_id = portal.claim(agent.provider, "hog", amounts={"vcpus": -1, "memory_mb": -100})
    agent.start()
    portal.wait(lambda: portal.said(f"{claim_id}/failed"))
    assert portal.said(f"{claim_id}/failed")[0]["reason"].startswith("memory_mb exceeded: 1")
    assert not processes_of(claim_id)


def test_memory_hog_after_it_is_active_is_killed_and_reported_destroyed(portal: PortalPartner, agent: Agent) -> None:
    claim_id = portal.claim(agent.provider, "late-hog", amounts={"vcpus": -1, "memory_mb": -100})
    agent.start()
    portal.wait(lambda: portal.said("/destroyed"))
    assert portal.state(claim_id) == "consumed"
    assert portal.said("/destroyed")[0]["reason"].startswith("memory_mb exceeded: ")
    assert not processes_of(claim_id)


def test_an_instance_that_ends_by_itself_is_reported_destroyed(portal: PortalPartner, agent: Agent) -> None:
    portal.claim(agent.provider, "short")
    agent.start()
    portal.wait(lambda: portal.said("/destroyed"))
    assert portal.said("/destroyed") == [{"reason": "exited with code 0: bye"}]


def test_no_image_builds_the_default_one(portal: PortalPartner, agent: Agent) -> None:
    claim_id = portal.claim(agent.provider, None)
    agent.start("--once").wait(10)
    assert [process.cmdline() for process in processes_of(claim_id)] == [["sleep", "3600"]]


def test_released_while_building(portal: PortalPartner, agent: Agent) -> None:
    claim_id = portal.claim(agent.provider, "slow")
    agent.start()
    portal.wait(lambda: processes_of(claim_id))
    portal.claims[claim_id]["release_requested"] = True
    portal.wait(lambda: portal.said(f"{claim_id}/failed"))
    assert portal.said(f"{claim_id}/failed") == [{"reason": "released"}]
    assert not processes_of(claim_id)
    assert not portal.said("/consume")


def test_a_claim_that_is_gone_is_not_built(portal: PortalPartner, agent: Agent) -> None:
    claim_id = portal.claim(agent.provider)
    portal.before = lambda method, path: problem(409, "conflict") if path.endswith("/building") else None
    agent.start("--once").wait(10)
    assert not processes_of(claim_id)
    assert not (agent.state_dir / agent.provider / claim_id).exists()
    assert not agent.path(claim_id).exists()


def test_a_claim_that_is_gone_when_built_is_torn_down(portal: PortalPartner, agent: Agent) -> None:
    claim_id = portal.claim(agent.provider)

    def release(method: str, path: str) -> None:
        if path.endswith("/building"):
            portal.claims[claim_id]["state"] = "released"

    portal.after = release
    agent.start()
    portal.wait(lambda: portal.said("/consume") and not agent.path(claim_id).exists())
    assert not processes_of(claim_id)
    assert not portal.said("/failed")


def test_consumed_before_counts_as_consumed(portal: PortalPartner, agent: Agent) -> None:
    claim_id = portal.claim(agent.provider)
    consumed = problem(409, "conflict", claim_state="consumed")
    portal.before = lambda method, path: consumed if path.endswith("/consume") else None
    agent.start()
    portal.wait(lambda: agent.path(claim_id).exists() and agent.record(claim_id)["state"] == "active")
    assert processes_of(claim_id)


@pytest.mark.parametrize(("call", "running"), [("building", 0), ("consume", 1)])
def test_an_answer_that_is_not_the_portals_changes_nothing(
    portal: PortalPartner, agent: Agent, call: str, running: int
) -> None:
    claim_id = portal.claim(agent.provider)
    portal.before = lambda method, path: (404, {"error": "proxy"}) if path.endswith(call) else None
    agent.start()
    portal.wait(lambda: portal.said(f"/{call}"))
    time.sleep(0.7)
    assert len(processes_of(claim_id)) == running
    assert len(portal.said("/building")) == 1, "it was neither given up nor begun again"
    assert len(portal.said(f"/{call}")) == 1


def test_destroying_what_is_unknown_here(portal: PortalPartner, agent: Agent) -> None:
    claim_id = portal.claim(agent.provider, state="consumed")
    portal.order_destroy(claim_id)
    assert agent.start("--once").wait(10) == 0
    assert portal.said("/destroyed") == [{}]


def test_a_request_is_destroyed_when_its_last_instance_is(portal: PortalPartner, agent: Agent) -> None:
    first = portal.claim(agent.provider, "sleep")
    second = portal.claim(agent.provider, "stubborn", request=portal.claims[first]["request_id"])
    agent.start()
    portal.wait(lambda: portal.state(first) == portal.state(second) == "consumed")
    alive: list[psutil.Process] = []
    portal.after = lambda method, path: alive.extend(processes_of(second)) if path.endswith("/destroyed") else None
    portal.order_destroy(first)
    portal.order_destroy(second)
    portal.wait(lambda: len(portal.said("/destroyed")) == 2)
    assert not alive, "the first word came when nothing of the request ran any more"


def test_one_that_ends_takes_its_siblings_along(portal: PortalPartner, agent: Agent) -> None:
    """The portal will give back what all of them used here, so none may go on."""
    first = portal.claim(agent.provider, "sleep")
    other = portal.claim(agent.provider, "sleep")
    second = portal.claim(agent.provider, "short", request=portal.claims[first]["request_id"])
    agent.start()
    portal.wait(lambda: portal.said("/destroyed"))
    assert portal.said("/destroyed")[0]["reason"] == "exited with code 0: bye"
    assert not processes_of(first)
    assert not processes_of(second)
    assert processes_of(other)


def test_a_conflict_that_says_nothing_of_the_claim_is_asked_again(portal: PortalPartner, agent: Agent) -> None:
    claim_id = portal.claim(agent.provider)
    busy = [problem(409, "conflict"), problem(409, "conflict", claim_state="held")]
    portal.before = lambda method, path: busy.pop() if busy and path.endswith("/consume") else None
    assert agent.start("--once").wait(10) == 0
    assert portal.state(claim_id) == "consumed"
    assert len(processes_of(claim_id)) == 1


def test_pages_are_followed_and_one_bad_order_stops_no_other(portal: PortalPartner, agent: Agent) -> None:
    portal.page_size = 2
    bad = portal.claim(agent.provider)
    portal.claims[bad]["request_id"] = "../../etc"
    claims = [portal.claim(agent.provider) for _ in range(4)]
    assert agent.start("--once").wait(15) == 0
    assert {portal.state(claim_id) for claim_id in claims} == {"consumed"}
    assert [len(sessions_of(claim_id)) for claim_id in claims] == [1, 1, 1, 1]
    assert agent.log.read_text().count("request_id: not a UUID") == 1

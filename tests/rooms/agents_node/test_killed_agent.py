"""The agent is killed with SIGKILL at every step of a claim, started again, and the instance has been started once."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess

import psutil
import pytest

from agents.node.builders.process_table import read_row
from tests.rooms.agents_node.cast import Agent, processes_in, processes_of, sessions_of
from tests.rooms.agents_node.portal_partner import PortalPartner

WRITES = ("intent", "building", "started", "built", "active")
PLACES = ["half-write:1", "before-write:3", "half-write:3", "spawned"]


def starts(agent: Agent, claim_id: str) -> int:
    """How often the program of this claim was ever started, by what it wrote itself."""
    return (agent.state_dir / agent.provider / claim_id / "output.log").read_text().splitlines().count("started")


def is_active(agent: Agent, claim_id: str) -> bool:
    return agent.path(claim_id).exists() and agent.record(claim_id)["state"] == "active"


@pytest.mark.parametrize("place", PLACES)
def test_killed_at_a_step_of_its_own(portal: PortalPartner, agent: Agent, place: str) -> None:
    claim_id = portal.claim(agent.provider, "says-started")
    assert agent.start(crash=place).wait(10) == -signal.SIGKILL
    agent.start()
    portal.wait(lambda: portal.state(claim_id) == "consumed" and is_active(agent, claim_id))
    assert len(sessions_of(claim_id)) == 1
    assert starts(agent, claim_id) == 1
    assert "set aside" not in agent.log.read_text()


def test_killed_after_every_single_step(portal: PortalPartner, agent: Agent) -> None:
    """Each run of the agent gets one state further and dies; the last one finds it all done."""
    claim_id = portal.claim(agent.provider, "says-started")
    for step in WRITES:
        assert agent.start(crash="after-write:1").wait(10) == -signal.SIGKILL
        record = agent.record(claim_id)
        assert (record["state"], bool(record["handle"]["pid"])) == (
            "building" if step == "started" else step,
            step not in ("intent", "building"),
        )
    agent.start()
    portal.wait(lambda: portal.state(claim_id) == "consumed" and "event=adopted" in agent.log.read_text())
    assert len(sessions_of(claim_id)) == 1
    assert starts(agent, claim_id) == 1


@pytest.mark.parametrize("call", ["building", "consume"])
def test_killed_while_the_portal_answers(portal: PortalPartner, agent: Agent, call: str) -> None:
    """The portal has done it and the agent never hears so."""
    claim_id = portal.claim(agent.provider, "says-started")
    portal.after = lambda method, path: agent.kill() if path.endswith(call) else None
    agent.start().wait(10)
    portal.after = lambda method, path: None
    agent.start()
    portal.wait(lambda: is_active(agent, claim_id))
    assert len(sessions_of(claim_id)) == 1
    assert starts(agent, claim_id) == 1
    assert not portal.said("/failed")


def test_killed_while_it_takes_away(portal: PortalPartner, agent: Agent) -> None:
    claim_id = portal.claim(agent.provider, "stubborn")
    agent.start()
    portal.wait(lambda: is_active(agent, claim_id))
    portal.order_destroy(claim_id)
    portal.wait(lambda: agent.record(claim_id)["state"] == "ending")
    agent.kill()
    portal.destroy.clear()
    agent.start()
    portal.wait(lambda: portal.said("/destroyed"))
    assert not processes_of(claim_id)


def test_killed_between_the_last_word_and_forgetting(portal: PortalPartner, agent: Agent) -> None:
    claim_id = portal.claim(agent.provider, "broken")
    agent.start(crash="forget").wait(10)
    assert agent.start("--once").wait(10) == 0
    assert len(portal.said(f"{claim_id}/failed")) == 2, "said again, because whether it was heard is not known"
    assert not agent.path(claim_id).exists()


def test_stopped_politely_it_leaves_its_instances_and_takes_them_up_again(portal: PortalPartner, agent: Agent) -> None:
    claim_id = portal.claim(agent.provider)
    agent.start()
    portal.wait(lambda: is_active(agent, claim_id))
    (before,) = processes_of(claim_id)
    assert agent.stop() == 0
    assert [process.pid for process in processes_of(claim_id)] == [before.pid]
    agent.start()
    portal.wait(lambda: "event=adopted" in agent.log.read_text())
    before.kill()
    portal.wait(lambda: portal.said("/destroyed"))
    assert portal.said("/destroyed")[0]["reason"].startswith("exited; its code is not known")


def test_an_adopted_hog_is_still_held_to_its_claim(portal: PortalPartner, agent: Agent) -> None:
    claim_id = portal.claim(agent.provider, "later-hog", amounts={"vcpus": -1, "memory_mb": -100})
    agent.start()
    portal.wait(lambda: is_active(agent, claim_id))
    agent.kill()
    agent.start()
    portal.wait(lambda: portal.said("/destroyed"))
    assert portal.said("/destroyed")[0]["reason"].startswith("memory_mb exceeded")
    assert not processes_of(claim_id)


@pytest.mark.parametrize("change", [{"started": 1}, {"boot": "another-boot"}])
def test_a_recycled_pid_is_not_adopted_and_not_hurt(
    portal: PortalPartner, agent: Agent, change: dict[str, object]
) -> None:
    claim_id = portal.claim(agent.provider)
    agent.start()
    portal.wait(lambda: is_active(agent, claim_id))
    agent.kill()
    for process in processes_of(claim_id):
        process.kill()
    stranger = subprocess.Popen(["sleep", "3606"], start_new_session=True)
    try:
        record = agent.record(claim_id)
        ticks = read_row(stranger.pid).started
        record["handle"] = {**record["handle"], "pid": stranger.pid, "started": ticks, **change}
        agent.path(claim_id).write_text(json.dumps(record))
        agent.start()
        portal.wait(lambda: portal.said("/destroyed"))
        assert portal.said("/destroyed") == [{"reason": "ended while the agent was away"}]
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_corrupt_record_is_set_aside_and_its_instance_found_by_its_mark(portal: PortalPartner, agent: Agent) -> None:
    claim_id = portal.claim(agent.provider, "says-started")
    whole = portal.claim(agent.provider)
    agent.start(crash="after-write:3").wait(10)
    running = {process.pid for process in sessions_of(claim_id)}
    agent.path(claim_id).write_bytes(b"\x00\xff{")
    agent.start()
    portal.wait(lambda: portal.state(claim_id) == portal.state(whole) == "consumed")
    assert list(agent.path(claim_id).parent.glob(f"{claim_id}.json.corrupt-*"))
    assert len(sessions_of(claim_id)) == 1
    assert running <= {process.pid for process in sessions_of(claim_id)}
    assert starts(agent, claim_id) == 1


def test_an_escaped_child_is_found_by_the_lock_it_was_born_with(portal: PortalPartner, agent: Agent) -> None:
    """Its own session, no parent, an empty environment: nothing but the open file says where it came from."""
    claim_id = portal.claim(agent.provider, "escape")

    def escaped() -> list[psutil.Process]:
        return [one for one in processes_in(agent.state_dir) if one.cmdline() == ["sleep", "3604"]]

    agent.start()
    portal.wait(lambda: is_active(agent, claim_id))
    assert len(escaped()) == 1
    portal.order_destroy(claim_id)
    portal.wait(lambda: portal.said("/destroyed"))
    assert not escaped()


def test_a_program_that_was_forked_and_not_yet_executed_is_waited_for(portal: PortalPartner, agent: Agent) -> None:
    """Between fork and exec a process has the lock and not yet the mark; here that moment lasts a second."""
    claim_id = portal.claim(agent.provider, "says-started")
    agent.start(crash="after-write:2").wait(10)
    room = agent.state_dir / agent.provider / claim_id
    room.mkdir()
    late = "import fcntl, os, sys, time; f = os.open('lock', os.O_RDWR | os.O_CREAT); fcntl.flock(f, fcntl.LOCK_EX)\n"
    late += "os.set_inheritable(f, True); print('locked', flush=True); time.sleep(1.5)\n"
    late += f"os.execve('/bin/sleep', ['sleep', '3607'], {{'SCHED_INSTANCE_ID': '{claim_id}'}})"
    forked = subprocess.Popen(
        [shutil.which("python3") or "python3", "-c", late], cwd=room, start_new_session=True, stdout=subprocess.PIPE
    )
    try:
        assert forked.stdout is not None
        assert forked.stdout.readline() == b"locked\n"
        agent.start()
        portal.wait(lambda: is_active(agent, claim_id))
        assert [process.pid for process in processes_of(claim_id)] == [forked.pid]
    finally:
        os.kill(forked.pid, signal.SIGKILL)
        forked.wait()


def test_two_agents_do_not_share_a_state(portal: PortalPartner, agent: Agent) -> None:
    agent.start()
    portal.wait(lambda: portal.said("/heartbeat"))
    assert agent.start().wait(10) == 2
    assert "another agent is running for host1" in agent.log.read_text()

"""As a new user would: a URL and a token, nothing else."""

from __future__ import annotations

import argparse
import configparser
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from agents.node.configuration import read_configuration
from agents.node.fields import ConfigurationError
from agents.node.start import add_arguments
from tests.rooms.agents_node.cast import ROOT, Agent, processes_of
from tests.rooms.agents_node.portal_partner import TOKEN, PortalPartner, problem

UNIT = ROOT / "agents/sched-agent.service"


def start(agent: Agent, portal: PortalPartner, *more: str, token: str = TOKEN) -> subprocess.Popen[bytes]:
    """Where the state directory's default is: below the working directory."""
    portal.bound = portal.bound or {"id": agent.provider, "name": "host1", "cell": "c", "resource_class": "compute"}
    agent.state_dir = agent.config.parent / "var/agents/state"
    with agent.log.open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "agents.node", "--portal", portal.url, "--token", token, *more],
            cwd=agent.config.parent, stdout=log, stderr=log, env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
    agent.processes.append(process)
    return process


def test_a_url_and_a_token_are_enough(portal: PortalPartner, agent: Agent) -> None:
    claim_id = portal.claim(agent.provider, None)
    start(agent, portal)
    portal.wait(lambda: portal.state(claim_id) == "consumed")
    portal.wait(lambda: agent.record(claim_id)["state"] == "active")
    (process,) = processes_of(claim_id)
    assert process.cmdline() == ["sleep", "infinity"]
    assert portal.said("/report")[0]["totals"]["vcpus"] > 0
    agent.kill()
    start(agent, portal)
    portal.wait(lambda: "adopted" in agent.log.read_text())
    assert [one.pid for one in processes_of(claim_id)] == [process.pid]
    portal.order_destroy(claim_id)
    portal.wait(lambda: portal.said("/destroyed"))
    assert not processes_of(claim_id)


def test_once_with_a_token_file(portal: PortalPartner, agent: Agent, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    claim_id = portal.claim(agent.provider, "sleep")
    process = start(
        agent, portal, "--once", "--token", "", "--token-file", str(tmp_path / "token"), "--builder", "noop"
    )
    assert process.wait(20) == 0
    assert portal.state(claim_id) == "consumed"


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        ((200, {"username": "root", "role": "admin", "provider": None}), "this token is a user's"),
        (problem(406, "version_unsupported"), "name the id"),
        ((200, {"hello": "world"}), "what answers there is no portal: provider: missing"),
        ((200, {"provider": {"id": "../x"}}), "what answers there is no portal"),
    ],
)
def test_a_portal_that_names_no_provider(
    portal: PortalPartner, agent: Agent, answer: tuple[int, dict[str, object]], complaint: str
) -> None:
    portal.before = lambda method, path: answer if path == "/api/whoami" else None
    assert start(agent, portal).wait(20) == 2
    assert complaint in agent.log.read_text()
    assert not agent.state_dir.exists()


def test_a_portal_that_comes_later_is_waited_for_before_anything_is_known(portal: PortalPartner, agent: Agent) -> None:
    portal.stop()
    start(agent, portal)
    portal.wait(lambda: "portal cannot be reached" in agent.log.read_text())
    back = PortalPartner(portal.port)
    try:
        back.bound = portal.bound
        back.wait(lambda: back.said("/heartbeat"))
    finally:
        back.stop()
    assert "the token says which provider this is" in agent.log.read_text()


def test_two_agents_of_one_token_are_one_too_many(portal: PortalPartner, agent: Agent) -> None:
    start(agent, portal)
    portal.wait(lambda: portal.said("/heartbeat"))
    assert start(agent, portal).wait(20) == 2
    assert "another agent is running for host1" in agent.log.read_text()


def test_nothing_at_all_says_what_is_missing() -> None:
    with pytest.raises(ConfigurationError, match=r"providers\[0\].token: give a token"):
        read_configuration("", {})
    with pytest.raises(ConfigurationError, match="portal: 'nowhere' is not an http:// or https:// URL"):
        read_configuration("", {"SCHED_AGENT_TOKEN": "t", "SCHED_AGENT_PORTAL": "nowhere"})


def unit() -> configparser.ConfigParser:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read(UNIT)
    return parser


def test_the_unit_starts_what_there_is_and_leaves_instances_alone() -> None:
    service = unit()["Service"]
    _, _, arguments = service["ExecStart"].partition("-m agents.node ")
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    assert parser.parse_args(arguments.split()).config == "/etc/sched-agent/agent.json"
    assert (service["KillMode"], service["Restart"], service["OOMPolicy"]) == ("process", "always", "continue")
    assert service["RestartPreventExitStatus"] == "2"
    inherited = {"PrivateTmp", "PrivateDevices", "PrivateNetwork", "MemoryMax", "CPUQuota", "ProcSubset", "ProtectProc"}
    assert not inherited & set(service), "its instances would have it too"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_systemd_reads_the_unit(tmp_path: Path) -> None:
    """With a program and a page that are there, as it asks for."""
    text = UNIT.read_text().replace("/opt/sched-portal/.venv/bin/python", sys.executable)
    copy = tmp_path / UNIT.name
    copy.write_text(text.replace("/opt/sched-portal", str(ROOT)))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(copy)], capture_output=True, text=True, timeout=60, check=False
    )
    complaints = [line for line in done.stderr.splitlines() if UNIT.name in line]
    assert not complaints

"""What the agent says about its host, and what it makes of what it is told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.node.builders.noop import NoopBuilder
from agents.node.carrier import Rest
from agents.node.configuration import NoopConfiguration, read_configuration
from agents.node.host import Host
from agents.node.inventory import cpu_traits, measure_compute
from agents.node.journal import Journal
from agents.protocol import ProtocolError, parse_page
from tests.rooms.agents_node.cast import ROOT, Agent
from tests.rooms.agents_node.portal_partner import PortalPartner

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
FIELDS = ("id", "claim_id", "request_id", "provider", "state", "amounts", "instance", "consumer")
ORDERS = st.lists(st.dictionaries(st.sampled_from(FIELDS), JSON) | JSON, max_size=3)


@settings(max_examples=60)
@given(JSON | st.fixed_dictionaries({"results": ORDERS, "destroy": ORDERS, "next": JSON}))
def test_any_answer_is_a_page_or_a_protocol_error(answer: object) -> None:
    try:
        page = parse_page(answer)
    except ProtocolError:
        return
    assert all("/" not in order.claim_id for order in (*page.claims, *page.destroy))


def test_what_is_measured_is_what_the_host_has(tmp_path: Path) -> None:
    report = measure_compute(tmp_path)
    assert report.totals == {
        "vcpus": psutil.cpu_count(),
        "memory_mb": psutil.virtual_memory().total // 2**20,
        "disk_gb": psutil.disk_usage(str(tmp_path)).total // 2**30,
    }
    assert report.properties["cpu_arch"]


def test_cpu_traits_have_the_names_of_other_clouds(tmp_path: Path) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("processor\t: 0\nflags\t\t: fpu vme avx2 sse4_2 avx\nflags\t\t: fpu\n")
    assert cpu_traits(cpuinfo) == ("HW_CPU_X86_AVX", "HW_CPU_X86_AVX2", "HW_CPU_X86_SSE42")
    assert cpu_traits(tmp_path / "none") == ()


async def test_a_report_is_sent_at_start_and_on_change_only(
    portal: PortalPartner, agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent.configure(portal, builder="noop")
    agent.state_dir.mkdir()
    configuration = read_configuration(str(agent.config), {})
    line = Rest(configuration, Journal())
    (provider,) = configuration.providers
    own = line.line(provider, Journal())
    host = Host(provider, configuration, own, NoopBuilder(NoopConfiguration()), Journal())
    await host.report()
    await host.report()
    assert len(portal.said("/report")) == 1
    monkeypatch.setattr(psutil, "cpu_count", lambda logical: 99)
    await host.report()
    assert [body["totals"]["vcpus"] for body in portal.said("/report")][1:] == [99]
    await line.close()


def test_reports_and_heartbeats_are_periodic_at_the_interval_the_portal_gives(
    portal: PortalPartner, agent: Agent
) -> None:
    portal.interval = 0.2
    agent.configure(portal, builder="noop", report_interval=0.3, heartbeat_interval=60)
    agent.start()
    portal.wait(lambda: len(portal.said("/heartbeat")) > 4 and len(portal.said("/report")) > 2)


def test_log_lines_as_json(portal: PortalPartner, agent: Agent) -> None:
    claim_id = portal.claim(agent.provider)
    agent.configure(portal, builder="noop")
    assert agent.start("--once", "--log-json").wait(10) == 0
    lines = [json.loads(line) for line in agent.log.read_text().splitlines()]
    assert [line["event"] for line in lines if line.get("claim") == claim_id] == ["building", "built", "active"]


def test_the_management_command_needs_no_cassandra(portal: PortalPartner, agent: Agent) -> None:
    """192.0.2.1 is nobody's address (RFC 5737): a connection to it would hang or fail."""
    claim_id = portal.claim(agent.provider)
    agent.configure(portal, builder="noop")
    nobody = {"CASSANDRA_HOSTS": "192.0.2.1"}
    done = subprocess.run(
        [sys.executable, "manage.py", "run_agent", "--config", str(agent.config), "--once"],
        cwd=ROOT, env={**os.environ, **nobody}, timeout=90, capture_output=True, check=False,
    )  # fmt: skip
    assert (done.returncode, portal.state(claim_id)) == (0, "consumed"), done.stderr.decode()

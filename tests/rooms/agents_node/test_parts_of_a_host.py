"""NUMA nodes and PCI devices, from a sysfs that the test makes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agents.node import parts
from agents.node.configuration import read_configuration
from agents.node.fields import ConfigurationError
from agents.node.parts import measure_parts
from agents.node.provider_configuration import PARTS, PCI_CLASSES, Measured
from agents.protocol import Part
from tests.rooms.agents_node.cast import Agent
from tests.rooms.agents_node.portal_partner import PortalPartner, problem
from tests.rooms.agents_node.sysfs import make_device, make_node
from tests.rooms.agents_node.test_configuration import PROVIDER, write


@pytest.fixture
def sys(tmp_path: Path) -> Path:
    """Two nodes; a GPU, its console's display, a network card, and an accelerator that is given away in functions."""
    root = tmp_path / "sys"
    make_node(root, 0, "0-3,8", 65536)
    make_node(root, 1, "4-7", 32768)
    make_device(root, "0000:3b:00.0", "030200", vendor="10de", device="1DB6", numa_node="1")
    make_device(root, "0000:01:00.0", "030000", vendor="1a03", device="2000", boot_vga="1")
    make_device(root, "0000:02:00.0", "020000", vendor="8086", device="10fb")
    make_device(root, "0000:81:00.0", "120000", vendor="1da3", device="1020", numa_node="-1")
    make_device(root, "0000:82:00.0", "120000", vendor="1da3", device="1020", sriov_numvfs="4")
    return root


def test_what_is_there(sys: Path) -> None:
    gpu = {"vendor": "10de", "product": "1db6", "device_class": "0302", "numa_node": 1}
    accelerator = {"vendor": "1da3", "product": "1020", "device_class": "1200"}
    assert measure_parts(PARTS, PCI_CLASSES, sys) == (
        Part("numa0", "numa_node", {"cpus": 5, "memory_mb": 65536}),
        Part("numa1", "numa_node", {"cpus": 4, "memory_mb": 32768}),
        Part("0000:3b:00.0", "pci_device", {"devices": 1}, gpu),
        Part("0000:81:00.0", "pci_device", {"devices": 1}, accelerator),
    )
    assert [one.slot for one in measure_parts(("pci",), ("02", "0302"), sys)] == ["0000:02:00.0", "0000:3b:00.0"]


def test_one_node_is_the_host_itself(tmp_path: Path) -> None:
    make_node(tmp_path, 0, "0-7", 65536)
    assert measure_parts(PARTS, PCI_CLASSES, tmp_path) == ()
    make_node(tmp_path, 10, "", 1024)  # memory alone
    assert [one.slot for one in measure_parts(PARTS, PCI_CLASSES, tmp_path)] == ["numa0", "numa10"]
    assert measure_parts(PARTS, PCI_CLASSES, tmp_path)[1].totals == {"cpus": 0, "memory_mb": 1024}


def test_a_machine_without_sysfs_has_none(tmp_path: Path) -> None:
    assert measure_parts(PARTS, PCI_CLASSES, tmp_path / "none") == ()


def test_this_machine_can_be_asked() -> None:
    assert isinstance(measure_parts(PARTS, PCI_CLASSES, parts.SYS), tuple)


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"parts": ["gpu"]}, "providers[0].parts: any of numa, pci"),
        ({"pci_classes": ["3"]}, "providers[0].pci_classes: two or four digits"),
        ({"parts": "numa"}, "providers[0].parts: a list of texts"),
        ({"parts": [], "inventory": {"totals": {"vcpus": 1}}}, "providers[0].parts: unknown field"),
    ],
)
def test_complaints_of_parts(tmp_path: Path, fields: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        read_configuration(write(tmp_path, providers=[{**PROVIDER, **fields}]), {})
    assert complaint in str(raised.value)


def test_parts_are_told_unless_they_are_not_wanted(tmp_path: Path) -> None:
    (provider,) = read_configuration(write(tmp_path), {}).providers
    assert provider.inventory == Measured((), PARTS, PCI_CLASSES)
    (provider,) = read_configuration(write(tmp_path, providers=[{**PROVIDER, "parts": []}]), {}).providers
    assert provider.inventory == Measured((), (), PCI_CLASSES)


def test_a_report_names_all_of_them(portal: PortalPartner, agent: Agent) -> None:
    agent.configure(portal, builder="noop")
    assert agent.start("--once").wait(15) == 0
    (said,) = portal.said("/report")
    assert said["children"] == [part.as_json() for part in measure_parts(PARTS, PCI_CLASSES, parts.SYS)]


def test_a_portal_of_before_is_told_of_the_host_alone(portal: PortalPartner, agent: Agent) -> None:
    agent.configure(portal, builder="noop")
    told: list[str] = []

    def too_new(method: str, path: str) -> tuple[int, dict[str, object]] | None:
        told.extend([path] if path.endswith("/report") else [])
        return problem(406, "version_unsupported") if told == [path] else None

    portal.before = too_new
    assert agent.start("--once").wait(15) == 0
    assert "children" in portal.said("/report")[0]
    assert "children" not in portal.said("/report")[1]

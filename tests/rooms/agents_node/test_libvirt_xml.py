"""A domain's XML: the operator's template with what was claimed in it, whatever names and metadata contain."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.node.builders.domain_xml import NAMESPACE, clean, domain_xml, volume_xml
from agents.node.configuration import read_configuration
from agents.node.fields import ConfigurationError
from agents.node.instances import Instance, State
from agents.node.libvirt_configuration import Disk

TEMPLATE = """<domain type="kvm">
  <name>template</name>
  <memory unit="GiB">1</memory>
  <vcpu placement="static" current="1">1</vcpu>
  <cpu mode="host-passthrough"><topology sockets="1" cores="1" threads="1"/></cpu>
  <os><type arch="x86_64">hvm</type></os>
  <devices><interface type="network"><source network="default"/></interface></devices>
</domain>"""
TEXT = st.text(st.characters(codec="utf-8"), max_size=40)


def instance(**changes: Any) -> Instance:
    values: dict[str, Any] = {
        "claim_id": str(uuid.uuid4()), "request_id": str(uuid.uuid4()), "host": str(uuid.uuid4()),
        "provider": str(uuid.uuid4()), "consumer": "alice", "project": "p", "name": "web-1", "image": "debian",
        "amounts": {"vcpus": 4, "memory_mb": 2048, "disk_gb": 30}, "metadata": {}, "state": State.BUILDING,
    }  # fmt: skip
    return Instance(**(values | changes))


def test_what_was_claimed_is_what_it_gets() -> None:
    one = instance()
    domain = ElementTree.fromstring(domain_xml(TEMPLATE, one, Disk("default")))
    assert (domain.findtext("name"), domain.findtext("uuid")) == (one.claim_id, one.claim_id)
    for name in ("memory", "currentMemory"):
        element = domain.find(name)
        assert element is not None
        assert (element.text, element.get("unit")) == ("2048", "MiB")
    vcpu = domain.find("vcpu")
    assert vcpu is not None
    assert (vcpu.text, vcpu.attrib) == ("4", {"placement": "static", "current": "4"})
    assert domain.find("cpu/topology") is None
    assert domain.find("devices/interface/source") is not None, "the template's own stays"
    source = domain.find("devices/disk/source")
    assert source is not None
    assert source.attrib == {"pool": "default", "volume": f"{one.claim_id}.qcow2"}
    assert len(domain.findall("name")) == len(domain.findall("memory")) == 1


def test_what_was_not_claimed_stays_as_the_template_has_it() -> None:
    domain = ElementTree.fromstring(domain_xml(TEMPLATE, instance(amounts={"memory_mb": 0}), None))
    memory, vcpu = domain.find("memory"), domain.find("vcpu")
    assert memory is not None
    assert vcpu is not None
    assert (memory.text, memory.get("unit"), vcpu.text) == ("1", "GiB", "1")
    assert domain.find("devices/disk") is None


@settings(max_examples=200)
@given(TEXT, TEXT, st.dictionaries(TEXT, TEXT, max_size=3))
def test_no_name_becomes_xml(name: str, consumer: str, metadata: dict[str, str]) -> None:
    text = domain_xml(TEMPLATE, instance(name=name, consumer=consumer, metadata=metadata), None)
    domain = ElementTree.fromstring(text)
    assert [one.tag for one in domain].count("devices") == 1
    described = domain.find(f"metadata/{{{NAMESPACE}}}instance")
    assert described is not None
    said = {one.tag.partition("}")[2]: one.text or "" for one in described}
    # A carriage return is written as it is and read as a line feed (XML 1.0, 2.11).
    assert said["consumer"] == clean(consumer).replace("\r\n", "\n").replace("\r", "\n")
    assert json.loads(said["metadata"]) == metadata
    assert len(described) == 9


def test_a_closing_tag_in_a_name_closes_nothing() -> None:
    evil = "x</title><devices><disk type='file'><source file='/etc/shadow'/></disk></devices><title>"
    domain = ElementTree.fromstring(domain_xml(TEMPLATE, instance(name=evil, metadata={evil: evil}), None))
    assert domain.findtext("title") == evil
    assert domain.find("devices/disk") is None


def test_a_volume_is_as_large_as_the_claim() -> None:
    disk = Disk("default", backing="/images/debian12.qcow2", size_gb=7)
    volume = ElementTree.fromstring(volume_xml(instance(), disk))
    assert (volume.findtext("capacity"), volume.findtext("backingStore/path")) == ("30", "/images/debian12.qcow2")
    assert ElementTree.fromstring(volume_xml(instance(amounts={}), disk)).findtext("capacity") == "7"
    assert ElementTree.fromstring(volume_xml(instance(), Disk("default"))).find("backingStore") is None


def configured(tmp_path: Path, image: dict[str, Any], **more: Any) -> str:
    path = tmp_path / "agent.json"
    provider = {"id": str(uuid.uuid4()), "token": "t"}
    path.write_text(json.dumps({"providers": [provider], "libvirt": {"images": {"debian": image}}, **more}))
    return str(path)


def test_the_section_is_read(tmp_path: Path) -> None:
    template = tmp_path / "debian.xml"
    template.write_text(TEMPLATE)
    image = {"template": str(template), "disk": {"pool": "fast", "backing": "/b.qcow2", "size_gb": 20}}
    found = read_configuration(configured(tmp_path, image, default_image="debian"), {}).libvirt
    assert found.uri == "qemu:///system"
    assert found.images["debian"].disk == Disk("fast", "/b.qcow2", size_gb=20)
    assert found.images["debian"].template == TEMPLATE


@pytest.mark.parametrize(
    ("text", "image", "complaint"),
    [
        (TEMPLATE, {"template": "/no/such.xml"}, "libvirt.images.debian.template: /no/such.xml: No such file"),
        ("<domain", {}, "not XML"),
        ("<network/>", {}, '<domain type="..."> was expected'),
        ("<domain/>", {}, '<domain type="..."> was expected'),
        (TEMPLATE, {"memory": 5}, "libvirt.images.debian.memory: unknown field"),
        (TEMPLATE, {"disk": {"path": "/x"}}, "libvirt.images.debian.disk.path: unknown field"),
        (TEMPLATE, {"disk": {"size_gb": 0}}, "libvirt.images.debian.disk.size_gb: a number of at least 1"),
    ],
)
def test_complaints_of_the_section(tmp_path: Path, text: str, image: dict[str, Any], complaint: str) -> None:
    template = tmp_path / "debian.xml"
    template.write_text(text)
    with pytest.raises(ConfigurationError) as raised:
        read_configuration(configured(tmp_path, {"template": str(template), **image}), {})
    assert complaint in str(raised.value)

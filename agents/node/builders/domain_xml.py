"""A domain and its volume in libvirt's XML: the operator's template, and in it what was claimed.

Made with ElementTree, never by pasting text together: names and metadata come from whoever asked for the instance.
"""

from __future__ import annotations

import json
import re
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from agents.node.instances import Instance
from agents.node.libvirt_configuration import Disk

NAMESPACE = "urn:sched-portal:instance"
NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 (2.2) has no way to write."""

LONGEST_TITLE = 255

ElementTree.register_namespace("sched", NAMESPACE)


def domain_xml(template: str, instance: Instance, disk: Disk | None) -> str:
    """The template with the claim's id as name and UUID, its memory and vcpus, who it is for as metadata, and its disk.

    What was not claimed (0) stays as the template has it.
    """
    domain = ElementTree.fromstring(template)
    _set(domain, "name", instance.claim_id)
    _set(domain, "uuid", instance.claim_id)
    _set(domain, "title", clean(instance.name)[:LONGEST_TITLE].replace("\n", " ").replace("\r", " "))
    if memory := instance.amounts.get("memory_mb", 0):
        for name in ("memory", "currentMemory"):
            _set(domain, name, str(memory), {"unit": "MiB"})
    if vcpus := instance.amounts.get("vcpus", 0):
        _set_vcpus(domain, vcpus)
    metadata = domain.find("metadata")
    _describe(SubElement(domain, "metadata") if metadata is None else metadata, instance)
    if disk is not None:
        devices = domain.find("devices")
        _add_disk(SubElement(domain, "devices") if devices is None else devices, instance, disk)
    return ElementTree.tostring(domain, encoding="unicode")


def volume_name(instance: Instance, disk: Disk) -> str:
    return f"{instance.claim_id}.{disk.format}"


def volume_xml(instance: Instance, disk: Disk) -> str:
    volume = Element("volume")
    _set(volume, "name", volume_name(instance, disk))
    _set(volume, "capacity", str(instance.amounts.get("disk_gb", 0) or disk.size_gb), {"unit": "GiB"})
    SubElement(SubElement(volume, "target"), "format", {"type": disk.format})
    if disk.backing:
        backing = SubElement(volume, "backingStore")
        _set(backing, "path", disk.backing)
        SubElement(backing, "format", {"type": disk.format})
    return ElementTree.tostring(volume, encoding="unicode")


def host_in(description: str) -> str:
    """The provider whose agent made a domain, from its metadata; empty when that does not say."""
    try:
        return ElementTree.fromstring(description).findtext("{*}host", "")
    except ElementTree.ParseError:
        return ""


def clean(text: str) -> str:
    return NOT_XML.sub("\ufffd", text)


def _set_vcpus(domain: Element, vcpus: int) -> None:
    """All of them from the start; a topology of the template's would have to multiply to the same number."""
    _set(domain, "vcpu", str(vcpus), {**_attributes(domain, "vcpu"), "current": str(vcpus)})
    for cpu in domain.findall("cpu"):
        for topology in cpu.findall("topology"):
            cpu.remove(topology)


def _describe(metadata: Element, instance: Instance) -> None:
    for old in metadata.findall(f"{{{NAMESPACE}}}instance"):
        metadata.remove(old)
    described = SubElement(metadata, f"{{{NAMESPACE}}}instance")
    for name, text in (
        ("claim", instance.claim_id),
        ("request", instance.request_id),
        ("provider", instance.provider),
        ("host", instance.host),
        ("consumer", instance.consumer),
        ("project", instance.project),
        ("name", instance.name),
        ("image", instance.image),
        ("metadata", json.dumps(instance.metadata)),
    ):
        SubElement(described, f"{{{NAMESPACE}}}{name}").text = clean(text)


def _add_disk(devices: Element, instance: Instance, disk: Disk) -> None:
    element = SubElement(devices, "disk", {"type": "volume", "device": "disk"})
    SubElement(element, "driver", {"name": "qemu", "type": disk.format})
    SubElement(element, "source", {"pool": disk.pool, "volume": volume_name(instance, disk)})
    SubElement(element, "target", {"dev": disk.target, "bus": disk.bus})


def _set(parent: Element, name: str, text: str, attributes: dict[str, str] | None = None) -> None:
    found = parent.find(name)
    element = SubElement(parent, name) if found is None else found
    element.text = text
    element.attrib = attributes or {}


def _attributes(parent: Element, name: str) -> dict[str, str]:
    found = parent.find(name)
    return {} if found is None else dict(found.attrib)

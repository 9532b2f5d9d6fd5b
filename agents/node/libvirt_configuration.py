"""The section `libvirt` of the agent's configuration: which hypervisor, and what an image name means there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

from agents.node.fields import ConfigurationError, Fields

LONGEST_TEMPLATE = 2**20


@dataclass(frozen=True)
class Disk:
    """A volume of the instance's own, made in `pool` on top of `backing` (a path; empty: from nothing), as large as
    the claim's disk_gb, or `size_gb` where it claims none."""

    pool: str
    backing: str = ""
    format: str = "qcow2"
    target: str = "vda"
    bus: str = "virtio"
    size_gb: int = 10


@dataclass(frozen=True)
class LibvirtImage:
    """`template` is the text of a domain in libvirt's XML; what the agent writes into it: builders/domain_xml.py."""

    template: str
    ready_after: float
    disk: Disk | None


@dataclass(frozen=True)
class LibvirtConfiguration:
    """`poll_interval`: seconds between two looks at whether the instances still run."""

    uri: str = "qemu:///system"
    poll_interval: float = 2.0
    images: Mapping[str, LibvirtImage] = field(default_factory=dict)


def parse_libvirt(fields: Fields) -> LibvirtConfiguration:
    """Raises ConfigurationError, also for a template that cannot be read."""
    found = LibvirtConfiguration(
        uri=fields.text("uri", "qemu:///system"),
        poll_interval=fields.seconds("poll_interval", 2.0),
        images={name: _image(image) for name, image in fields.table("images").items()},
    )
    fields.nothing_else()
    return found


def _image(fields: Fields) -> LibvirtImage:
    image = LibvirtImage(
        template=_template(fields),
        ready_after=fields.seconds("ready_after", 1.0, least=0.0),
        disk=None if fields.missing("disk") else _disk(fields.section("disk")),
    )
    fields.nothing_else()
    return image


def _template(fields: Fields) -> str:
    path = Path(fields.text("template"))
    where = f"{fields.where('template')}: {path}"
    try:
        if path.stat().st_size > LONGEST_TEMPLATE:
            raise ConfigurationError(f"{where}: longer than a domain can be")
        text = path.read_text(encoding="utf-8")
        root = ElementTree.fromstring(text)
    except OSError as error:
        raise ConfigurationError(f"{where}: {error.strerror}") from error
    except (ElementTree.ParseError, ValueError) as error:
        raise ConfigurationError(f"{where}: not XML: {error}") from error
    if root.tag != "domain" or not root.get("type"):
        raise ConfigurationError(f'{where}: <domain type="..."> was expected')
    return text


def _disk(fields: Fields) -> Disk:
    disk = Disk(
        pool=fields.text("pool", "default"),
        backing=fields.text("backing", ""),
        format=fields.text("format", "qcow2"),
        target=fields.text("target", "vda"),
        bus=fields.text("bus", "virtio"),
        size_gb=int(fields.seconds("size_gb", 10, least=1)),
    )
    fields.nothing_else()
    return disk

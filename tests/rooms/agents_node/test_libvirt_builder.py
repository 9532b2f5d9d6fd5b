"""The libvirt builder on libvirt's own test driver, which keeps its domains in this process."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

libvirt = pytest.importorskip("libvirt", reason="libvirt-python is not installed: see requirements-libvirt.txt")

from agents.node.builders.builder import BuildFailed  # noqa: E402
from agents.node.builders.libvirt import LibvirtBuilder  # noqa: E402
from agents.node.carrier import Rest  # noqa: E402
from agents.node.configuration import read_configuration  # noqa: E402
from agents.node.host import Host  # noqa: E402
from agents.node.instances import Handle, Instance, stray  # noqa: E402
from agents.node.journal import Journal  # noqa: E402
from agents.node.libvirt_configuration import Disk, LibvirtConfiguration, LibvirtImage  # noqa: E402
from tests.rooms.agents_node.cast import Agent  # noqa: E402
from tests.rooms.agents_node.portal_partner import PortalPartner  # noqa: E402
from tests.rooms.agents_node.test_libvirt_xml import instance  # noqa: E402

URI = "test:///default"
TEMPLATE = "<domain type='test'><memory unit='MiB'>64</memory><os><type>hvm</type></os></domain>"
IMAGES = {
    "debian": LibvirtImage(TEMPLATE, 0.0, None),
    "slow": LibvirtImage(TEMPLATE, 1.5, None),
    "disk": LibvirtImage(TEMPLATE, 0.0, Disk("default-pool", "/images/debian12.qcow2")),
    "no-pool": LibvirtImage(TEMPLATE, 0.0, Disk("no-such-pool")),
    "wrong": LibvirtImage("<domain type='no-such'><os><type>hvm</type></os></domain>", 0.0, None),
}


def never(handle: Handle) -> None:
    raise AssertionError("the claim's id is enough to find a domain")


@pytest.fixture
def outside() -> Iterator[Any]:
    """Somebody else's look at the hypervisor; while it is open, so are its domains."""
    connection = libvirt.open(URI)
    yield connection
    connection.close()


@pytest.fixture
def builder(outside: Any) -> LibvirtBuilder:
    return make()


def make(**images: LibvirtImage) -> LibvirtBuilder:
    return LibvirtBuilder(LibvirtConfiguration(URI, 0.1, {**IMAGES, **images}), "debian", 0.5)


def domains(outside: Any, one: Instance) -> list[Any]:
    return [domain for domain in outside.listAllDomains() if domain.name() == one.claim_id]


def volumes(outside: Any) -> list[str]:
    return list(outside.storagePoolLookupByName("default-pool").listVolumes())


async def test_domains_of_this_host_that_nobody_knows_of(outside: Any, builder: LibvirtBuilder) -> None:
    one, theirs = instance(image="debian"), instance(image="debian")
    other = instance(image="debian", host=one.host)
    for each in (one, other, theirs):
        await builder.build(each, never)
    outside.defineXML(TEMPLATE.replace("<memory", "<name>nobody's</name><memory", 1))
    assert await builder.strays(one.host, {other.claim_id}) == [one.claim_id]
    outside.lookupByUUIDString(one.claim_id).destroy()  # shut off, and defined still
    assert await builder.strays(one.host, {other.claim_id}) == [one.claim_id]
    await builder.destroy(stray(one.claim_id, one.host))
    assert await builder.strays(one.host, {other.claim_id}) == []


async def test_built_once_and_taken_away(outside: Any, builder: LibvirtBuilder) -> None:
    one = instance(image="debian")
    await builder.build(one, never)
    (domain,) = domains(outside, one)
    assert (domain.UUIDString(), domain.isActive()) == (one.claim_id, 1)
    assert (domain.maxMemory(), domain.maxVcpus()) == (2048 * 1024, 4)
    assert one.request_id in domain.XMLDesc()
    await builder.build(one, never)
    assert len(domains(outside, one)) == 1
    await builder.destroy(one)
    assert domains(outside, one) == []
    await builder.destroy(one)  # unknown here is gone too


async def test_another_agent_takes_it_up(outside: Any, builder: LibvirtBuilder) -> None:
    one = instance(image="debian")
    await builder.build(one, never)
    later = make()
    assert await later.adopt(one)
    watching = asyncio.create_task(later.alive(one))
    await asyncio.sleep(0.4)
    assert not watching.done()
    domains(outside, one)[0].destroy()
    assert (await asyncio.wait_for(watching, 5)).reason == "the domain was destroyed on the host"
    assert not await later.adopt(one)
    await later.destroy(one)
    assert (await later.alive(one)).reason == "the domain is not there any more"


async def test_a_build_that_was_interrupted_goes_on(outside: Any, builder: LibvirtBuilder) -> None:
    """Killed when the domain was defined and not started yet."""
    one = instance(image="debian")
    outside.defineXML(f"<domain type='test'><name>{one.claim_id}</name><uuid>{one.claim_id}</uuid>"
                      "<memory>1024</memory><os><type>hvm</type></os></domain>")  # fmt: skip
    await builder.build(one, never)
    assert [domain.isActive() for domain in domains(outside, one)] == [1]
    await builder.destroy(one)


async def test_the_guest_that_shuts_down_has_ended(outside: Any, builder: LibvirtBuilder) -> None:
    one = instance(image="debian")
    await builder.build(one, never)
    domains(outside, one)[0].shutdown()
    assert (await asyncio.wait_for(builder.alive(one), 5)).reason == "the guest shut down"
    await builder.destroy(one)


async def test_a_guest_that_ends_before_it_is_ready_was_not_built(outside: Any, builder: LibvirtBuilder) -> None:
    one = instance(image="slow")
    building = asyncio.create_task(builder.build(one, never))
    while not domains(outside, one) or not domains(outside, one)[0].isActive():
        await asyncio.sleep(0.02)
    domains(outside, one)[0].shutdown()
    with pytest.raises(BuildFailed, match="the guest shut down"):
        await building
    await builder.destroy(one)


async def test_a_paused_domain_is_alive(outside: Any, builder: LibvirtBuilder) -> None:
    one = instance(image="debian")
    await builder.build(one, never)
    domains(outside, one)[0].suspend()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(builder.alive(one), 0.5)
    assert await builder.adopt(one)
    await builder.destroy(one)


async def test_its_disk_comes_and_goes_with_it(outside: Any, builder: LibvirtBuilder) -> None:
    one, other = instance(image="disk"), instance(image="disk")
    for each in (one, one, other):
        await builder.build(each, never)
    assert sorted(volumes(outside)) == sorted(f"{each.claim_id}.qcow2" for each in (one, other))
    volume = outside.storagePoolLookupByName("default-pool").storageVolLookupByName(f"{one.claim_id}.qcow2")
    assert volume.info()[1] == 30 * 2**30
    await builder.destroy(one)
    assert volumes(outside) == [f"{other.claim_id}.qcow2"]
    await builder.destroy(other)


@pytest.mark.parametrize(
    ("image", "complaint"),
    [
        ("no-pool", "libvirt: Storage pool not found"),
        ("wrong", "libvirt: "),
        ("unheard-of", "unknown image 'unheard-of'"),
    ],
)
async def test_failures_of_libvirt_say_why(outside: Any, builder: LibvirtBuilder, image: str, complaint: str) -> None:
    one = instance(image=image)
    with pytest.raises(BuildFailed, match=complaint):
        await builder.build(one, never)
    await builder.destroy(one)
    assert domains(outside, one) == []


async def test_a_build_that_is_cancelled_ends_before_it_is_taken_away(
    outside: Any, builder: LibvirtBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the thread would start a domain that nobody knows of."""
    one, begun, go_on = instance(image="debian"), threading.Event(), threading.Event()
    really = builder._hypervisor.make

    def slow(domain_id: str, xml: str) -> None:
        begun.set()
        go_on.wait(10)
        really(domain_id, xml)

    monkeypatch.setattr(builder._hypervisor, "make", slow)
    building = asyncio.create_task(builder.build(one, never))
    await asyncio.to_thread(begun.wait, 10)
    building.cancel()
    destroying = asyncio.create_task(builder.destroy(one))
    await asyncio.sleep(0.2)
    assert not destroying.done()
    go_on.set()
    await destroying
    assert domains(outside, one) == []


async def test_a_hypervisor_that_does_not_answer(builder: LibvirtBuilder) -> None:
    """Nothing was built, nothing has ended, and nothing is said to be gone."""
    away = LibvirtBuilder(LibvirtConfiguration("test:///no/such/file.xml", 0.05, IMAGES), "debian", 0.1)
    one = instance(image="debian")
    with pytest.raises(BuildFailed, match="libvirt: "):
        await away.build(one, never)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(away.alive(one), 0.3)
    for ask in (away.adopt, away.destroy):
        with pytest.raises(libvirt.libvirtError):
            await ask(one)


@pytest.fixture
async def host(portal: PortalPartner, agent: Agent, tmp_path: Path) -> AsyncIterator[Host]:
    """A host of this process, so that its domains can be seen."""
    template = tmp_path / "debian.xml"
    template.write_text(TEMPLATE)
    section = {"uri": URI, "poll_interval": 0.1, "images": {"debian": {"template": str(template), "ready_after": 0}}}
    agent.configure(portal, builder="libvirt", libvirt=section, images={}, default_image="debian")
    agent.state_dir.mkdir()
    configuration = read_configuration(str(agent.config), {})
    line = Rest(configuration, Journal())
    (provider,) = configuration.providers
    yield Host(provider, configuration, line.line(provider, Journal()), make(), Journal())
    await line.close()


async def test_the_life_of_a_claim_as_a_domain(outside: Any, portal: PortalPartner, agent: Agent, host: Host) -> None:
    claim_id = portal.claim(agent.provider, None)
    host.resume()
    await host.run_once()
    assert portal.state(claim_id) == "consumed"
    assert outside.lookupByUUIDString(claim_id).isActive()
    portal.order_destroy(claim_id)
    await host.run_once()
    assert portal.said("/destroyed") == [{}]
    assert claim_id not in [domain.name() for domain in outside.listAllDomains()]


async def test_a_lost_record_is_found_again_by_the_claim(
    outside: Any, portal: PortalPartner, agent: Agent, host: Host
) -> None:
    claim_id = portal.claim(agent.provider, None, state="consumed")
    outside.defineXML(f"<domain type='test'><name>{claim_id}</name><uuid>{claim_id}</uuid>"
                      "<memory>1024</memory><os><type>hvm</type></os></domain>").create()  # fmt: skip
    host.resume()
    await host.run_once()
    assert json.loads(agent.path(claim_id).read_text())["state"] == "active"
    assert outside.lookupByUUIDString(claim_id).isActive()
    assert not portal.said("/destroyed")

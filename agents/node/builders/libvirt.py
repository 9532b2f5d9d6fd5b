"""An instance as a libvirt domain whose name and UUID are its claim: whoever looks for it finds it, and there is one.

libvirt's calls block, so they run in threads of their own, one at a time for each claim: a build that was cancelled has
come to its end before its domain is taken away.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from agents.node.builders.builder import BuildFailed, Ended, Started
from agents.node.builders.domain_xml import domain_xml, host_in, volume_name, volume_xml
from agents.node.builders.hypervisor import NOT_THERE, Hypervisor, Seen
from agents.node.instances import Instance
from agents.node.libvirt_configuration import LibvirtConfiguration, LibvirtImage

T = TypeVar("T")
THREADS = 8
LOOK = 0.2


class LibvirtBuilder:
    def __init__(self, settings: LibvirtConfiguration, default_image: str, grace: float) -> None:
        self._hypervisor = Hypervisor(settings.uri)
        self._settings = settings
        self._default_image = default_image
        self._grace = grace
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="libvirt")
        self._calls: dict[str, asyncio.Future[object]] = {}
        self._look_at_all = asyncio.Lock()
        self._looked_at = 0.0
        self._seen: dict[str, Seen] = {}

    async def build(self, instance: Instance, started: Started) -> None:
        """`started` is not called: the claim's id is all that is needed to find the domain."""
        image = self._image(instance)
        try:
            await self._call(instance, lambda: self._make(instance, image))
            await self._wait_until_ready(instance, image)
        except self._hypervisor.errors as error:
            raise BuildFailed(f"libvirt: {error}") from error

    async def adopt(self, instance: Instance) -> bool:
        """A domain that is defined and shut off, as after the host was switched off, does not run."""
        seen = await self._call(instance, lambda: self._hypervisor.look(instance.claim_id))
        return seen.runs

    async def alive(self, instance: Instance) -> Ended:
        """While libvirt does not answer nothing is known, and so nothing has ended."""
        while True:
            try:
                seen = await self._seen_lately(instance.claim_id)
            except self._hypervisor.errors:
                seen = Seen(True)
            if not seen.runs:
                return Ended(seen.why)
            await asyncio.sleep(self._settings.poll_interval)

    async def destroy(self, instance: Instance) -> None:
        """The guest is asked first, and has as long as `destroy_grace`."""
        claim_id, deadline = instance.claim_id, time.monotonic() + self._grace
        await self._call(instance, lambda: self._hypervisor.shut_down(claim_id))
        while (await self._call(instance, lambda: self._hypervisor.look(claim_id))).runs:
            if time.monotonic() >= deadline:
                break
            await asyncio.sleep(LOOK)
        await self._call(instance, lambda: self._take_away(instance))

    async def strays(self, host: str, known: Collection[str]) -> list[str]:
        """Domains that say in their metadata that they were made for this host, shut off or not."""
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(self._threads, self._hypervisor.descriptions, known)
        return sorted(domain_id for domain_id, xml in found.items() if host_in(xml) == host)

    def _make(self, instance: Instance, image: LibvirtImage) -> None:
        if image.disk is not None:
            xml = volume_xml(instance, image.disk)
            self._hypervisor.make_volume(image.disk.pool, volume_name(instance, image.disk), xml)
        self._hypervisor.make(instance.claim_id, domain_xml(image.template, instance, image.disk))

    def _take_away(self, instance: Instance) -> None:
        """Its volume too, in whatever pool: the image may have been changed, or renamed, since it was built."""
        self._hypervisor.take_away(instance.claim_id)
        for disk in {image.disk for image in self._settings.images.values() if image.disk is not None}:
            self._hypervisor.remove_volume(disk.pool, volume_name(instance, disk))

    async def _wait_until_ready(self, instance: Instance, image: LibvirtImage) -> None:
        deadline = time.monotonic() + image.ready_after
        while True:
            seen = await self._call(instance, lambda: self._hypervisor.look(instance.claim_id))
            if not seen.runs:
                raise BuildFailed(seen.why)
            if time.monotonic() >= deadline:
                return
            await asyncio.sleep(min(LOOK, max(0.0, deadline - time.monotonic())))

    async def _seen_lately(self, claim_id: str) -> Seen:
        """From one question for all of this host's domains, which all who wait for theirs share. One that is not in
        the answer is asked for by itself."""
        async with self._look_at_all:
            if time.monotonic() - self._looked_at >= self._settings.poll_interval / 2:
                loop = asyncio.get_running_loop()
                self._seen = await loop.run_in_executor(self._threads, self._hypervisor.look_at_all)
                self._looked_at = time.monotonic()
        seen = self._seen.get(claim_id, NOT_THERE)
        if seen.runs:
            return seen
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._hypervisor.look, claim_id)

    async def _call(self, instance: Instance, work: Callable[[], T]) -> T:
        """In a thread, after what was begun for the same claim before, which goes on when its caller is cancelled."""
        claim_id = instance.claim_id
        while (before := self._calls.get(claim_id)) is not None:
            await asyncio.wait([before])
        call = asyncio.get_running_loop().run_in_executor(self._threads, work)
        self._calls[claim_id] = call  # type: ignore[assignment]
        call.add_done_callback(lambda done: self._over(claim_id, done))
        return await asyncio.shield(call)

    def _over(self, claim_id: str, call: asyncio.Future[T]) -> None:
        if self._calls.get(claim_id) is call:
            del self._calls[claim_id]
        if not call.cancelled():
            call.exception()  # seen, also where nobody waits for it any more

    def _image(self, instance: Instance) -> LibvirtImage:
        name = instance.image or self._default_image
        if not name:
            raise BuildFailed("no image was named and this host has no default image")
        if name not in self._settings.images:
            there = ", ".join(sorted(self._settings.images)) or "none"
            raise BuildFailed(f"unknown image {name!r}: this host has {there}")
        return self._settings.images[name]

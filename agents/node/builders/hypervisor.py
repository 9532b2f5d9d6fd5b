"""What the libvirt builder asks of libvirt: blocking calls, each whole in itself, on a connection made when needed."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Collection
from dataclasses import dataclass

from agents.node.builders.domain_xml import NAMESPACE
from agents.node.fields import ConfigurationError

try:
    import libvirt
except ImportError:  # only hosts that build with it have it: requirements-libvirt.txt
    libvirt = None

MISSING = "builder: libvirt needs the Python package libvirt-python (requirements-libvirt.txt)"


@dataclass(frozen=True)
class Seen:
    """One domain at one moment. `why` is for the operator, where it does not run."""

    runs: bool
    why: str = ""


NOT_THERE = Seen(False, "the domain is not there any more")


class Hypervisor:
    """Raises libvirt.libvirtError (`Hypervisor.errors`) for whatever libvirt refuses, a lost connection included; the
    next call connects again."""

    def __init__(self, uri: str) -> None:
        if libvirt is None:
            raise ConfigurationError(MISSING)
        self.errors: type[Exception] = libvirt.libvirtError
        self._uri = uri
        self._lock = threading.Lock()
        self._connection: libvirt.virConnect | None = None
        # It writes each error to stderr by itself, between the log's lines; all of them are raised as well.
        libvirt.registerErrorHandler(lambda context, error: None, None)

    def look(self, domain_id: str) -> Seen:
        domain = self._find(domain_id)
        return NOT_THERE if domain is None else _seen(domain.state())

    def look_at_all(self) -> dict[str, Seen]:
        """By UUID, in one question."""
        flags = libvirt.VIR_DOMAIN_STATS_STATE
        return {
            domain.UUIDString(): _seen((stats["state.state"], stats.get("state.reason", 0)))
            for domain, stats in self._connected().getAllDomainStats(flags)
        }

    def descriptions(self, but: Collection[str]) -> dict[str, str]:
        """What stands in the metadata of domains, but these, under our namespace: XML, by UUID."""
        found: dict[str, str] = {}
        for domain in self._connected().listAllDomains():
            if domain.UUIDString() not in but:
                with contextlib.suppress(libvirt.libvirtError):  # it has none, or is gone by now
                    kind = libvirt.VIR_DOMAIN_METADATA_ELEMENT
                    found[domain.UUIDString()] = domain.metadata(kind, NAMESPACE)
        return found

    def make(self, domain_id: str, xml: str) -> None:
        """The domain is defined and runs, whatever there was of it before."""
        domain = self._find(domain_id) or self._connected().defineXML(xml)
        if not domain.isActive():
            domain.create()

    def make_volume(self, pool_name: str, name: str, xml: str) -> None:
        pool = self._connected().storagePoolLookupByName(pool_name)
        if self._find_volume(pool, name) is None:
            pool.createXML(xml)

    def shut_down(self, domain_id: str) -> None:
        """Asks the guest; it may take its time, or not listen."""
        domain = self._find(domain_id)
        if domain is not None and domain.isActive():
            with contextlib.suppress(libvirt.libvirtError):  # a guest that cannot be asked is switched off
                domain.shutdown()

    def take_away(self, domain_id: str) -> None:
        """Returns when there is no such domain."""
        while (domain := self._find(domain_id)) is not None:
            if domain.isActive():
                _unless(libvirt.VIR_ERR_OPERATION_INVALID, domain.destroy)  # it ended by itself meanwhile
            _unless(libvirt.VIR_ERR_NO_DOMAIN, lambda found=domain: _undefine(found))

    def remove_volume(self, pool_name: str, name: str) -> None:
        try:
            pool = self._connected().storagePoolLookupByName(pool_name)
        except libvirt.libvirtError as error:
            if error.get_error_code() == libvirt.VIR_ERR_NO_STORAGE_POOL:
                return
            raise
        volume = self._find_volume(pool, name)
        if volume is not None:
            _unless(libvirt.VIR_ERR_NO_STORAGE_VOL, lambda: volume.delete(0))

    def _find(self, domain_id: str) -> libvirt.virDomain | None:
        try:
            return self._connected().lookupByUUIDString(domain_id)
        except libvirt.libvirtError as error:
            if error.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN:
                return None
            raise

    def _find_volume(self, pool: libvirt.virStoragePool, name: str) -> libvirt.virStorageVol | None:
        try:
            return pool.storageVolLookupByName(name)
        except libvirt.libvirtError as error:
            if error.get_error_code() == libvirt.VIR_ERR_NO_STORAGE_VOL:
                return None
            raise

    def _connected(self) -> libvirt.virConnect:
        with self._lock:
            if self._connection is None or not self._connection.isAlive():
                self._connection = libvirt.open(self._uri)
            return self._connection


def _unless(code: int, act: object) -> None:
    """Does it; an error with this code says that there is nothing to do."""
    assert callable(act)
    try:
        act()
    except libvirt.libvirtError as error:
        if error.get_error_code() != code:
            raise


def _undefine(domain: libvirt.virDomain) -> None:
    """With all that libvirt keeps beside it; drivers differ in what they know of."""
    saved = libvirt.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE | libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA
    for flags in (saved | libvirt.VIR_DOMAIN_UNDEFINE_NVRAM, saved):
        try:
            domain.undefineFlags(flags)
            return
        except libvirt.libvirtError as error:
            if error.get_error_code() not in (libvirt.VIR_ERR_INVALID_ARG, libvirt.VIR_ERR_NO_SUPPORT):
                raise
    domain.undefine()


def _seen(state: tuple[int, int]) -> Seen:
    """A paused one is there on purpose: somebody works on the host."""
    if state[0] == libvirt.VIR_DOMAIN_CRASHED:
        return Seen(False, "the domain crashed")
    if state[0] != libvirt.VIR_DOMAIN_SHUTOFF:
        return Seen(True)
    reasons = {
        libvirt.VIR_DOMAIN_SHUTOFF_SHUTDOWN: "the guest shut down",
        libvirt.VIR_DOMAIN_SHUTOFF_DESTROYED: "the domain was destroyed on the host",
        libvirt.VIR_DOMAIN_SHUTOFF_CRASHED: "the domain crashed",
        libvirt.VIR_DOMAIN_SHUTOFF_FAILED: "the domain failed to start",
        libvirt.VIR_DOMAIN_SHUTOFF_DAEMON: "the domain was lost with its daemon",
    }
    return Seen(False, reasons.get(state[1], "the domain is shut off"))

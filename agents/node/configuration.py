"""The agent's configuration file: everything a host decides for itself, images above all.

Every mistake in it is one line that names the field, because it is read by somebody who is setting up a host.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from agents.node.fields import ConfigurationError, Fields
from agents.node.libvirt_configuration import LibvirtConfiguration, parse_libvirt
from agents.protocol import (
    DEFAULT_FALLBACK_POLL_INTERVAL,
    DEFAULT_HEARTBEAT_INTERVAL,
    DEFAULT_POLL_INTERVAL,
    DEFAULT_RECONCILE_INTERVAL,
    DEFAULT_REPORT_INTERVAL,
    Report,
    parse_amounts,
)
from agents.read_fields import ProtocolError

ENVIRONMENT = {
    "SCHED_AGENT_PORTAL": "portal",
    "SCHED_AGENT_BUILDER": "builder",
    "SCHED_AGENT_STATE_DIR": "state_dir",
    "SCHED_AGENT_CA_FILE": "ca_file",
    "SCHED_AGENT_DEFAULT_IMAGE": "default_image",
    "SCHED_AGENT_POLL_INTERVAL": "poll_interval",
    "SCHED_AGENT_FALLBACK_POLL_INTERVAL": "fallback_poll_interval",
    "SCHED_AGENT_HEARTBEAT_INTERVAL": "heartbeat_interval",
    "SCHED_AGENT_REPORT_INTERVAL": "report_interval",
    "SCHED_AGENT_RECONCILE_INTERVAL": "reconcile_interval",
}
"""Variables that win over the file, so that one file serves several hosts."""

TOKEN_VARIABLE = "SCHED_AGENT_TOKEN"

PARTS = ("numa", "pci")
PCI_CLASSES = ("03", "12")
"""Display controllers, GPUs among them, and processing accelerators."""


@dataclass(frozen=True)
class Measured:
    """The host is asked what it has, by psutil; `traits` are what it cannot know of itself, such as SSD. `parts`: which
    kinds of children it tells of, and `pci_classes` of which devices (the first digits of their class)."""

    traits: tuple[str, ...] = ()
    parts: tuple[str, ...] = PARTS
    pci_classes: tuple[str, ...] = PCI_CLASSES


@dataclass(frozen=True)
class Image:
    """What an image name means on this host. Times are seconds."""

    command: tuple[str, ...]
    ready_after: float = 1.0
    environment: Mapping[str, str] = field(default_factory=dict)
    max_processes: int = 256


@dataclass(frozen=True)
class ProviderConfiguration:
    provider_id: str
    token: str
    name: str
    resource_class: str
    inventory: Measured | Report


@dataclass(frozen=True)
class NoopConfiguration:
    """How the simulated fleet behaves: a build takes between the two times, and this share of them fails."""

    shortest_build: float = 0.0
    longest_build: float = 0.0
    fail_fraction: float = 0.0


@dataclass(frozen=True)
class Configuration:
    """Intervals and times are seconds."""

    portal: str
    builder: str
    state_dir: Path
    ca_file: str
    providers: tuple[ProviderConfiguration, ...]
    images: Mapping[str, Image]
    default_image: str
    noop: NoopConfiguration
    libvirt: LibvirtConfiguration
    poll_interval: float
    fallback_poll_interval: float
    heartbeat_interval: float
    report_interval: float
    reconcile_interval: float
    measure_interval: float
    destroy_grace: float
    retry_longest: float


def read_configuration(path: str, environment: Mapping[str, str]) -> Configuration:
    """Raises ConfigurationError with one line for whoever wrote the file."""
    try:
        body = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ConfigurationError(f"{path}: not JSON: {error}") from error
    try:
        return _configuration(Fields(body, ""), environment)
    except ConfigurationError as error:
        raise ConfigurationError(f"{path}: {error}") from error


def _configuration(file: Fields, environment: Mapping[str, str]) -> Configuration:
    for variable, name in ENVIRONMENT.items():
        if environment.get(variable):
            file.override(name, environment[variable], variable)
    images = {name: _image(fields) for name, fields in file.table("images").items()}
    configuration = Configuration(
        portal=_portal(file.text("portal", "http://127.0.0.1:8000")),
        builder=file.text("builder", "noop"),
        state_dir=Path(file.text("state_dir", "var/agents/state")),
        ca_file=file.text("ca_file", ""),
        providers=_providers(file, environment.get(TOKEN_VARIABLE, "")),
        images=images,
        default_image=file.text("default_image", ""),
        noop=_noop(file.section("noop")),
        libvirt=parse_libvirt(file.section("libvirt")),
        poll_interval=file.seconds("poll_interval", DEFAULT_POLL_INTERVAL),
        fallback_poll_interval=file.seconds("fallback_poll_interval", DEFAULT_FALLBACK_POLL_INTERVAL),
        heartbeat_interval=file.seconds("heartbeat_interval", DEFAULT_HEARTBEAT_INTERVAL),
        report_interval=file.seconds("report_interval", DEFAULT_REPORT_INTERVAL),
        reconcile_interval=file.seconds("reconcile_interval", DEFAULT_RECONCILE_INTERVAL),
        measure_interval=file.seconds("measure_interval", 30.0),
        destroy_grace=file.seconds("destroy_grace", 10.0),
        retry_longest=file.seconds("retry_longest", 30.0),
    )
    file.nothing_else()
    if configuration.default_image not in {"", *images, *configuration.libvirt.images}:
        raise ConfigurationError(f"default_image: {configuration.default_image!r} is not one of images")
    return configuration


def _portal(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigurationError(f"portal: {url!r} is not an http:// or https:// URL")
    return url.rstrip("/")


def _providers(file: Fields, token: str) -> tuple[ProviderConfiguration, ...]:
    entries = file.list_of_sections("providers")
    if not entries:
        raise ConfigurationError("providers: name at least one")
    if token and len(entries) > 1:
        raise ConfigurationError(f"{TOKEN_VARIABLE}: a token belongs to one provider, and the file has {len(entries)}")
    providers = tuple(_provider(entry, token) for entry in entries)
    if len({provider.provider_id for provider in providers}) < len(providers):
        raise ConfigurationError("providers: the same id twice")
    return providers


def _provider(entry: Fields, token: str) -> ProviderConfiguration:
    if token:
        entry.override("token", token, TOKEN_VARIABLE)
    provider_id = entry.text("id")
    try:
        provider_id = str(uuid.UUID(provider_id))
    except ValueError as error:
        raise ConfigurationError(f"{entry.where('id')}: {provider_id!r} is not a UUID") from error
    provider = ProviderConfiguration(
        provider_id=provider_id,
        token=_token(entry),
        name=entry.text("name", provider_id),
        resource_class=entry.text("resource_class", "compute"),
        inventory=_inventory(entry),
    )
    entry.nothing_else()
    return provider


def _token(entry: Fields) -> str:
    token = entry.text("token", "")
    file = entry.text("token_file", "")
    if not token and file:
        try:
            token = Path(file).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise ConfigurationError(f"{entry.where('token_file')}: {file}: {error.strerror}") from error
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise ConfigurationError(f"{entry.where('token')}: give a token, or a token_file that holds one")
    return token


def _inventory(entry: Fields) -> Measured | Report:
    if entry.is_text("inventory") or entry.missing("inventory"):
        if entry.text("inventory", "measured") != "measured":
            raise ConfigurationError(f'{entry.where("inventory")}: "measured" or an object with totals')
        return _measured(entry)
    inventory = entry.section("inventory")
    try:
        totals = parse_amounts(inventory.mapping("totals"))
    except ProtocolError as error:
        raise ConfigurationError(f"{inventory.where('totals')}: {error}") from error
    if not totals or min(totals.values()) < 0:
        raise ConfigurationError(f"{inventory.where('totals')}: at least one amount, none below 0")
    report = Report(totals, inventory.mapping("properties"), tuple(sorted(set(inventory.texts("traits")))))
    inventory.nothing_else()
    return report


def _measured(entry: Fields) -> Measured:
    measured = Measured(
        traits=entry.texts("traits"),
        parts=PARTS if entry.missing("parts") else entry.texts("parts"),
        pci_classes=PCI_CLASSES if entry.missing("pci_classes") else entry.texts("pci_classes"),
    )
    if not set(measured.parts) <= set(PARTS):
        raise ConfigurationError(f"{entry.where('parts')}: any of {', '.join(PARTS)}, or an empty list")
    if not all(re.fullmatch("[0-9a-f]{2}([0-9a-f]{2})?", one) for one in measured.pci_classes):
        raise ConfigurationError(f'{entry.where("pci_classes")}: two or four digits each, such as "03" or "0302"')
    return measured


def _image(fields: Fields) -> Image:
    image = Image(
        command=fields.texts("command"),
        ready_after=fields.seconds("ready_after", 1.0, least=0.0),
        environment=fields.text_mapping("environment"),
        max_processes=int(fields.seconds("max_processes", 256)),
    )
    fields.nothing_else()
    if not image.command:
        raise ConfigurationError(f"{fields.where('command')}: the program and its arguments, as a list")
    return image


def _noop(fields: Fields) -> NoopConfiguration:
    shortest, longest = fields.span("build_seconds", (0.0, 0.0))
    noop = NoopConfiguration(shortest, longest, fields.seconds("fail_fraction", 0.0, least=0.0))
    fields.nothing_else()
    if noop.fail_fraction > 1:
        raise ConfigurationError(f"{fields.where('fail_fraction')}: between 0 and 1")
    return noop

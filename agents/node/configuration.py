"""The agent's configuration file: everything a host decides for itself, images above all.

Every mistake in it is one line that names the field, because it is read by somebody who is setting up a host.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from agents.node.fields import ConfigurationError, Fields
from agents.node.libvirt_configuration import LibvirtConfiguration, parse_libvirt
from agents.node.provider_configuration import TOKEN_VARIABLE, ProviderConfiguration, Tokenless, parse_providers
from agents.protocol import (
    DEFAULT_FALLBACK_POLL_INTERVAL,
    DEFAULT_HEARTBEAT_INTERVAL,
    DEFAULT_POLL_INTERVAL,
    DEFAULT_RECONCILE_INTERVAL,
    DEFAULT_REPORT_INTERVAL,
)

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


@dataclass(frozen=True)
class Image:
    """What an image name means on this host. Times are seconds."""

    command: tuple[str, ...]
    ready_after: float = 1.0
    environment: Mapping[str, str] = field(default_factory=dict)
    max_processes: int = 256


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


WITHOUT_A_FILE: Mapping[str, object] = {
    "builder": "process",
    "images": {"sleep": {"command": ["sleep", "infinity"]}},
    "default_image": "sleep",
    "providers": [{}],
}
"""What a URL and a token are enough for: to see that it works. What an image is no portal may say."""


def read_configuration(path: str, environment: Mapping[str, str], direct: Tokenless | None = None) -> Configuration:
    """Of the file; without one (an empty path) of the variables alone. Raises ConfigurationError with one line for
    whoever wrote it."""
    if not path:
        named = {"providers": [{"id": direct.provider_id}]} if direct is not None else {}
        return _configuration(Fields({**WITHOUT_A_FILE, **named}, ""), environment, direct is not None)
    try:
        body = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ConfigurationError(f"{path}: not JSON: {error}") from error
    try:
        return _configuration(Fields(body, ""), environment, direct is not None)
    except ConfigurationError as error:
        raise ConfigurationError(f"{path}: {error}") from error


def _configuration(file: Fields, environment: Mapping[str, str], tokenless: bool) -> Configuration:
    for variable, name in ENVIRONMENT.items():
        if environment.get(variable):
            file.override(name, environment[variable], variable)
    images = {name: _image(fields) for name, fields in file.table("images").items()}
    configuration = Configuration(
        portal=_portal(file.text("portal", "http://127.0.0.1:8000")),
        builder=file.text("builder", "noop"),
        state_dir=Path(file.text("state_dir", "var/agents/state")),
        ca_file=file.text("ca_file", ""),
        providers=parse_providers(file, environment.get(TOKEN_VARIABLE, ""), tokenless),
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

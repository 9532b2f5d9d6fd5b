"""The builders there are, by the name a configuration uses."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from agents.node.builders.builder import Builder
from agents.node.builders.libvirt import LibvirtBuilder
from agents.node.builders.noop import NoopBuilder
from agents.node.builders.process import ProcessBuilder
from agents.node.configuration import Configuration
from agents.node.fields import ConfigurationError


def _noop(configuration: Configuration) -> Builder:
    return NoopBuilder(configuration.noop)


def _process(configuration: Configuration) -> Builder:
    return ProcessBuilder(
        configuration.state_dir, configuration.images, configuration.default_image, configuration.destroy_grace
    )


def _libvirt(configuration: Configuration) -> Builder:
    return LibvirtBuilder(configuration.libvirt, configuration.default_image, configuration.destroy_grace)


BUILDERS: Mapping[str, Callable[[Configuration], Builder]] = {"noop": _noop, "process": _process, "libvirt": _libvirt}


def make_builder(configuration: Configuration) -> Builder:
    if configuration.builder not in BUILDERS:
        raise ConfigurationError(f"builder: {configuration.builder!r} is none of {', '.join(BUILDERS)}")
    return BUILDERS[configuration.builder](configuration)

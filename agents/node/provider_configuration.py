"""The section `providers` of the agent's configuration: whom it speaks for, and what that has."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from pathlib import Path

from agents.node.fields import ConfigurationError, Fields
from agents.protocol import Report, parse_amounts
from agents.read_fields import ProtocolError

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
class ProviderConfiguration:
    """`provider_id` is empty where the portal is to say whose the token is; so is what the file does not say of the
    name and the class then."""

    provider_id: str
    token: str
    name: str
    resource_class: str
    inventory: Measured | Report


@dataclass(frozen=True)
class Tokenless:
    """A way on which nobody asks for tokens, and none says which provider it is: its id, where there is no file."""

    provider_id: str = ""


def parse_providers(file: Fields, token: str, tokenless: bool = False) -> tuple[ProviderConfiguration, ...]:
    entries = file.list_of_sections("providers")
    if not entries:
        raise ConfigurationError("providers: name at least one")
    if token and len(entries) > 1:
        raise ConfigurationError(f"{TOKEN_VARIABLE}: a token belongs to one provider, and the file has {len(entries)}")
    providers = tuple(_provider(entry, token, tokenless) for entry in entries)
    if len({provider.provider_id or provider.token for provider in providers}) < len(providers):
        raise ConfigurationError("providers: the same id twice")
    return providers


def _provider(entry: Fields, token: str, tokenless: bool) -> ProviderConfiguration:
    if token:
        entry.override("token", token, TOKEN_VARIABLE)
    is_asked_for = entry.missing("id") and not tokenless
    provider_id = "" if is_asked_for else entry.text("id")
    try:
        provider_id = "" if is_asked_for else str(uuid.UUID(provider_id))
    except ValueError as error:
        raise ConfigurationError(f"{entry.where('id')}: {provider_id!r} is not a UUID") from error
    provider = ProviderConfiguration(
        provider_id=provider_id,
        token=_unneeded_token(entry) if tokenless else _token(entry),
        name=entry.text("name", provider_id),
        resource_class=entry.text("resource_class", "compute" if provider_id else ""),
        inventory=_inventory(entry),
    )
    entry.nothing_else()
    return provider


def _unneeded_token(entry: Fields) -> str:
    """The same file may serve both ways."""
    for name in ("token", "token_file"):
        entry.text(name, "")
    return ""


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

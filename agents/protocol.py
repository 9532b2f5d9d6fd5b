"""What portal and agent say to each other, written down once so that neither side can drift.

Plain constants, routes and frozen dataclasses with their parse functions: no Django, no driver, nothing but the
standard library, because the agent runs on hosts where none of the portal's packages are installed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum

from agents.read_fields import ProtocolError, id_in, list_in, mapping_of, seconds_in, text_in

ROUTE_REPORT = "/api/providers/{provider_id}/report"
ROUTE_HEARTBEAT = "/api/providers/{provider_id}/heartbeat"
ROUTE_CLAIMS = "/api/providers/{provider_id}/claims"
ROUTE_INSTANCES = "/api/providers/{provider_id}/instances"
ROUTE_BUILDING = "/api/claims/{claim_id}/building"
ROUTE_CONSUME = "/api/claims/{claim_id}/consume"
ROUTE_FAILED = "/api/claims/{claim_id}/failed"
ROUTE_DESTROYED = "/api/requests/{request_id}/destroyed"
ROUTE_WHOAMI = "/api/whoami"

VERSION_HEADER, VERSION_1_2 = "OpenStack-API-Version", "scheduling 1.2"
"""Sent with what came with that version only; all else is said as it always was, to portals of any age."""

REASON_RELEASED = "released"

NUMA_NODE, PCI_DEVICE = "numa_node", "pci_device"
"""The classes of a host's parts."""

REASON_LIMIT = 1000
"""Longest reason an agent sends, in characters; program output goes into it and nobody reads more in a list."""

DEFAULT_HEARTBEAT_INTERVAL = 10.0
DEFAULT_HEARTBEAT_TTL = 30.0
DEFAULT_POLL_INTERVAL = 2.0
DEFAULT_FALLBACK_POLL_INTERVAL = 30.0
DEFAULT_REPORT_INTERVAL = 300.0
DEFAULT_RECONCILE_INTERVAL = 300.0


class ClaimState(StrEnum):
    """The states of a claim an agent may be shown or told; the last four only appear in a refusal's `claim_state`."""

    HELD = "held"
    CLAIMED = "claimed"
    NOTIFIED = "notified"
    BUILDING = "building"
    ACTIVE = "active"
    CONSUMED = "consumed"
    RELEASED = "released"
    CLOSED = "closed"
    MISSING = "missing"


TO_BUILD = frozenset({ClaimState.CLAIMED, ClaimState.NOTIFIED, ClaimState.BUILDING})
"""A claim in one of these is the agent's to build; a held one may still be taken back, an active one has no agent."""

GONE = frozenset({ClaimState.RELEASED, ClaimState.CLOSED, ClaimState.MISSING})
"""A refusal with one of these says that the claim will never come back."""


@dataclass(frozen=True)
class InstanceOrder:
    """What to run: names only, because the host's own configuration says what an image is."""

    name: str = ""
    image: str = ""
    metadata: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class ClaimOrder:
    """A claim to build. Amounts are negative, as they are in the claim's record."""

    claim_id: str
    request_id: str
    provider: str
    consumer: str
    project: str
    resource_class: str
    amounts: Mapping[str, int]
    state: ClaimState
    expires_at: str
    instance: InstanceOrder
    release_requested: bool


@dataclass(frozen=True)
class DestroyOrder:
    """An instance to take away; its amounts come back when the agent says that it is gone."""

    claim_id: str
    request_id: str
    provider: str
    consumer: str
    amounts: Mapping[str, int]
    instance: InstanceOrder


@dataclass(frozen=True)
class KnownInstance:
    """An instance that the portal says runs here. `is_wanted` is false once it is to be destroyed, which is an order
    and comes with the others."""

    order: DestroyOrder
    is_wanted: bool


@dataclass(frozen=True)
class InstancePage:
    instances: tuple[KnownInstance, ...]
    next_cursor: str


@dataclass(frozen=True)
class ClaimPage:
    """One page of a provider's orders. `unreadable` says, one line each, which entries this side could not parse."""

    claims: tuple[ClaimOrder, ...]
    destroy: tuple[DestroyOrder, ...]
    next_cursor: str
    unreadable: tuple[str, ...]


@dataclass(frozen=True)
class Part:
    """What a host has that is claimed beside it. `slot` names its place there, for ever: `numa0`, a PCI address."""

    slot: str
    resource_class: str
    totals: Mapping[str, int]
    properties: Mapping[str, object] = field(default_factory=dict)

    def as_json(self) -> dict[str, object]:
        return asdict(self)


@dataclass(frozen=True)
class Report:
    """What a host is: totals in the columns' units, never what is free at the moment. With `has_parts` also all its
    parts: one that is not among them is gone."""

    totals: Mapping[str, int]
    properties: Mapping[str, object] = field(default_factory=dict)
    traits: tuple[str, ...] = ()
    parts: tuple[Part, ...] = ()
    has_parts: bool = False

    def as_json(self) -> dict[str, object]:
        """Without traits when there are none to tell: an empty list would take away those an operator gave."""
        body: dict[str, object] = {"totals": dict(self.totals), "properties": dict(self.properties)}
        return {**body, "traits": list(self.traits)} if self.traits else body

    def with_parts_as_json(self) -> dict[str, object]:
        """As version 1.2 takes it."""
        return {**self.as_json(), "children": [part.as_json() for part in self.parts]}


@dataclass(frozen=True)
class HeartbeatAnswer:
    """Seconds: how long the portal takes this host for alive, and when it wants to hear again."""

    ttl: float
    interval: float


@dataclass(frozen=True)
class Identity:
    """Whose a token is; `provider_id` is empty when it is no agent's."""

    provider_id: str
    name: str
    resource_class: str


def parse_claim(data: object) -> ClaimOrder:
    """Raises ProtocolError for anything an agent could not act on safely, ids that are not UUIDs first of all."""
    body = mapping_of(data, "claim")
    return ClaimOrder(
        claim_id=id_in(body, "id"),
        request_id=id_in(body, "request_id"),
        provider=id_in(body, "provider"),
        consumer=text_in(body, "consumer"),
        project=text_in(body, "project"),
        resource_class=text_in(body, "resource_class"),
        amounts=parse_amounts(body.get("amounts")),
        state=_state(body),
        expires_at=text_in(body, "expires_at"),
        instance=parse_instance(body.get("instance")),
        release_requested=body.get("release_requested") is True,
    )


def parse_destroy(data: object) -> DestroyOrder:
    body = mapping_of(data, "destroy")
    return DestroyOrder(
        claim_id=id_in(body, "claim_id"),
        request_id=id_in(body, "request_id"),
        provider=id_in(body, "provider"),
        consumer=text_in(body, "consumer"),
        amounts=parse_amounts(body.get("amounts")),
        instance=parse_instance(body.get("instance")),
    )


def parse_page(data: object) -> ClaimPage:
    """One bad entry must not keep a host from its other orders, so bad ones are named in `unreadable` and left out."""
    body = mapping_of(data, "claims")
    claims: list[ClaimOrder] = []
    destroy: list[DestroyOrder] = []
    unreadable: list[str] = []
    for entry in list_in(body, "results"):
        try:
            claims.append(parse_claim(entry))
        except ProtocolError as error:
            unreadable.append(f"claim: {error}")
    for entry in list_in(body, "destroy"):
        try:
            destroy.append(parse_destroy(entry))
        except ProtocolError as error:
            unreadable.append(f"destroy: {error}")
    return ClaimPage(tuple(claims), tuple(destroy), text_in(body, "next"), tuple(unreadable))


def parse_instance_page(data: object) -> InstancePage:
    """Raises ProtocolError for a page that is not readable to the last entry: what is not in it counts as unknown
    to the portal."""
    body = mapping_of(data, "instances")
    if "results" not in body:
        raise ProtocolError("results: missing")
    entries = [mapping_of(entry, "instance") for entry in list_in(body, "results")]
    instances = (KnownInstance(parse_destroy(one), text_in(one, "state") == ClaimState.ACTIVE) for one in entries)
    return InstancePage(tuple(instances), text_in(body, "next"))


def parse_heartbeat(data: object) -> HeartbeatAnswer:
    body = mapping_of(data, "heartbeat")
    return HeartbeatAnswer(
        ttl=seconds_in(body, "ttl", DEFAULT_HEARTBEAT_TTL),
        interval=seconds_in(body, "interval", DEFAULT_HEARTBEAT_INTERVAL),
    )


def parse_identity(data: object) -> Identity:
    body = mapping_of(data, "whoami")
    if "provider" not in body:
        raise ProtocolError("provider: missing")
    if body["provider"] is None:
        return Identity("", "", "")
    provider = mapping_of(body["provider"], "provider")
    return Identity(id_in(provider, "id"), text_in(provider, "name"), text_in(provider, "resource_class"))


def parse_instance(data: object) -> InstanceOrder:
    """A claim without an instance (null) is one with no names: the agent's default image is built."""
    if data is None:
        return InstanceOrder()
    body = mapping_of(data, "instance")
    metadata = body.get("metadata")
    return InstanceOrder(
        name=text_in(body, "name"),
        image=text_in(body, "image"),
        metadata={} if metadata is None else mapping_of(metadata, "instance.metadata"),
    )


def parse_amounts(data: object) -> Mapping[str, int]:
    amounts: dict[str, int] = {}
    for column, amount in mapping_of(data, "amounts").items():
        if isinstance(amount, bool) or not isinstance(amount, int):
            raise ProtocolError(f"amounts.{column}: not an integer")
        amounts[column] = amount
    return amounts


def _state(body: Mapping[str, object]) -> ClaimState:
    try:
        return ClaimState(text_in(body, "state"))
    except ValueError as error:
        raise ProtocolError(f"state: {error}") from error

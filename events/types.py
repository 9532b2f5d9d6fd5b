"""What an event is."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

PROVIDER_CREATED = "provider.created"
PROVIDER_CHANGED = "provider.changed"
PROVIDER_REMOVED = "provider.removed"
PROVIDER_REPAIRED = "provider.repaired"  # its projection was behind: the event that a crash swallowed
CLAIM_HELD = "claim.held"
CLAIM_TAKEN = "claim.claimed"
CLAIM_BUILDING = "claim.building"
CLAIM_CHANGED = "claim.changed"  # to be released, to be destroyed, active without an agent: `data` says which
CLAIM_CONSUMED = "claim.consumed"
CLAIM_FAILED = "claim.failed"
CLAIM_REFUSED = "claim.refused"  # the host had not the room any more, or changed: the next alternate is tried
CLAIM_RELEASED = "claim.released"
INSTANCE_DESTROYED = "instance.destroyed"
REQUEST_STATE = "request.state"
CELL_CHANGED = "cell.changed"
PROVIDER_SILENT = "provider.silent"  # its host was declared silent: its open claims move
PROVIDER_HEARD = "provider.heard"  # it is heard again
CELL_SILENT = "cell.silent"  # many hosts fell silent at once: told once, and waited for

TYPES = (
    PROVIDER_CREATED,
    PROVIDER_CHANGED,
    PROVIDER_REMOVED,
    PROVIDER_REPAIRED,
    CLAIM_HELD,
    CLAIM_TAKEN,
    CLAIM_BUILDING,
    CLAIM_CHANGED,
    CLAIM_CONSUMED,
    CLAIM_FAILED,
    CLAIM_REFUSED,
    CLAIM_RELEASED,
    INSTANCE_DESTROYED,
    REQUEST_STATE,
    CELL_CHANGED,
    PROVIDER_SILENT,
    PROVIDER_HEARD,
    CELL_SILENT,
)


@dataclass(frozen=True, slots=True)
class News:
    """Something that happened, not yet written down. `data` is small and JSON-able."""

    type: str
    provider_id: UUID | None = None
    claim_id: UUID | None = None
    request_id: UUID | None = None
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Event:
    """A line of the log. `image` is the provider's row after it (None for events about no provider, or when it is
    gone); of two images of one provider the one with the higher `generation` is the newer."""

    id: UUID  # timeuuid: time and order
    cell: str
    type: str
    at: dt.datetime
    provider_id: UUID | None
    root_id: UUID | None
    resource_class: str | None
    claim_id: UUID | None
    request_id: UUID | None
    generation: int | None
    data: Mapping[str, Any]
    image: Mapping[str, Any] | None

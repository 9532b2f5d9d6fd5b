"""A claim to be made, and what can come of it."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID, uuid5

from providers.records import Record, Tree
from store.home import Home

HELD = "held"  # one of several trees of a request; counts as claimed once the request row is committed
CLAIMED = "claimed"
NOTIFIED = "notified"
BUILDING = "building"
ACTIVE = "active"  # a claim without an agent, in a request that is active
RELEASED = "released"  # a closed id whose claim was taken back, or whose instance is gone
DESTROYING = "destroying"  # an instance whose request was deleted
STATES = (HELD, CLAIMED, NOTIFIED, BUILDING, ACTIVE)
CONSUMABLE = (CLAIMED, NOTIFIED, BUILDING)


@dataclass(frozen=True, slots=True)
class Member:
    """One claim of a request: its id (derived from request, epoch, member and try), and what it takes, where."""

    claim_id: UUID
    number: int
    provider_id: UUID
    provider_name: str
    resource_class: str
    amounts: Mapping[str, int]  # positive, in the column's unit
    state_version: int  # of the provider, as the decision saw it


@dataclass(frozen=True, slots=True)
class Order:
    """Everything that one batch on one tree claims. `root_state_version` guards children: a disabled host's GPU is not
    for sale."""

    home: Home
    root_id: UUID
    root_state_version: int
    request_id: UUID
    epoch: int
    consumer: str
    project: str
    members: tuple[Member, ...]
    state: str = CLAIMED
    expires_at: dt.datetime | None = None
    instance: str | None = None  # JSON, for the agent


@dataclass(frozen=True, slots=True)
class Taken:
    """The claims are there (made now, or by an earlier try whose answer was lost)."""


@dataclass(frozen=True, slots=True)
class Lost:
    """Refused: not enough, or the provider changed. `tree` holds the providers' rows as the refusal showed them."""

    tree: Tree


@dataclass(frozen=True, slots=True)
class Closed:
    """The id was closed: whoever settled this request has decided that this try did not happen."""


@dataclass(frozen=True, slots=True)
class Unsettled:
    """No answer: settle it by a write (claims/settle.py)."""

    error: str


@dataclass(frozen=True, slots=True)
class Done:
    """The record was changed now."""


@dataclass(frozen=True, slots=True)
class Already:
    """It had been done before; nothing changed."""


@dataclass(frozen=True, slots=True)
class Not:
    """The record is not in a state that allows it; `record` is how it is, None when it is gone."""

    record: Record | None


def claim_id(request_id: UUID, epoch: int, member: int, attempt: int) -> UUID:
    """The id of one try of one member: derived, so that whoever finishes a dead process's work can name it."""
    return uuid5(request_id, f"{epoch}.{member}.{attempt}")

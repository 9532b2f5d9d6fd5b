"""What an audit finds, of which kinds, and where it looks."""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from store.home import Home

YOUNG = dt.timedelta(seconds=60)  # whoever made it is likely still at it
OVERDUE = dt.timedelta(seconds=60)  # a conductor would have come by long ago
LONG = dt.timedelta(minutes=10)

SUM, STALE, ORPHAN_CLAIM, ORPHAN_INSTANCE = "sum", "stale projection", "orphaned claim", "orphaned instance"
EXPIRED_HOLD, EXPIRED_CLAIM, MISSING = "expired hold", "expired claim", "missing claim"
CLOSED_ID, LIST_ENTRY, OVERDUE_WORK, STUCK, STRANDED = (
    "closed id",
    "list entry",
    "overdue work",
    "stuck request",
    "stranded instance",
)
KINDS = {
    SUM: "what is available is not what the provider's own row and its claims add up to",
    STALE: "the capacity table shows an older generation than the record, or nothing",
    ORPHAN_CLAIM: "a claim whose request is not there, has ended, or does not know it",
    ORPHAN_INSTANCE: "an instance whose request is not there, has ended, or does not know it",
    EXPIRED_HOLD: "a hold that waited too long for its request to be committed",
    EXPIRED_CLAIM: "a claim whose host said nothing in time, and nobody moved it on",
    MISSING: "the request says that there is a claim or an instance, and there is none",
    CLOSED_ID: "the id of an ended claim that should have been removed by now",
    LIST_ENTRY: "an entry of the list of claims that leads nowhere",
    OVERDUE_WORK: "open work that no conductor looked at for a minute: is one running?",
    STUCK: "a request in flight that is on no list of open work",
    STRANDED: "an instance that is to be destroyed, on a host that was declared silent",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """`repair` is what would be done, in words ("" when that is a person's to decide); `do` does it."""

    kind: str
    cell: str
    what: str
    repair: str
    provider_id: UUID | None = None
    claim_id: UUID | None = None
    request_id: UUID | None = None
    do: Callable[[], object] | None = None


@dataclass(frozen=True, slots=True)
class Stretch:
    """A bounded part of a cell to look at: a shard of trees, a slot of the list of claims, open work, an hour of
    requests."""

    home: Home
    kind: str
    resource_class: str = ""
    number: int = 0
    hour: dt.datetime | None = None

    def __str__(self) -> str:
        if self.kind == "trees":
            return f"{self.home.cell}: {self.resource_class} shard {self.number}"
        at = f" of {self.hour:%Y-%m-%d %H:00}" if self.hour else ""
        return f"{self.home.cell}: {self.kind}{at}"

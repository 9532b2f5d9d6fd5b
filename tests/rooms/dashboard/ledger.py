"""A small cloud in memory that keeps its own books: every change gives the event that the real one would write.

It knows nothing of the dashboard: what is fresh is read from its records, what is told are its events.
"""

import datetime as dt
import itertools
import uuid
from dataclasses import dataclass, field
from typing import Any

from events.types import CLAIM_TAKEN, PROVIDER_CHANGED, PROVIDER_CREATED, PROVIDER_REMOVED, Event

START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


@dataclass
class Provider:
    id: uuid.UUID
    root: uuid.UUID
    total: int = 16
    own: int = 16
    state: str = "enabled"
    claims: dict[str, dict[str, Any]] = field(default_factory=dict)
    instances: int = 0


class Ledger:
    """Trees of providers with one generation each; `events` in the order in which they happened."""

    def __init__(self) -> None:
        self.providers: dict[uuid.UUID, Provider] = {}
        self.rows: dict[uuid.UUID, dict[str, Any]] = {}  # the image after the last event that named the provider
        self.generation: dict[uuid.UUID, int] = {}
        self.events: list[Event] = []
        self._numbers = itertools.count(1)

    def create(self, parent: uuid.UUID | None = None) -> None:
        provider_id = self._id()
        root = self.providers[parent].root if parent in self.providers else provider_id
        self.providers[provider_id] = Provider(provider_id, root)
        self._tell(PROVIDER_CREATED, self.providers[provider_id])

    def claim(self, provider: Provider, amount: int) -> None:
        claim_id = str(self._id())
        provider.claims[claim_id] = {
            "id": claim_id,
            "state": "claimed",
            "amounts": {"vcpus": -amount},
            "consumer": "web",
            "request_id": str(self._id()),
        }
        self._tell(CLAIM_TAKEN, provider)

    def build(self, provider: Provider, claim_id: str) -> None:
        provider.claims[claim_id] = {**provider.claims[claim_id], "state": "building"}
        self._tell("claim.building", provider)

    def consume(self, provider: Provider, claim_id: str) -> None:
        provider.own += provider.claims.pop(claim_id)["amounts"]["vcpus"]
        provider.instances += 1
        self._tell("claim.consumed", provider)

    def release(self, provider: Provider, claim_id: str) -> None:
        del provider.claims[claim_id]
        self._tell("claim.released", provider)

    def change(self, provider: Provider, total: int, state: str) -> None:
        provider.own += total - provider.total
        provider.total, provider.state = total, state
        self._tell(PROVIDER_CHANGED, provider)

    def remove(self, provider: Provider) -> None:
        has_children = any(p.root == provider.id and p is not provider for p in self.providers.values())
        if provider.claims or has_children:
            return
        del self.providers[provider.id], self.rows[provider.id]
        self._log(PROVIDER_REMOVED, provider, None)

    def _tell(self, kind: str, provider: Provider) -> None:
        self.generation[provider.root] = self.generation.get(provider.root, 0) + 1
        self.rows[provider.id] = image(provider, self.generation[provider.root])
        self._log(kind, provider, self.rows[provider.id])

    def _log(self, kind: str, provider: Provider, row: dict[str, Any] | None) -> None:
        number = next(self._numbers)
        self.events.append(
            Event(
                id=uuid.UUID(int=number),
                cell="c",
                type=kind,
                at=START + dt.timedelta(seconds=number),
                provider_id=provider.id,
                root_id=provider.root,
                resource_class="compute",
                claim_id=None,
                request_id=None,
                generation=self.generation[provider.root],
                data={},
                image=row,
            )
        )

    def _id(self) -> uuid.UUID:
        return uuid.UUID(int=next(self._numbers), version=4)


def image(provider: Provider, generation: int) -> dict[str, Any]:
    """As providers/image.py makes it."""
    claimed = sum(claim["amounts"]["vcpus"] for claim in provider.claims.values())
    return {
        "id": str(provider.id),
        "root": str(provider.root),
        "name": f"host-{provider.id.int % 1000}",
        "cell": "c",
        "resource_class": "compute",
        "parent": None if provider.root == provider.id else str(provider.root),
        "state": provider.state,
        "root_state": "enabled",
        "state_reason": "",
        "generation": generation,
        "state_version": 1,
        "inventory": {"vcpus": {"total": provider.total, "reserved": 0, "allocation_ratio": 1.0}},
        "amounts": {"vcpus": provider.own},
        "available": {"vcpus": provider.own + claimed},
        "properties": {},
        "traits": [],
        "aggregates": [],
        "failure_domain": {"rack": "", "zone": ""},
        "heartbeat": "agent",
        "claims": list(provider.claims.values()),
        "instances": provider.instances,
    }

"""What an event, a fresh record or a heartbeat changes on the page. Pure: nothing is read or written, `state` stays.

Events come twice, late and out of order; most carry the whole row after it, so the highest generation wins and the
rest is dropped.
"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from dashboard.types import SILENT, Amount, Claim, Delta, Host, Line, State, Vital
from events.types import PROVIDER_REMOVED, Event
from providers.heartbeat import ALWAYS


def apply(state: State, event: Event) -> Delta:
    """What the event changes; empty when it is old, known already, or about no provider."""
    if event.provider_id is None:
        return Delta()
    if event.image is not None:
        return apply_image(state, event.image, event.at.isoformat())
    if event.type == PROVIDER_REMOVED:
        return remove(state, str(event.provider_id))
    return Delta()  # its provider was removed meanwhile: the event of that says so


def apply_image(state: State, image: Mapping[str, Any], at: str) -> Delta:
    """What a provider's row, with the list of its claims, changes. `at` dates claims whose making was not seen."""
    host_id = image["id"]
    known = state.hosts.get(host_id)
    if host_id in state.gone or (known is not None and known["generation"] > image["generation"]):
        return Delta()
    delta = Delta()
    host = host_of(image, state.vital)
    if host != known:
        delta.hosts[host_id] = host
    now = {claim["id"]: claim_of(claim, host_id, state.claims.get(claim["id"]), at) for claim in image["claims"]}
    delta.claims.update({key: claim for key, claim in now.items() if state.claims.get(key) != claim})
    delta.claims.update(dict.fromkeys(sorted(state.claims_on.get(host_id, set()) - now.keys())))
    return delta


def remove(state: State, host_id: str) -> Delta:
    """Also of a host that is not known: its creation may still be on its way."""
    if host_id in state.gone:
        return Delta()
    return Delta({host_id: None}, dict.fromkeys(sorted(state.claims_on.get(host_id, ()))))


def hear(state: State, vital: Mapping[str, Vital]) -> Delta:
    """Who fell silent, who is heard again, where builds fail: heartbeats, and the notes beside them, expire without an
    event."""
    delta = Delta()
    for host in state.hosts.values():
        now = vital.get(host["root"], SILENT)
        alive = now.alive or host["heartbeat"] == ALWAYS
        before = (host["alive"], host["heard_at"], host["failed_builds"], host["conflicts"])
        if before != (alive, now.heard_at, now.failed_builds, now.conflicts):
            delta.hosts[host["id"]] = {
                **host,
                "alive": alive,
                "heard_at": now.heard_at,
                "failed_builds": now.failed_builds,
                "conflicts": now.conflicts,
            }
    return delta


def line_of(event: Event) -> Line:
    return Line(
        id=str(event.id),
        type=event.type,
        at=event.at.isoformat(timespec="milliseconds"),
        provider=_text(event.provider_id),
        claim=_text(event.claim_id),
        request=_text(event.request_id),
        data=event.data,
    )


def _text(value: UUID | None) -> str | None:
    return None if value is None else str(value)


def host_of(image: Mapping[str, Any], vital: Mapping[str, Vital]) -> Host:
    claims = image["claims"]  # a list in events and records, a number in rows of the capacity table
    heartbeat = image.get("root_heartbeat", image["heartbeat"])  # events of older versions have only its own
    now = vital.get(image["root"], SILENT)
    return Host(
        id=image["id"],
        name=image["name"],
        resource_class=image["resource_class"],
        root=image["root"],
        parent=image["parent"],
        state=image["state"],
        state_reason=image["state_reason"],
        heartbeat=heartbeat,
        alive=now.alive or heartbeat == ALWAYS,
        heard_at=now.heard_at,
        failed_builds=now.failed_builds,
        conflicts=now.conflicts,
        traits=image["traits"],
        rack=image["failure_domain"]["rack"],
        zone=image["failure_domain"]["zone"],
        generation=image["generation"],
        claims=claims if isinstance(claims, int) else len(claims),
        instances=image["instances"],
        amounts={name: _amount(image, name) for name in image["inventory"]},
    )


def claim_of(claim: Mapping[str, Any], host_id: str, known: Claim | None, at: str) -> Claim:
    made = claim.get("created_at")
    return Claim(
        id=claim["id"],
        provider=host_id,
        request_id=claim["request_id"],
        consumer=claim["consumer"],
        state=claim["state"],
        amounts=dict(claim["amounts"]),
        since=known["since"] if known is not None else str(made or at),
    )


def _amount(image: Mapping[str, Any], name: str) -> Amount:
    one = image["inventory"][name]
    capacity = int(one["total"] * one["allocation_ratio"]) - one["reserved"]
    own, available = image["amounts"].get(name, 0), image["available"].get(name, 0)
    return Amount(
        total=one["total"], capacity=capacity, used=capacity - own, claimed=own - available, available=available
    )

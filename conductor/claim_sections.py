"""What a claim's page shows: the claim and what keeps it, its arithmetic, its request's story, its host."""

import datetime as dt
from collections.abc import Sequence
from typing import Any

from conductor.find import read_request
from conductor.in_flight import InFlight, Overdue
from conductor.request_sections import decided, history
from conductor.types import RequestView
from providers.admin_sections import (
    arithmetic,
    heartbeat,
    number,
    provider_link,
    request_link,
    short,
    time,
    words,
)
from providers.heartbeat import AGENT, last_heard
from providers.records import CLAIM, OwnRow, Record, Tree, locate, read_provider
from providers.refusals import NotFound
from providers.silent import silent_among
from store.record_pages import Section
from store.record_values import said


def claim_sections(one: InFlight) -> list[Section]:
    """Raises NotFound when its provider is gone."""
    record = one.record
    tree, own = read_provider(record.provider_id)
    try:
        view = read_request(record.request_id)
    except NotFound:
        view = None
    return [
        Section("Claim", facts=_facts(one, own)),
        arithmetic(tree, own),
        *(_of_request(record, view) if view else [Section("Request", empty="It is not known (any more).")]),
        *_host(tree, record),
    ]


def overdue_section(overdue: Sequence[Overdue] | None) -> list[Section]:
    """Requests that no conductor has looked at in time; nothing when there are none. None: nobody has looked."""
    if overdue is None:
        return [Section("Requests that wait for a conductor", empty="Choose a cell: there are too many for one page.")]
    if not overdue:
        return []
    rows = [
        [
            request_link(one.request_id, short(one.request_id)),
            one.row.state if one.row else "not written (yet)",
            one.home.cell,
            how_long(one.due_at),
            one.row.consumer if one.row else None,
        ]
        for one in overdue
    ]
    note = "They were due, and no conductor has moved them on. Is one running, and does it reach Cassandra?"
    headers = ["Request", "State", "Cell", "Overdue for", "Consumer"]
    return [Section("Requests that wait for a conductor", headers=headers, rows=rows, note=note)]


def how_long(since: dt.datetime | None) -> str | None:
    """`3 min`; from a moment to now. Exported and sorted it is seconds."""
    if since is None:
        return None
    seconds = max(0, int((dt.datetime.now(dt.UTC) - since).total_seconds()))
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return said(f"{seconds // length} {unit}", seconds, seconds)
    return said(f"{seconds} s", seconds, seconds)


def _facts(one: InFlight, own: OwnRow) -> list[tuple[str, Any]]:
    record = one.record
    facts = [
        ("What keeps it", one.problem or "nothing"),
        ("Kind", record.kind),
        ("State", record.state),
        ("Consumer", record.consumer),
        ("Project", record.project),
        ("Request", request_link(record.request_id)),
        ("Provider", provider_link(record.resource_class, own.id, own.row["name"])),
        ("Cell", record.home.cell),
        ("Made", time(record.created_at)),
        ("Must have moved on by", time(one.due)),
        ("Expires", time(record.expires_at)),
        ("Release asked for", "yes" if record.release_requested else "no"),
        ("Generation", number(record.generation)),
    ]
    if record.kind != CLAIM:
        return [*facts[1:9], *facts[11:], ("Gives back", words(record.gives_back))]
    return facts


def _of_request(record: Record, view: RequestView) -> list[Section]:
    facts = [
        ("State", view.state),
        ("Claims tried", number(view.attempts)),
        ("Attempts that failed", number(len(view.failures))),
        ("Reason", view.reason or None),
        *decided(view),
    ]
    return [Section("Its request", facts=facts), _alternates(record, view), history(view)]


def _alternates(record: Record, view: RequestView) -> Section:
    """Where else the plan would have put it."""
    numbers = {part.number for part in view.parts if part.claim_id == record.id}
    members = [member for member in (view.plan.members if view.plan else ()) if member.number in numbers]
    rows = [
        [
            place,
            provider_link(member.resource_class, one.provider_id, one.provider_name),
            one.cell,
            "is here" if one.provider_id == record.provider_id else None,
        ]
        for member in members
        for place, one in enumerate(member.tries, 1)
    ]
    headers = ["Place", "Provider", "Cell", ""]
    return Section("Chosen, in this order", headers=headers, rows=rows, empty="The plan does not name it any more.")


def _host(tree: Tree, record: Record) -> list[Section]:
    root = tree.providers.get(tree.root_id)
    if root is None:
        return []
    mode = root.row["heartbeat"]
    heard = last_heard(locate(root.id)) if mode == AGENT else None
    of_life = heartbeat(mode, heard)
    is_declared = bool(silent_among(record.home, [root.id]))
    facts = [
        ("Host", provider_link(root.row["resource_class"], root.id, root.row["name"])),
        ("State", f"{root.row['state']}: {root.row['state_reason'] or ''}".rstrip(": ")),
        *of_life.facts,
        ("Declared silent", "yes" if is_declared else "no"),
        ("Claims on it", number(sum(1 for r in tree.records if r.kind == CLAIM))),
    ]
    return [Section("Its host", facts=facts)]

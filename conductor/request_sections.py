"""What a request's page shows, some of it a claim's page too: how it was decided, what came of it, and when."""

import json
from typing import Any

from django.utils.html import format_html

from conductor.explain_sections import explanation_sections
from conductor.life import life_of
from conductor.types import RequestView
from providers.admin_sections import claim_link, provider_link, time, words
from providers.records import CLAIM, INSTANCE
from store.record_pages import Section


def what_came(record: RequestView) -> list[Section]:
    found = {r.id: r for r in record.records if r.kind in (CLAIM, INSTANCE)}  # closed ids are no claims
    rows = [
        [
            claim_link(found[part.claim_id]) if part.claim_id in found else part.claim_id,
            provider_link(part.resource_class, part.provider_id, part.provider_name),
            part.resource_class,
            words(part.amounts),
            f"{found[part.claim_id].kind}, {found[part.claim_id].state}" if part.claim_id in found else part.state,
        ]
        for part in record.parts
    ]
    headers = ["Claim", "Provider", "Resource class", "Amounts", "State"]
    sections = [Section("Claims and instances", headers=headers, rows=rows, empty="Nothing is claimed.")]
    if record.explanation:
        sections += explanation_sections(record.explanation, "Why")
    return sections


def decided(record: RequestView) -> list[tuple[str, Any]]:
    how = record.plan.decided if record.plan else None
    if how is None:
        return []
    policy = f"version {how['policy']} of the policy" if how["policy"] else "the settings"
    found = f"{how['fitting']} that fit in {how['shards']} of {how['of_shards']} shards"
    return [("Decided", f"by {policy}, search: {how['search']}, among {found}")]


def plan(record: RequestView) -> Section:
    members = record.plan.members if record.plan else ()
    rows = [
        [m.number, m.resource_class, words(m.amounts), " → ".join(t.provider_name for t in m.tries)] for m in members
    ]
    note = (
        "Each tree is held, and the request's row commits them together." if record.plan and record.plan.holds else ""
    )
    headers = ["Member", "Resource class", "Amounts", "Tried in this order"]
    return Section("Plan", headers=headers, rows=rows, note=note, empty="There is no plan.")


def failures(record: RequestView) -> list[Section]:
    rows = [[time(f.at), f.member, f.provider_name, f.reason] for f in record.failures]
    headers = ["When", "Member", "Provider", "Reason"]
    return [Section("Attempts that failed", headers=headers, rows=rows)] if rows else []


def history(record: RequestView) -> Section:
    rows = [[time(line["at"]), line["state"], line["who"], line["why"]] for line in life_of(record)]
    return Section("History", headers=["When", "State", "Who", "Why"], rows=rows, empty="No lines of history.")


def as_json(value: Any) -> Any:
    return format_html("<pre>{}</pre>", json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False))

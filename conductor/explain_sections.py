"""An explanation as sections of an admin page: the funnel, who came nearest, what would make it fit, what was read."""

from collections.abc import Mapping, Sequence
from typing import Any

from providers.admin_sections import number, provider_link, words
from scheduler.reasons import SENTENCES
from store.record_pages import Section


def explanation_sections(told: Mapping[str, Any], title: str) -> list[Section]:
    """Of one in its API form. Those that were kept by an older release say less."""
    rows = [[s["stage"], number(s["left"]), number(s["removed"]), _why(s)] for s in told.get("funnel", ())]
    headers = ["Stage", "Left", "Removed", "Reason"]
    sections = [Section(title, facts=_facts(told), headers=headers, rows=rows, note=_note(told))]
    if told.get("changes"):
        changes = [[one["text"], one["by"]] for one in told["changes"]]
        sections.append(Section("What would make it fit", headers=["Change", "By"], rows=changes))
    if told.get("nearest"):
        sections.append(_nearest(told))
    return sections


def _why(stage: Mapping[str, Any]) -> str | None:
    return SENTENCES.get(stage["reason"], stage["reason"]) if stage["removed"] else None


def _facts(told: Mapping[str, Any]) -> Sequence[tuple[str, Any]]:
    seen = told.get("seen")
    about = "about " if seen and seen["shards"] < seen["of_shards"] else ""
    facts = [("Considered", f"{about}{number(told.get('considered'))}")]
    if seen:
        what = f"{seen['providers']} providers in {seen['shards']} of {seen['of_shards']} shards, {seen['seconds']} s"
        facts.append(("Read", what))
    facts += [(label, told[name]) for name, label in (("query", "Query"), ("search", "Search")) if told.get(name)]
    if "policy" in told:
        facts.append(("Policy", f"version {told['policy']}" if told["policy"] else "the settings"))
    return facts


def _note(told: Mapping[str, Any]) -> str:
    seen = told.get("seen")
    if not seen or seen["shards"] == seen["of_shards"]:
        return ""
    return "What is removed is counted among the providers that were read; none of the others fits either."


def _nearest(told: Mapping[str, Any]) -> Section:
    of_class = told.get("resource_class") or "compute"
    rows = [[provider_link(of_class, n["provider"], n["name"]), words(n["short_by"])] for n in told["nearest"]]
    return Section("Nearest", headers=["Provider", "Short by"], rows=rows)

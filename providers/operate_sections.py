"""What a provider's pages say of its being operated: how far a drain is, its maintenance, who did what to it."""

import datetime as dt
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from django.utils.html import format_html, format_html_join

from providers.admin_sections import link, provider_link, time
from providers.drain import Drain, drain_of
from providers.history import Line, history_at
from providers.maintenance_windows import Window, windows_of
from providers.records import OwnRow, Tree
from providers.register import DRAINING
from store.record_lists import CURSOR
from store.record_pages import Section

LINES = 10  # of its history, on its own page
HISTORY = ["When", "Who", "What", "Why"]


def operating(tree: Tree, own: OwnRow) -> list[Section]:
    """For a provider's own page: its drain when there is one, and its root's maintenance."""
    sections = [drain_progress(drain_of(tree, own))] if own.row["state"] == DRAINING else []
    windows = windows_of(tree.home, [tree.root_id])
    return [*sections, maintenance(windows)] if windows else sections


def drain_progress(drain: Drain) -> Section:
    """How many there were, how many are left, since when."""
    began = drain.began
    facts: list[tuple[str, Any]] = []
    if began is not None:
        facts += [("Since", time(began.at)), ("By", began.who or None)]
    facts.append(("Why", drain.own.row["state_reason"] or None))
    if began is not None and drain.first:
        gone = drain.first - len(drain.records)
        bar = '<progress max="{}" value="{}" aria-label="How far it is"></progress> {} of {} gone'
        facts.append(("Progress", format_html(bar, drain.first, gone, gone, drain.first)))
    facts += [("Left", in_words(drain)), ("Empty", "yes" if drain.empty else "no")]
    return Section("Draining", facts=facts)


def in_words(drain: Drain) -> str:
    """What is left of it."""
    return counted(drain.claims, drain.instances)


def counted(claims: int, instances: int) -> str:
    """`2 claims, 1 instance`."""
    parts = [(claims, "claim"), (instances, "instance")]
    return ", ".join(f"{n} {word}{'' if n == 1 else 's'}" for n, word in parts if n) or "nothing"


def maintenance(windows: Sequence[Window]) -> Section:
    now = dt.datetime.now(dt.UTC)
    rows = [[_window_link(one), time(one.until_at), state_of(one, now), one.reason, one.planned_by] for one in windows]
    return Section("Maintenance", headers=["From", "Until", "State", "Reason", "Planned by"], rows=rows)


def state_of(window: Window, now: dt.datetime) -> str:
    if window.cancelled_by:
        return "cancelled"
    if now < window.from_at:
        return "planned"
    return "in force" if window.is_in_force(now) else "over"


def _window_link(one: Window) -> Any:
    return link("providers_maintenancerecord_change", f"{one.provider_id}.{one.id}", time(one.from_at))


def pages(cursor: str, following: str | None) -> Any:
    """Links to the first page, when this is another, and to the next."""
    links = [("?", "First page")] if cursor else []
    links += [(f"?{urlencode({CURSOR: following})}", "Next page")] if following else []
    return format_html_join(" ", '<a href="{}">{}</a>', links)


def history(tree: Tree, own: OwnRow, changes_url: str) -> Section:
    """The newest lines; the rest is on a page of its own."""
    page = history_at(tree.home, own.id, LINES)
    more = format_html('<a href="{}">All of it</a>', changes_url) if page.next else ""
    return Section("Who did what", headers=HISTORY, rows=history_rows(page.lines), note=more, empty="Nothing yet.")


def history_rows(lines: Sequence[Line]) -> list[list[Any]]:
    return [[time(one.at), one.who or None, _what(one), one.why or None] for one in lines]


def _what(line: Line) -> str:
    """`state: enabled → draining, with 2 claims, 1 instance on it`."""
    change = " → ".join(part for part in (line.before, line.after) if part)
    told = f"{line.what}: {change}" if change else line.what
    had = (line.claims or 0, line.instances or 0)
    return f"{told}, with {counted(*had)} on it" if any(had) else told


def name_link(window: Window) -> Any:
    return provider_link(window.resource_class, window.provider_id, window.name)

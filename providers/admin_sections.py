"""What a provider's pages show beside the form: the arithmetic of its amounts, and what is on it."""

import datetime as dt
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from providers.heartbeat import KEPT, Heard
from providers.models import RECORDS
from providers.records import OwnRow, Record, Tree
from providers.resource_classes.kind import ResourceClass
from store.record_pages import Section
from store.record_values import said, same


def link(view: str, key: Any, text: Any) -> Any:
    """A link to an admin page; the bare text when that page is not installed."""
    try:
        return same(format_html('<a href="{}">{}</a>', reverse(f"admin:{view}", args=(key,)), text), text)
    except NoReverseMatch:
        return text


def on_site(cell: str) -> list[tuple[str, str]]:
    """The link to the cell's live page, for a record's tools; none when there is no dashboard."""
    try:
        return [("View on site", reverse("dashboard:cell", args=(cell,)))]
    except NoReverseMatch:
        return []


def provider_view(resource_class: str) -> str:
    """The name of the page of such a provider."""
    model = RECORDS.get(resource_class)
    return f"providers_{model._meta.model_name if model else 'ownclassrecord'}_change"


def provider_link(resource_class: str, provider_id: Any, text: Any) -> Any:
    return link(provider_view(resource_class), provider_id, text)


def provider_list(of_class: ResourceClass, text: Any) -> Any:
    """A link to the list of a class's providers."""
    url = reverse(f"admin:{provider_view(of_class.name).removesuffix('_change')}_changelist")
    return format_html(
        '<a href="{}{}">{}</a>', url, f"?resource_class={of_class.name}" if of_class.custom else "", text
    )


def claim_link(record: Record) -> Any:
    return link("claims_claimrecord_change", record.id, record.id)


def request_link(request_id: Any, text: Any = None) -> Any:
    return link("conductor_requestrecord_change", request_id, text or request_id)


def events_url(**asked: Any) -> str:
    """The list of events, narrowed; times are instants in UTC."""
    values = {n: f"{v:%Y-%m-%dT%H:%M:%S}" if isinstance(v, dt.datetime) else v for n, v in asked.items() if v}
    return f"{reverse('admin:events_eventrecord_changelist')}?{urlencode(values)}"


def number(value: int | None) -> Any:
    """An amount with thousands apart; a negative one stands out."""
    if value is None:
        return None
    text = f"{value:,}".replace(",", "\u202f")
    return said(format_html('<span class="negative">{}</span>', text) if value < 0 else text, value, value)


def short(identifier: Any) -> Any:
    """The beginning of an id, for lists; the whole of it under the pointer and on its page."""
    return said(format_html('<span title="{}">{}…</span>', identifier, str(identifier)[:8]), str(identifier))


def time(at: dt.datetime | None) -> str | None:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC" if at else None


def heartbeat(mode: str, heard: Heard | None) -> Section:
    """Whether a provider is alive, or since when it is silent; `heard` is its root's, None without an agent."""
    if heard is None:
        return Section("Heartbeat", facts=[("Alive", f"always (heartbeat: {mode})")])
    if heard.alive:
        alive = "yes"
    else:
        alive = f"no, silent since {time(heard.seen_at)}" if heard.seen_at else f"no, {silent_for(heard)}"
    return Section("Heartbeat", facts=[("Alive", alive), ("Last seen", time(heard.seen_at))])


def silent_for(heard: Heard) -> str:
    if heard.seen_at is None:
        text = f"never heard from, or not for {KEPT // 86400} days"
        return said(text, text, KEPT)
    seconds = max(0, int((dt.datetime.now(dt.UTC) - heard.seen_at).total_seconds()))
    text = f"silent for {seconds} s"
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            text = f"silent for {seconds // length} {unit}"
            break
    return said(text, text, seconds)


def part_of(available: int, amount: int) -> Any:
    return said(format_html("{} of {}", number(available), number(amount)), f"{available} of {amount}", available)


def words(amounts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {value}" for name, value in sorted(amounts.items())) or "nothing"


def arithmetic(tree: Tree, own: OwnRow) -> Section:
    """Each row that counts, and their sum: what is available is nothing else."""
    names = list(own.resource_class.amounts)
    claims = tree.claims_on(own.id)
    rows: list[list[Any]] = [["the provider's own record", *(number(own.amounts.get(n, 0)) for n in names)]]
    rows += [[_claim(claim), *(number(claim.amounts.get(n, 0)) for n in names)] for claim in claims]
    sums = {n: own.amounts.get(n, 0) + sum(c.amounts.get(n, 0) for c in claims) for n in names}
    rows.append(["available (the sum)", *(number(sums[n]) for n in names)])
    kept = own.available
    differs = [n for n in names if sums[n] != kept.get(n, 0)]
    note = f"The record keeps another sum for {', '.join(differs)}: report this." if differs else ""
    headers = ["", *(f"{c.name} ({c.unit})" for c in own.resource_class.columns if c.name in names)]
    return Section("Available", headers=headers, rows=rows, note=note, last_is_total=True)


def capacity(own: OwnRow) -> Section:
    """From totals to the record: (total x ratio) - reserved, less what instances use."""
    rows = []
    for name in own.resource_class.amounts:
        total, reserved, ratio = own.totals.get(name, 0), own.reserved.get(name, 0), own.ratios.get(name, 1.0)
        effective = int(total * ratio) - reserved
        record = own.amounts.get(name, 0)
        parts = (total, reserved, effective, effective - record, record)
        rows.append([name, number(parts[0]), f"{ratio:g}", *(number(part) for part in parts[1:])])
    return Section(
        "Capacity", headers=["", "Total", "Ratio", "Reserved", "For sale", "Used by instances", "Own record"], rows=rows
    )


def on_it(tree: Tree, own: OwnRow) -> Section:
    """Its instances; its claims are in the arithmetic."""
    rows = [
        [request_link(r.request_id), r.consumer, r.project, r.state, words(r.gives_back)]
        for r in tree.instances_on(own.id)
    ]
    headers = ["Request", "Consumer", "Project", "State", "Gives back"]
    return Section("Instances", headers=headers, rows=rows, empty="No instances.")


def _claim(claim: Record) -> SafeString:
    return format_html("claim {} ({}, {})", claim_link(claim), claim.state, claim.consumer)

"""The admin's page of a drain: what it touches, the question, and then how far it is until nothing is left."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.admin.models import CHANGE
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.html import format_html

from conductor.drain import holders, requests_on, touched
from providers.admin_fields import label_field
from providers.admin_filters import REFUSED
from providers.admin_sections import link, number, short
from providers.drain import Drain, read_drain, start_drain
from providers.operate_sections import drain_progress, in_words, pages
from providers.refusals import Invalid
from providers.register import DRAINING
from store.failures import StoreUnavailable
from store.record_admin import RecordAdmin
from store.record_history import write_entry
from store.record_lists import CURSOR
from store.record_pages import Section, Shown
from store.record_roles import ADMIN, OPERATOR, role_of

A_PAGE = 50  # requests


class DrainForm(forms.Form):
    reason = label_field("Reason", help_text="Stands in its state, and in its history.")


def drain_page(admin: RecordAdmin, request: HttpRequest, shown: Shown) -> HttpResponse:
    """Asks, and begins it; while it drains, tells how far it is. Raises NotFound."""
    may = role_of(request.user) in (OPERATOR, ADMIN)
    if request.method == "POST" and not may:
        raise PermissionDenied
    provider_id = shown.record["id"]
    form = DrainForm(request.POST if request.method == "POST" else None)
    refusal = ""
    if request.method == "POST" and form.is_valid():
        why = form.cleaned_data["reason"]
        try:
            begun = start_drain(UUID(provider_id), why, request.user.get_username())
        except REFUSED as error:
            refusal = f"Not done: {error}"
        except StoreUnavailable as error:
            refusal = f"{error}. Whether it drains is not known: look again, and repeat."
        else:
            write_entry(request.user, admin.model, shown, CHANGE, f"Drained: {why}")
            text = "It is empty." if begun.empty else f"It drains: {in_words(begun)} left."
            admin.message_user(request, text, messages.SUCCESS)
            return redirect(request.path)
    drain = read_drain(UUID(provider_id))
    drains = drain.own.row["state"] == DRAINING
    question = _told(drain) if drains else f"Drain “{shown}”? It gets no new claims; nothing is moved or destroyed."
    return admin.confirm(
        request,
        shown,
        "Drain",
        question,
        "Yes, drain it" if may and not drains else "",
        form=form,
        refusal=refusal,
        sections=[*([drain_progress(drain)] if drains else []), *touched_sections(drain, request)],
    )


def _told(drain: Drain) -> str:
    if drain.empty:
        return "It drains, and is empty. It can be taken out, or enabled again on its own page."
    return f"It drains: {in_words(drain)} left. Load this page again to see how far it is."


def touched_sections(drain: Drain, request: HttpRequest) -> list[Section]:
    """Whose it is, and the requests, a page at a time."""
    cursor, note = request.GET.get(CURSOR, ""), ""
    try:
        page = touched(drain, A_PAGE, cursor or None)
    except Invalid:
        cursor, page = "", touched(drain, A_PAGE)
    if cursor or page.next:
        note = format_html("{} requests in all. {}", requests_on(drain), pages(cursor, page.next))
    rows: list[list[Any]] = [
        [
            link("conductor_requestrecord_change", one.request_id, short(one.request_id)),
            number(one.claims),
            number(one.instances),
            number(one.elsewhere),
            one.state or "not known any more",
            one.project,
            one.consumer,
        ]
        for one in page.results
    ]
    headers = ["Request", "Claims", "Instances", "Parts elsewhere", "State", "Project", "Consumer"]
    requests = Section("Requests on it", headers=headers, rows=rows, note=note, empty="Nothing is on it.")
    return [_whose(drain), requests] if rows else [requests]


def _whose(drain: Drain) -> Section:
    largest, more = holders(drain)
    rows = [
        [one.project, one.consumer, number(one.requests), number(one.claims), number(one.instances)] for one in largest
    ]
    headers = ["Project", "Consumer", "Requests", "Claims", "Instances"]
    return Section("Whose it is", headers=headers, rows=rows, note=f"And {more} with less." if more else "")

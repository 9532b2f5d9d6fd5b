"""The admin's page of the audit: looks at a cell part by part, shows each finding with its repair, and does those that
are chosen."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin.models import CHANGE
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse

from conductor.audit import look, repair, stretches
from conductor.finding import KINDS, Finding
from conductor.models import RequestRecord
from providers import cells
from providers.admin_fields import label_field
from providers.admin_sections import request_link
from providers.refusals import NotFound
from store.record_admin import RecordAdmin
from store.record_history import write_entry
from store.record_pages import Shown
from store.record_roles import ADMIN, role_of

SECONDS = 2.0  # that one page looks
MOST = 200  # findings of one page


class RepairForm(forms.Form):
    reason = label_field("Reason", help_text="Stands in the requests' history and in the admin's log.")


@dataclass(frozen=True, slots=True)
class _Looked:
    """The findings of the parts from `begin` on, up to `end` of `of`."""

    findings: Sequence[Finding]
    begin: int
    end: int
    of: int


def audit_page(admin: RecordAdmin, request: HttpRequest) -> HttpResponse:
    """A GET looks; a POST, an admin's, repairs what it names, if it is still found."""
    if not admin.has_view_permission(request):
        raise PermissionDenied
    known = [one.name for one in cells.all_cells()]
    cell = request.GET.get("cell", "")
    begin = int(at) if (at := request.GET.get("at", "0")).isascii() and at.isdigit() and len(at) < 9 else 0
    looked = None
    form = RepairForm(request.POST if request.method == "POST" else None)
    if cell:
        try:
            looked = _look(cell, begin)
        except NotFound:
            admin.message_user(request, f"There is no cell {cell[:50]}.", messages.WARNING)
            return redirect("admin:conductor_audit")
        if request.method == "POST":
            if role_of(request.user) != ADMIN:
                raise PermissionDenied
            if form.is_valid():
                return _repair(admin, request, looked, form.cleaned_data["reason"])
    context = {
        **admin.admin_site.each_context(request),
        "opts": admin.opts,
        "title": "Audit",
        "cells": known,
        "cell": cell,
        "kinds": KINDS.items(),
        "looked": looked,
        "rows": [_row(one) for one in looked.findings] if looked else [],
        "form": form,
        "may_repair": role_of(request.user) == ADMIN and any(one.do for one in (looked.findings if looked else ())),
        "next_url": _url(cell, looked.end) if looked and looked.end < looked.of else "",
    }
    return TemplateResponse(request, "admin/records/audit.html", context)


def _look(cell: str, begin: int) -> _Looked:
    parts = stretches(cells.find(cell).home)
    until = time.monotonic() + SECONDS
    found: list[Finding] = []
    end = min(begin, len(parts))
    while end < len(parts) and len(found) < MOST and (end == begin or time.monotonic() < until):
        found += look(parts[end])
        end += 1
    return _Looked(found, begin, end, len(parts))


def _row(finding: Finding) -> dict[str, Any]:
    return {
        "key": key_of(finding),
        "kind": finding.kind,
        "what": finding.what,
        "repair": finding.repair or "A person's to decide",
        "request": request_link(finding.request_id) if finding.request_id else None,
        "may": finding.do is not None,
    }


def key_of(finding: Finding) -> str:
    """The same for the same finding at the next look."""
    ids = (finding.provider_id, finding.claim_id, finding.request_id)
    return "|".join([finding.kind, *(str(one or "") for one in ids), "" if any(ids) else finding.what[:80]])


def _repair(admin: RecordAdmin, request: HttpRequest, looked: _Looked, reason: str) -> HttpResponse:
    chosen = set(request.POST.getlist("finding"))
    done, failed = 0, []
    for one in looked.findings:
        if one.do is not None and key_of(one) in chosen:
            try:
                repair(one, f"{request.user.get_username()}: {reason}")
                done += 1
            except Exception as error:  # said below; the others are repaired all the same
                failed.append(f"{one.what}: {error}")
                continue
            if one.request_id is not None:
                what = f"Audit, {one.kind}: {one.repair} ({reason})"
                shown = Shown(one, str(one.request_id), str(one.request_id), RequestRecord._meta)
                write_entry(request.user, RequestRecord, shown, CHANGE, what)
    if done:
        admin.message_user(request, f"{done} repaired.", messages.SUCCESS)
    for text in failed:
        admin.message_user(request, text, messages.ERROR)
    if not chosen:
        admin.message_user(request, "Nothing was chosen.", messages.WARNING)
    return redirect(_url(request.GET["cell"], looked.begin))


def _url(cell: str, at: int) -> str:
    return f"{reverse('admin:conductor_audit')}?cell={cell}&at={at}"

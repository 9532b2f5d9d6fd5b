"""The page of an agent's token in the admin: issued (shown once), replaced, revoked, and who did it."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse

from api import tokens
from api.models import Token
from providers.admin_sections import provider_view, time
from providers.models import RECORDS, OwnClassRecord
from providers.records import OwnRow, read_provider
from providers.refusals import Conflict, NotFound
from store.failures import SchemaMissing, StoreUnavailable
from store.record_history import write_entry
from store.record_pages import Section, Shown
from store.record_roles import ADMIN, role_of

ISSUED, ROTATED, REVOKED = (
    "Agent's token: issued",
    "Agent's token: replaced, the old one stopped working",
    "Agent's token: revoked",
)
SAID = (ISSUED, ROTATED, REVOKED)
ENTRIES = 20


def token_page(site: AdminSite, request: HttpRequest, provider_id: UUID) -> HttpResponse:
    """Everyone with a role sees whether there is a token; admins issue, replace and revoke it."""
    role = role_of(request.user)
    if role is None or (request.method == "POST" and role != ADMIN):
        raise PermissionDenied
    try:
        _, own = read_provider(provider_id)
    except NotFound as error:
        messages.warning(request, f"There is {error} (any more).")
        return redirect("admin:index")
    except (StoreUnavailable, SchemaMissing) as error:
        return _answer(site, request, None, "admin/records/unavailable.html", {"error": str(error)}, status=503)
    if request.method == "POST":
        return _act(site, request, own)
    return _page(site, request, own)


def _act(site: AdminSite, request: HttpRequest, own: OwnRow) -> HttpResponse:
    text = request.POST.get("seen", "")
    seen = int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None
    if "revoke" in request.POST:
        if seen is None or not tokens.revoke(pk=seen, provider_id=own.id):
            return _page(site, request, own, refusal="Nothing was revoked: that token is not the valid one any more.")
        _log(request, own, REVOKED)
        messages.success(request, "The token is revoked: its agent is refused from its next call on.")
        return redirect(f"admin:{provider_view(own.row['resource_class'])}", own.id)
    try:
        issued = tokens.replace(own.id, own.row["name"], seen)
    except Conflict as error:
        # Also when the page that showed a token is loaded again: the token that was shown stays good.
        return _page(site, request, own, refusal=f"Nothing was issued: {error}.")
    said = ROTATED if seen is not None else ISSUED
    _log(request, own, said)
    return _page(site, request, own, issued=issued, said=said)  # not to be stored, as no page of the admin is


def _page(site: AdminSite, request: HttpRequest, own: OwnRow, **more: Any) -> HttpResponse:
    token = tokens.valid_of([own.id]).get(own.id)
    context = {
        "title": "Agent's token",
        "subtitle": own.row["name"],
        "own": own.row,
        "token": token,
        "may_change": role_of(request.user) == ADMIN,
        "provider_view": f"admin:{provider_view(own.row['resource_class'])}",
        "sections": [_state(token), _history(own)],
        **more,
    }
    return _answer(site, request, own, "admin/records/agent_token.html", context)


def _state(token: Token | None) -> Section:
    if token is None:
        return Section("Token", empty="Its agent has no token.")
    used = f"{time(token.last_used_at)}, to a few minutes" if token.last_used_at else "not yet"
    return Section("Token", facts=[("Issued", time(token.created_at)), ("Last used", used)])


def _history(own: OwnRow) -> Section:
    kind = ContentType.objects.get_for_model(_model(own), for_concrete_model=False)
    entries = LogEntry.objects.filter(content_type=kind, object_id=str(own.id), change_message__in=SAID)
    newest = entries.select_related("user").order_by("-action_time")[:ENTRIES]
    rows = [[time(one.action_time), str(one.user), one.change_message] for one in newest]
    note = "On this page. Of what was done by the API or a command, only the times above tell."
    return Section("Who did it", headers=["When", "Who", "What"], rows=rows, note=note, empty="Nobody yet.")


def _log(request: HttpRequest, own: OwnRow, said: str) -> None:
    model = _model(own)
    write_entry(request.user, model, Shown(own, str(own.id), own.row["name"], model._meta), CHANGE, said)


def _model(own: OwnRow) -> Any:
    return RECORDS.get(own.row["resource_class"], OwnClassRecord)


def _answer(
    site: AdminSite, request: HttpRequest, own: OwnRow | None, template: str, context: dict[str, Any], status: int = 200
) -> HttpResponse:
    opts = _model(own)._meta if own is not None else Token._meta
    request.current_app = site.name  # type: ignore[attr-defined]  # as Django's own admin does
    whole = {**site.each_context(request), "opts": opts, **context}
    return TemplateResponse(request, template, whole, status=status)

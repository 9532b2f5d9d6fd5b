"""Providers in the admin, as providers/provider_admin.py shows them, with what only this room knows of: the requests on
them, and their agents' tokens, which go with them."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.contrib.admin import widgets
from django.contrib.admin.models import DELETION
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse

from api import tokens
from api.parse.operate import OF_STATE
from conductor.drain_admin import drain_page, touched_sections
from providers import provider_admin, states_admin
from providers.admin_fields import printable
from providers.admin_filters import REFUSED
from providers.amounts_admin import amounts_page
from providers.changes_admin import changes_page
from providers.decommission import NotEmpty, decommission
from providers.drain import read_drain
from providers.image import Image
from providers.models import RECORDS, OwnClassRecord
from providers.operate_sections import drain_progress
from providers.refusals import NotFound
from providers.register import DRAINING
from providers.resource_classes.registry import BUILT_IN
from providers.subtree import subtree
from store.failures import StoreUnavailable
from store.record_bulk import bulk_page
from store.record_history import write_entry
from store.record_pages import Selection, Shown
from store.record_reachable import reachable
from store.record_roles import ADMIN, OPERATOR, role_of


class DecommissionForm(forms.Form):
    reason = forms.CharField(
        max_length=OF_STATE,
        validators=[printable],
        widget=widgets.AdminTextInputWidget,
        help_text="Stands in its state, and in its history, which stays.",
    )


class Operated:
    """What is done to a provider beside changing its form, a page each."""

    def get_urls(self) -> list[URLPattern]:
        pages = {"drain": self.drain_view, "decommission": self.decommission_view, "changes": self.changes_view}
        return [
            *(
                path(f"<uuid:provider_id>/{name}/", self.admin_site.admin_view(view), name=self._view(name))
                for name, view in pages.items()
            ),
            *(
                [path("amounts/", self.admin_site.admin_view(self.amounts_view), name=self._view("amounts"))]
                if self.class_name in BUILT_IN
                else []
            ),
            *(
                path(
                    f"state/{states_admin.name_of(state)}/",
                    self.admin_site.admin_view(self.state_view),
                    {"state": state},
                    name=self._view(f"state_{states_admin.name_of(state)}"),
                )
                for state in states_admin.PAGES
            ),
            *super().get_urls(),
        ]

    def offered(self) -> Sequence[Selection]:
        """Of an operator's own classes each has other amounts: those are set by the API."""
        states = states_admin.selections(self._view("state"))
        if self.class_name not in BUILT_IN:
            return states
        label = "Reserved amounts and ratios of the chosen…"
        return (*states, Selection(label, self._view("amounts"), states_admin.FIELD, (ADMIN,)))

    def response_change(self, request: HttpRequest, obj: Any) -> HttpResponse:
        for name, value in obj.record["available"].items():
            if value < 0:
                text = f"{name}: available is {value}. Nothing more is claimed until so much came back."
                self.message_user(request, text, messages.WARNING)
        return super().response_change(request, obj)

    def tools(self, request: HttpRequest, record: Image) -> Sequence[tuple[str, str]]:
        role, is_root = role_of(request.user), record["parent"] is None
        label = "Drain…" if record["state"] != DRAINING and role in (OPERATOR, ADMIN) else "What is on it"
        tools = [(label, self._url("drain", record))]
        if is_root and role in (OPERATOR, ADMIN):
            plan = f"{reverse('admin:providers_maintenancerecord_add')}?provider={record['id']}"
            tools.append(("Plan maintenance…", plan))
        if role == ADMIN and self.class_name in BUILT_IN:
            amounts = f"{reverse('admin:' + self._view('amounts'))}?provider={record['id']}"
            tools.append(("Reserve or overcommit…", amounts))
        if role == ADMIN:
            tools.append(("Decommission…", self._url("decommission", record)))
        return [*tools, *super().tools(request, record)]

    def remove(self, record: Image, who: str) -> None:
        try:
            super().remove(record, who)
        except NotFound:
            tokens.revoke(provider_id=record["id"])  # whoever removed it may have died before this
            raise
        tokens.revoke(provider_id=record["id"])

    @reachable
    def drain_view(self, request: HttpRequest, provider_id: UUID) -> HttpResponse:
        return self._page(request, provider_id, drain_page)

    @reachable
    def changes_view(self, request: HttpRequest, provider_id: UUID) -> HttpResponse:
        return self._page(request, provider_id, changes_page)

    @reachable
    def state_view(self, request: HttpRequest, state: str) -> HttpResponse:
        return bulk_page(self, request, states_admin.PAGES[state])

    @reachable
    def amounts_view(self, request: HttpRequest) -> HttpResponse:
        return amounts_page(self, request, BUILT_IN[self.class_name])

    @reachable
    def decommission_view(self, request: HttpRequest, provider_id: UUID) -> HttpResponse:
        if role_of(request.user) != ADMIN:
            raise PermissionDenied
        return self._page(request, provider_id, decommission_page)

    def _page(self, request: HttpRequest, provider_id: UUID, page: Any) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        try:
            return page(self, request, self.shown(self.read(str(provider_id))))
        except NotFound:
            return self.gone(request, str(provider_id))

    def _view(self, name: str) -> str:
        return f"{self.opts.app_label}_{self.opts.model_name}_{name}"

    def _url(self, name: str, record: Image) -> str:
        return reverse(f"admin:{self._view(name)}", args=[record["id"]])


def decommission_page(page: Any, request: HttpRequest, shown: Shown) -> HttpResponse:
    """Asks; then it drains, or is gone. Asked again, it goes on where it was. Raises NotFound."""
    provider_id = UUID(shown.record["id"])
    form = DecommissionForm(request.POST if request.method == "POST" else None)
    refusal = ""
    if request.method == "POST" and form.is_valid():
        why = form.cleaned_data["reason"]
        try:
            decommission(provider_id, why, request.user.get_username(), lambda one: tokens.revoke(provider_id=one))
        except NotEmpty as error:
            refusal = f"Not yet: {error}."
        except REFUSED as error:
            refusal = f"Not done: {error}."
        except StoreUnavailable as error:
            refusal = f"{error}. Whether it was done is not known: look again, and repeat."
        else:
            write_entry(request.user, page.model, shown, DELETION, f"Decommissioned: {why}")
            page.message_user(request, f"“{shown}” is gone, and its agent’s token with it.", messages.SUCCESS)
            return redirect(f"admin:{page._view('changelist')}")
    drain = read_drain(provider_id)
    drains = drain.own.row["state"] == DRAINING
    below = " and what is below it" if len(subtree(drain.tree, provider_id)) > 1 else ""
    question = (
        f"Take “{shown}”{below} away for good? It drains first. When nothing is on it, it is removed, "
        "and its agent’s token is revoked."
    )
    return page.confirm(
        request,
        shown,
        "Decommission",
        question,
        "Yes, remove it" if drain.empty else "Yes, drain it",
        form=form,
        refusal=refusal,
        sections=[*([drain_progress(drain)] if drains else []), *touched_sections(drain, request)],
    )


@admin.register(*RECORDS.values())
class ProviderAdmin(Operated, provider_admin.ProviderAdmin):
    pass


@admin.register(OwnClassRecord)
class OwnClassProviderAdmin(Operated, provider_admin.OwnClassProviderAdmin):
    pass

"""Tokens in the admin: all of them are seen and revoked in a list, and an agent's is issued on a page of its provider.

A user's token is issued by command, where it can be shown once. Those with the role `admin` see and revoke them.
"""

from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path

from api import tokens
from api.agent_token_admin import token_page
from api.models import Token
from api.provider_admin import OwnClassProviderAdmin, ProviderAdmin
from store.record_roles import ADMIN, role_of

__all__ = ["OwnClassProviderAdmin", "ProviderAdmin", "TokenAdmin"]


@admin.register(Token)
class TokenAdmin(admin.ModelAdmin):
    list_display = ("name", "user", "provider_id", "created_at", "last_used_at", "revoked_at")
    list_filter = (("user", admin.RelatedOnlyFieldListFilter), ("revoked_at", admin.EmptyFieldListFilter))
    list_select_related = ("user",)
    search_fields = ("name", "provider_id")
    readonly_fields = list_display
    fields = list_display
    actions = ("revoke",)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.provider_view)
        return [path("provider/<uuid:provider_id>/", view, name="api_token_provider"), *super().get_urls()]

    def provider_view(self, request: HttpRequest, provider_id: UUID) -> HttpResponse:
        return token_page(self.admin_site, request, provider_id)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return role_of(request.user) == ADMIN

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return role_of(request.user) == ADMIN

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return role_of(request.user) == ADMIN  # revoking: there is no field to change

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    @admin.action(description="Revoke the selected tokens", permissions=["change"])
    def revoke(self, request: HttpRequest, chosen: QuerySet[Token]) -> None:
        count = tokens.revoke(pk__in=list(chosen.values_list("pk", flat=True)))
        self.message_user(request, f"{count} tokens revoked")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # revoking keeps the trace of who had one

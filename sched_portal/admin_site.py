"""The admin's site: what operators look for first stands first."""

from typing import Any

from django.contrib.admin import AdminSite
from django.http import HttpRequest

ORDER = ("providers", "claims", "conductor", "events", "api", "auth", "admin")


class OperatorsSite(AdminSite):
    """Django's own, in the order of ORDER; applications that are not named there come last, by name."""

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[dict[str, Any]]:
        found = super().get_app_list(request, app_label)
        return sorted(found, key=lambda app: ORDER.index(app["app_label"]) if app["app_label"] in ORDER else len(ORDER))

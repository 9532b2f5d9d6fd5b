"""The pages: all cells, and one cell. What a cell's page shows comes over its WebSocket; these give it a frame."""

import functools
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.contrib.auth.views import LoginView, LogoutView
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import NoReverseMatch, reverse
from django.utils.decorators import method_decorator

from dashboard.message import units
from dashboard.overview import overview as read_overview
from dashboard.permit import refusal
from providers import cells
from providers.refusals import NotFound
from store.failures import SchemaMissing, StoreUnavailable
from store.record_roles import role_of

View = Callable[..., HttpResponseBase]
NO_ROLE = "Your user has no role yet: an admin gives it viewer, operator or admin."
ANY_ID = "00000000-0000-0000-0000-000000000000"  # the scripts put an id in its place

LINKED = (
    ("compute", "providers", "computerecord"),
    ("baremetal", "providers", "baremetalrecord"),
    ("block_storage", "providers", "blockstoragerecord"),
    ("network", "providers", "networkrecord"),
    ("own", "providers", "ownclassrecord"),
    ("claim", "claims", "claimrecord"),
    ("request", "conductor", "requestrecord"),
)


def guarded(view: View) -> View:
    """No cache keeps these pages, whatever Django's own view says."""

    @functools.wraps(view)
    def respond(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        response = view(request, *args, **kwargs)
        response["Cache-Control"] = "no-store"
        return response

    return respond


def for_viewers(view: View) -> View:
    """Login first; then a role; and one plain page when Cassandra is away."""

    @guarded
    @login_required(login_url="dashboard:login")
    @functools.wraps(view)
    def respond(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if refusal(role_of(request.user) or "") is not None:
            return say(request, 403, "No role", NO_ROLE)
        try:
            return view(request, *args, **kwargs)
        except (StoreUnavailable, SchemaMissing) as error:
            return say(request, 503, "Cassandra does not answer", f"{error}. Load the page again.")

    return respond


@for_viewers
def overview(request: HttpRequest) -> HttpResponse:
    said = {"lines": read_overview(), "units": units(), "add_cell": _admin("cellrecord_add")}
    return _page(request, "dashboard/overview.html", said)


@for_viewers
def cell(request: HttpRequest, name: str) -> HttpResponse:
    try:
        found = cells.find(name)
    except NotFound:
        return say(request, 404, "No such cell", f"There is no cell {name}.")
    is_staff = request.user.is_staff
    return _page(
        request,
        "dashboard/cell.html",
        {
            "cell": found,
            "any_id": ANY_ID,
            "paths": ("snapshot", "poll", "past", "figures", "events"),
            "links": {kind: _admin(f"{model}_change", ANY_ID, app) for kind, app, model in LINKED} if is_staff else {},
            "add_host": _admin("computerecord_add") if is_staff else "",
        },
    )


def _admin(name: str, object_id: str = "", app: str = "providers") -> str:
    """The admin's page, or nothing where it has none."""
    try:
        return reverse(f"admin:{app}_{name}", args=[object_id] if object_id else [])
    except NoReverseMatch:
        return ""


def say(request: HttpRequest, status: int, title: str, text: str) -> HttpResponse:
    return _page(request, "site/message.html", {"title": title, "text": text}, status)


def _page(request: HttpRequest, template: str, context: dict[str, Any], status: int = 200) -> HttpResponse:
    return render(request, template, {"version": _version(), **context}, status=status)


def _version() -> str:
    """Names the state of the scripts and styles in their addresses, so that no browser mixes old and new ones."""
    files = sorted((Path(settings.BASE_DIR) / "static" / "dashboard").glob("*"))
    seen = hashlib.sha256()
    for file in files:
        status = file.stat()
        seen.update(f"{file.name} {status.st_size} {status.st_mtime_ns}\n".encode())
    return seen.hexdigest()[:12]


@method_decorator(guarded, name="dispatch")
class Login(LoginView):
    template_name = "site/login.html"
    redirect_authenticated_user = True

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return {"version": _version(), **super().get_context_data(**kwargs)}


@method_decorator(guarded, name="dispatch")
class Logout(LogoutView):
    next_page = "dashboard:login"

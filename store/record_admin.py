"""The admin base for records in Cassandra: Django's look, permissions and history, over domain functions.

Django's own change list, forms and deletion speak SQL (and the engine's answers to them are broken since Django 5.0), and
what they save is unconditional. Here a subclass says how to list, read, create, change and remove; the pages are ours.
"""

import functools
import json
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlencode

from django import forms
from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.contrib.admin.helpers import AdminForm
from django.contrib.admin.models import ADDITION, CHANGE, DELETION, LogEntry
from django.contrib.admin.utils import construct_change_message, quote, unquote
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse

from store.failures import SchemaMissing, StoreUnavailable
from store.record_pages import ListFilter, ListPage, Section, Shown
from store.record_roles import ADMIN, OPERATOR, role_of

if TYPE_CHECKING:
    _ModelAdmin = ModelAdmin[Any]
else:
    _ModelAdmin = ModelAdmin

VERSION = "state_version"  # the hidden field with the version that a form was opened with
SEARCH, CURSOR = "q", "next"


class _NoChecks:
    """Django's checks of an admin class look for SQL fields."""

    def check(self, admin_obj: Any, **kwargs: Any) -> list[Any]:
        return []


def _page(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """A view that says so when Cassandra is not there, instead of failing."""

    @functools.wraps(view)
    def guarded(self: "RecordAdmin", request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return view(self, request, *args, **kwargs).render() if view.__name__ != "" else HttpResponse()
        except (StoreUnavailable, SchemaMissing) as error:
            return self.unavailable(request, error)

    return guarded


class RecordAdmin(_ModelAdmin):
    """Subclass it with the hooks below, and register it for a RecordModel, which gives it its names and urls.

    `not_found`, `refused`: the domain's errors. Those in `refused` become form errors; one with a `field` goes to the form
    field that `field_of` says.
    """

    checks_class = _NoChecks
    not_found: ClassVar[tuple[type[Exception], ...]] = ()
    refused: ClassVar[tuple[type[Exception], ...]] = ()
    columns: ClassVar[Sequence[str]] = ()
    """The list's columns: methods of the admin (with `short_description`) or keys of the record."""
    numbers: ClassVar[frozenset[str]] = frozenset()
    search_help: ClassVar[str] = ""
    """What the search looks for; empty: there is no search."""
    page_size: ClassVar[int] = 50
    writable: ClassVar[bool] = True
    operator_fields: ClassVar[frozenset[str]] = frozenset()
    """The form fields that an operator may change (draining); all others are for admins."""

    # What a subclass says.

    def list_filters(self) -> Sequence[ListFilter]:
        return ()

    def list_page(self, filters: Mapping[str, str], search: str, limit: int, cursor: str | None) -> ListPage:
        raise NotImplementedError

    def read(self, key: str) -> Any:
        """The record of a url's key. Raises one of `not_found`."""
        raise NotImplementedError

    def key_of(self, record: Any) -> str:
        raise NotImplementedError

    def name_of(self, record: Any) -> str:
        return self.key_of(record)

    def version_of(self, record: Any) -> str:
        """What a form is opened with and saved against; empty: this record has none."""
        return ""

    def make_form(self, record: Any | None, data: Mapping[str, Any] | None) -> forms.Form:
        """The form for a new record (None) or an existing one, bound to `data` when that is given."""
        raise NotImplementedError

    def form_sections(self, form: forms.Form) -> Sequence[tuple[str | None, dict[str, Any]]]:
        """The form's fields, grouped, as Django's `fieldsets`."""
        return [(None, {"fields": [name for name in form.fields if name != VERSION]})]

    def sections(self, record: Any) -> Sequence[Section]:
        """What a record's page shows besides the form."""
        return ()

    def create(self, cleaned: Mapping[str, Any]) -> Any:
        """Makes the record by domain functions; returns it. Raises one of `refused`."""
        raise NotImplementedError

    def change(self, record: Any, cleaned: Mapping[str, Any]) -> Any:
        """Changes the record by domain functions; `cleaned[VERSION]` is the version the form was opened with."""
        raise NotImplementedError

    def remove(self, record: Any) -> None:
        raise NotImplementedError

    def field_of(self, error: Exception) -> str | None:
        """The form field that a refusal is about."""
        return getattr(error, "field", None)

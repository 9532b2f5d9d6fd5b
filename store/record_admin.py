"""The admin base for records in Cassandra: Django's look, permissions and history, over domain functions.

Django's own change list, forms and deletion speak SQL (the engine's answers to them are broken since Django 5.0), and
what they save is unconditional. Here a subclass says how to list, read, create, change and remove; the pages are ours.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.contrib.admin.models import ADDITION, CHANGE, DELETION
from django.contrib.admin.utils import construct_change_message, quote, unquote
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse

from store.record_export import FORMAT, export
from store.record_forms import VERSION, WHO, carry_version, form_context, open_only
from store.record_history import write_entry
from store.record_lists import list_context, what_is_asked
from store.record_pages import ListFilter, ListPage, Section, Selection, Shown
from store.record_reachable import reachable
from store.record_roles import ADMIN, OPERATOR, role_of
from store.record_saving import save

KEY = "id"  # the column of an export with a record's key

if TYPE_CHECKING:
    _ModelAdmin = ModelAdmin[Any]
else:
    _ModelAdmin = ModelAdmin


class _NoChecks:
    """Django's checks of an admin class look for SQL fields."""

    def check(self, admin_obj: Any, **kwargs: Any) -> list[Any]:
        return []


class RecordAdmin(_ModelAdmin):
    """Subclass it with the hooks below, and register it for a RecordModel, which gives it its names and urls.

    `not_found`, `refused`: the domain's errors. Those in `refused` become form errors, beside the field that `field_of`
    says or on top of the form.
    """

    checks_class = _NoChecks
    change_form_template = add_form_template = "admin/records/form.html"
    not_found: ClassVar[tuple[type[Exception], ...]] = ()
    refused: ClassVar[tuple[type[Exception], ...]] = ()
    columns: ClassVar[tuple[str, ...]] = ()
    """The list's columns: methods of the admin (with `short_description`) or keys of the record."""
    numbers: ClassVar[frozenset[str]] = frozenset()
    """Those of them that are right-aligned."""
    search_help: ClassVar[str] = ""
    """What the search looks for; empty: there is no search."""
    page_size: ClassVar[int] = 50
    key_is_shown: ClassVar[bool] = False
    """True: a column has the whole key, so an export needs no column `id` for it."""
    writable: ClassVar[bool] = True
    changeable: ClassVar[bool] = True
    """False: records are made and deleted, but not changed."""
    version_label: ClassVar[str] = VERSION
    operator_fields: ClassVar[frozenset[str]] = frozenset()
    """The form fields that an operator may change (draining); all others are for admins."""
    list_template: ClassVar[str] = "admin/records/list.html"
    selections: ClassVar[Sequence[Selection]] = ()
    """What operators and admins may do with several records of the list."""

    # What a subclass says.

    def list_filters(self) -> Sequence[ListFilter]:
        return ()

    def list_page(self, filters: Mapping[str, str], search: str, limit: int, cursor: str | None) -> ListPage:
        raise NotImplementedError

    def list_columns(self) -> tuple[str, ...]:
        return self.columns

    def offered(self) -> Sequence[Selection]:
        return self.selections

    def value(self, record: Any, column: str) -> Any:
        """A cell of the list."""
        method = getattr(self, column, None)
        if method is not None:
            return method(record)
        return record[column] if isinstance(record, Mapping) else getattr(record, column)

    def export_columns(self) -> tuple[str, ...]:
        """The columns of an exported list."""
        return (*([] if self.key_is_shown else [KEY]), *self.list_columns())

    def exported(self, record: Any, column: str) -> Any:
        """A cell of the exported list."""
        return self.key_of(record) if column == KEY and not self.key_is_shown else self.value(record, column)

    def read(self, key: str) -> Any:
        """The record of a url's key. Raises one of `not_found`."""
        raise NotImplementedError

    def key_of(self, record: Any) -> str:
        raise NotImplementedError

    def name_of(self, record: Any) -> str:
        return self.key_of(record)

    def url_of(self, record: Any) -> str:
        """The page that the list leads to."""
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_change", args=(quote(self.key_of(record)),))

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

    def tools(self, request: HttpRequest, record: Any) -> Sequence[tuple[str, str]]:
        """(label, url) of the links on top of a record's page."""
        return ()

    def create(self, cleaned: Mapping[str, Any]) -> Any:
        """Makes the record by domain functions; returns it. `cleaned[WHO]` is the user. Raises one of `refused`."""
        raise NotImplementedError

    def change(self, record: Any, cleaned: Mapping[str, Any]) -> Any:
        """Changes the record by domain functions; `cleaned[VERSION]` is the version the form was opened with."""
        raise NotImplementedError

    def remove(self, record: Any, who: str) -> None:
        raise NotImplementedError

    def field_of(self, error: Exception) -> str | None:
        """The form field that a refusal is about."""
        return getattr(error, "field", None)

    # Who may what.

    def has_module_permission(self, request: HttpRequest) -> bool:
        return role_of(request.user) is not None

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return role_of(request.user) is not None

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.writable and role_of(request.user) == ADMIN

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        role = role_of(request.user)
        return (
            self.writable and self.changeable and (role == ADMIN or (role == OPERATOR and bool(self.operator_fields)))
        )

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.writable and role_of(request.user) == ADMIN

    # The pages.

    def get_object(self, request: HttpRequest, object_id: str, from_field: Any = None) -> Any:
        try:
            return self.shown(self.read(object_id))
        except self.not_found:
            return None

    @reachable
    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        if not self.has_view_permission(request):
            raise PermissionDenied
        filters, asked, search = what_is_asked(self, request)
        if FORMAT in request.GET:
            return export(self, request, asked, search)
        context = list_context(self, request, filters, asked, search)
        return self._answer(request, self.list_template, context)

    @reachable
    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        shown = self.get_object(request, unquote(object_id)) if object_id else None
        if object_id and shown is None:
            return self.gone(request, object_id)
        may_write = self.has_change_permission(request, shown) if shown else self.has_add_permission(request)
        may_see = self.has_view_permission(request, shown) if shown and request.method == "GET" else may_write
        if not may_see:
            raise PermissionDenied
        if not self.writable:
            return self._answer(request, "admin/records/detail.html", self._facts(request, shown))
        form = self._form(request, shown, may_write)
        if request.method == "POST" and form.is_valid():
            form.cleaned_data[WHO] = request.user.get_username()
            saved = save(self, form, shown)
            if saved is not None:
                said = construct_change_message(form, [], not shown)
                write_entry(request.user, self.model, saved, CHANGE if shown else ADDITION, said)
                return self.response_change(request, saved) if shown else self.response_add(request, saved)
        return self._form_page(request, form, shown)

    @reachable
    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        shown = self.get_object(request, unquote(object_id))
        if shown is None:
            return self.gone(request, object_id)
        if not self.has_delete_permission(request, shown):
            raise PermissionDenied
        refusal = ""
        if request.method == "POST":
            try:
                self.remove(shown.record, request.user.get_username())
                write_entry(request.user, self.model, shown, DELETION, [])
                return self.response_delete(request, str(shown), shown.pk)
            except self.not_found:
                return self.gone(request, object_id)
            except self.refused as error:
                refusal = f"Not deleted: {error}"
        question = f"Delete the {self.opts.verbose_name} “{shown}”? It is refused while anything still uses it."
        return self.confirm(request, shown, "Delete", question, "Yes, delete it", refusal=refusal)

    @reachable
    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        return super().history_view(request, object_id, extra_context)

    def unavailable(self, request: HttpRequest, error: Exception) -> HttpResponse:
        """Cassandra, or the cell's data centre, does not answer: said plainly, with a way to try again."""
        context = {"title": "Not reachable", "error": str(error)}
        answer = self._answer(request, "admin/records/unavailable.html", context, status=503)
        answer["Retry-After"] = "5"
        return answer

    def confirm(
        self, request: HttpRequest, shown: Shown | None, verb: str, question: str, yes: str, **context: Any
    ) -> HttpResponse:
        """Asks before something is done that cannot be taken back. `shown`: the record it is about, None: several."""
        facts = self._facts(request, shown) if shown else {}
        asked = {"title": f"{verb} {self.opts.verbose_name}", "verb": verb, "question": question, "yes": yes}
        return self._answer(request, "admin/records/confirm.html", {**facts, **asked, **context})

    # How they are made.

    def shown(self, record: Any) -> Shown:
        return Shown(record, self.key_of(record), self.name_of(record), self.opts)

    def gone(self, request: HttpRequest, key: str) -> HttpResponse:
        if role_of(request.user) is None:
            raise PermissionDenied
        self.message_user(request, f"There is no {self.opts.verbose_name} {unquote(key)} (any more).", messages.WARNING)
        return redirect(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist")

    def _answer(
        self, request: HttpRequest, template: str, context: Mapping[str, Any], status: int = 200
    ) -> HttpResponse:
        whole = {**self.admin_site.each_context(request), "opts": self.opts, "is_popup": False, **context}
        whole["has_add_permission"] = self.has_add_permission(request)
        whole["has_view_permission"] = self.has_view_permission(request)
        whole["search_help"] = self.search_help
        request.current_app = self.admin_site.name  # as Django's own admin does
        return TemplateResponse(request, template, whole, status=status)

    def _facts(self, request: HttpRequest, shown: Shown | None) -> dict[str, Any]:
        try:
            sections = self.sections(shown.record) if shown else ()
        except self.not_found as error:  # removed since it was read
            sections = [Section("Removed", empty=f"{error} (any more).")]
        return {
            "original": shown,
            "title": str(shown),
            "sections": sections,
            "tools": self.tools(request, shown.record) if shown else (),
            "has_delete_permission": self.has_delete_permission(request, shown),
        }

    def _form(self, request: HttpRequest, shown: Shown | None, may_write: bool) -> forms.Form:
        form = self.make_form(shown.record if shown else None, request.POST if request.method == "POST" else None)
        if shown:
            carry_version(form, self.version_of(shown.record))
        if not may_write:
            open_only(form, frozenset())
        elif role_of(request.user) == OPERATOR:
            open_only(form, self.operator_fields)
        return form

    def _form_page(self, request: HttpRequest, form: forms.Form, shown: Shown | None) -> HttpResponse:
        whole = {**self.admin_site.each_context(request), **self._facts(request, shown)}
        context = whole | form_context(self, request, form, shown)
        return self.render_change_form(request, context, add=not shown, change=bool(shown), obj=shown)

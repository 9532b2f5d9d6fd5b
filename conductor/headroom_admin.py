"""The admin's page of headroom: a form for one shape, and under it the shapes that were asked for lately."""

from typing import Any

from django import forms
from django.contrib.admin import widgets
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from conductor.headroom import Headroom, headroom, headroom_of_recent
from conductor.headroom_text import HEADERS, how_far, rows_of, title_of
from conductor.types import ScheduleRequest
from providers import cells
from providers.admin_fields import LabelsField, choices, label_field
from providers.inventory import LARGEST
from providers.resource_classes.registry import all_classes, resource_class
from scheduler.types import Resource
from store.record_admin import RecordAdmin
from store.record_pages import Section

PROJECT = "default"


class ShapeForm(forms.Form):
    """A shape, as a query: amounts are words like `vcpus=2`, divided by spaces or commas."""

    resource_class = forms.ChoiceField(label="Class", help_text="Of which each unit would be.")
    amounts = forms.CharField(
        label="Amounts",
        max_length=1000,
        widget=widgets.AdminTextInputWidget(attrs={"placeholder": "vcpus=2 memory_mb=4096"}),
        help_text="What one unit takes.",
    )
    required = LabelsField(label="Required traits", required=False, help_text="Each of them. Separated by commas.")
    forbidden = LabelsField(label="Forbidden traits", required=False, help_text="None of them. Separated by commas.")
    project = label_field("Project", required=False, help_text="Whose request it would be.")
    cell = forms.ChoiceField(label="Cell", required=False, help_text="All: a line for each.")

    def __init__(self, data: Any) -> None:
        super().__init__(data)
        self.fields["resource_class"].choices = choices([one.name for one in all_classes()])  # type: ignore[attr-defined]
        self.fields["cell"].choices = [("", "All"), *choices([one.name for one in cells.all_cells()])]  # type: ignore[attr-defined]

    def clean_amounts(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for word in self.cleaned_data["amounts"].replace(",", " ").split():
            name, _, value = word.partition("=")
            if not (value.isascii() and value.isdigit() and len(value) < 20 and int(value) <= LARGEST):
                raise ValidationError(f"{word[:50]}: say it like vcpus=2.")
            found[name] = int(value)
        return {name: value for name, value in found.items() if value}

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        name, amounts = cleaned.get("resource_class"), cleaned.get("amounts")
        if name and amounts is not None:
            known = resource_class(name).amounts
            if not amounts or set(amounts) - set(known):
                self.add_error("amounts", f"Amounts of {name} are {', '.join(known)}.")
        return cleaned

    @property
    def request(self) -> ScheduleRequest:
        given = self.cleaned_data
        required, forbidden = frozenset(given["required"]), frozenset(given["forbidden"])
        resource = Resource(given["resource_class"], given["amounts"], required=required, forbidden=forbidden)
        project = given["project"] or PROJECT
        return ScheduleRequest("", project, (resource,), {}, "", cell=given["cell"])


def headroom_page(admin: RecordAdmin, request: HttpRequest) -> HttpResponse:
    """A GET with a shape in its query asks about that; without one about what was asked for lately."""
    if not admin.has_view_permission(request):
        raise PermissionDenied
    form = ShapeForm(request.GET if "amounts" in request.GET else None)
    sections: list[Section] = []
    if not form.is_bound:
        sections = _sections(headroom_of_recent("", PROJECT), "Nothing was asked for lately.")
    elif form.is_valid():
        sections = _sections(headroom(form.request), "")
    context = {
        **admin.admin_site.each_context(request),
        "opts": admin.opts,
        "title": "Headroom",
        "form": form,
        "sections": sections,
    }
    return TemplateResponse(request, "admin/records/headroom.html", context)


def _sections(found: Headroom, empty: str) -> list[Section]:
    headers = [header.capitalize() for header in HEADERS]
    sections = [
        Section(
            title_of(shape), headers=headers, rows=list(rows_of(shape)), empty="No cell is enabled.",
            last_is_total=len(shape.cells) > 1,
        )
        for shape in found.shapes
    ]  # fmt: skip
    return [*sections, Section("What this rests on", note=how_far(found), empty=empty if not sections else "")]

"""The admin's page of a group of requests: found by project and id, with its rule, its members and their places."""

from collections import Counter
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse

from claims.groups import POLICIES_1_1, SCOPES, Group, Membership, members
from conductor.membership import group_of
from conductor.outcome import parts_of
from conductor.rows import RequestRow, find
from conductor.types import RequestView
from providers.admin_fields import choices, label_field
from providers.admin_filters import REFUSED, uuid_of
from providers.admin_sections import link, number, provider_link, request_link
from providers.records import locate
from providers.refusals import NotFound
from scheduler.types import AFFINITY, ANTI_AFFINITY, SPREAD
from store.record_admin import RecordAdmin
from store.record_pages import Section

SHOWN = 200  # members
RULES = {
    AFFINITY: "all on one {}",
    ANTI_AFFINITY: "each on another {}",
    f"soft-{AFFINITY}": "on one {}, if that can be",
    f"soft-{ANTI_AFFINITY}": "each on another {}, if that can be",
    SPREAD: "no {0} has more than so many members more than the emptiest {0}",
}


class GroupForm(forms.Form):
    """Which group, as a query; the same id with another policy or scope is another group."""

    project = label_field("Project", help_text="Whose group it is.")
    id = label_field("Id", help_text="As in the request’s group.")
    policy = forms.ChoiceField(
        required=False, choices=[("", "Any"), *choices(POLICIES_1_1)], help_text="Its rule: kept together, or apart."
    )
    scope = forms.ChoiceField(
        required=False,
        choices=[("", "Any"), *choices(SCOPES)],
        help_text="What the rule counts by.",
    )

    @property
    def groups(self) -> list[Group]:
        """Those that it could be: 15 at most, a partition each."""
        given = self.cleaned_data
        policies = [given["policy"]] if given["policy"] else POLICIES_1_1
        scopes = [given["scope"]] if given["scope"] else SCOPES
        return [Group(given["project"], given["id"], policy, scope) for policy in policies for scope in scopes]


def group_page(admin: RecordAdmin, request: HttpRequest) -> HttpResponse:
    """A GET with a group in its query shows it; without one it asks which."""
    if not admin.has_view_permission(request):
        raise PermissionDenied
    form = GroupForm(request.GET if "id" in request.GET else None)
    sections: list[Section] = []
    refusal = ""
    if form.is_bound and form.is_valid():
        try:
            sections = [one for group in form.groups for one in _sections(group)]
        except REFUSED as error:
            refusal = str(error)
        if not sections and not refusal:
            sections = [Section("Members", empty="There is no such group: nobody is in it.")]
    context = {
        **admin.admin_site.each_context(request),
        "opts": admin.opts,
        "title": "Groups",
        "form": form,
        "sections": sections,
        "refusal": refusal,
    }
    return TemplateResponse(request, "admin/records/groups.html", context)


def group_url(record: RequestView) -> str:
    """The page of the group that a request's body names; empty: none."""
    named: Mapping[str, Any] | None = record.body.get("group")
    if not named:
        return ""
    asked = {"project": record.project, "id": named["id"], "policy": named["policy"]}
    return f"{reverse('admin:conductor_groups')}?{urlencode({**asked, 'scope': named.get('scope', 'host')})}"


def _sections(group: Group) -> list[Section]:
    found = members(group)
    if not found:
        return []
    shown = found[:SHOWN]
    requests = {one: find(one) for one in dict.fromkeys(member.request_id for member in shown)}
    counts = Counter(member.place for member in found)
    facts = [
        ("Policy", group.policy),
        ("Scope", group.scope),
        ("Rule", RULES[group.policy].format(group.scope)),
        *_skew(group, [row for row in requests.values() if row is not None]),
        ("Members", number(len(found))),
        (f"{group.scope.capitalize()}s", number(len(counts))),
    ]
    places = {place: _place(group.scope, place) for place in dict.fromkeys(member.place for member in shown)}
    rows = [_row(one, places[one.place], requests[one.request_id], counts[one.place]) for one in shown]
    headers = ["Claim", "Request", "State", "Consumer", group.scope.capitalize(), "Provider", "Members there"]
    note = f"The first {SHOWN} of {len(found)}." if len(found) > SHOWN else ""
    title = f"{group.id}: {group.policy} by {group.scope}"
    return [Section(title, facts=facts), Section("Members", headers=headers, rows=rows, note=note)]


def _skew(group: Group, rows: list[RequestRow]) -> list[tuple[str, Any]]:
    """Each request brings its own; they are in the order of the members."""
    if group.policy != SPREAD:
        return []
    asked = sorted({found.max_skew for row in rows if (found := group_of(row)) is not None})
    return [("At most more than the emptiest", ", ".join(str(one) for one in asked) or None)]


def _place(scope: str, place: str) -> Any:
    if scope != "host":
        return place
    try:
        root = locate(uuid_of(place))
    except NotFound:
        return place
    return provider_link(root.resource_class, root.provider_id, place)


def _row(one: Membership, place: Any, row: RequestRow | None, there: int) -> list[Any]:
    part = next((part for part in parts_of(row) if part.claim_id == one.claim_id), None) if row else None
    return [
        link("claims_claimrecord_change", one.claim_id, one.claim_id),
        request_link(one.request_id),
        row.state if row else "not known any more",
        row.consumer if row else None,
        place,
        provider_link(part.resource_class, part.provider_id, part.provider_name) if part else None,
        number(there),
    ]

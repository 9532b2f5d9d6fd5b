"""The admin's page that explains a request as things are now: who fits, why others do not, what would make it fit, and
any provider's reason.
"""

from collections.abc import Collection
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse

from api.parse.stored import asked_again
from api.problems import Refused
from conductor.explain import Reason, explain_request
from conductor.explain_sections import explanation_sections
from conductor.find import read_request
from conductor.models import RequestRecord
from conductor.types import RequestView
from providers.admin_sections import provider_link, words
from providers.find import ProviderFilter, list_providers
from providers.refusals import Invalid, NotFound
from store.failures import SchemaMissing, StoreUnavailable
from store.record_pages import Section
from store.record_roles import role_of

NAMESAKES = 20  # providers of one name that are told of


def explain_page(request: HttpRequest, request_id: UUID) -> HttpResponse:
    """Everyone with a role reads it. `provider` in the query: a provider's name or id, whose reason is told as well."""
    if role_of(request.user) is None:
        raise PermissionDenied
    named = request.GET.get("provider", "").strip()[:255]
    context = {
        **admin.site.each_context(request),
        "opts": RequestRecord._meta,
        "title": "Explanation",
        "request_id": request_id,
        "named": named,
    }
    try:
        sections, refusal = _sections(read_request(request_id), named)
    except NotFound as error:
        messages.warning(request, f"There is {error} (any more).")
        return redirect("admin:conductor_requestrecord_changelist")
    except (StoreUnavailable, SchemaMissing) as error:
        return TemplateResponse(request, "admin/records/unavailable.html", context | {"error": str(error)}, status=503)
    return TemplateResponse(request, "admin/records/explain.html", context | {"sections": sections, "refusal": refusal})


def _sections(view: RequestView, named: str) -> tuple[list[Section], str]:
    try:
        wanted = asked_again(view)
    except Refused as refused:
        return [], f"This release does not take the request any more: {refused.problem.detail}"
    refusal, reasons = "", []
    try:
        explanations, reasons = explain_request(wanted, _ids(named, {r.resource_class for r in wanted.resources}))
    except (NotFound, Invalid) as error:
        refusal = f"{error}."
        try:
            explanations, _ = explain_request(wanted, [])
        except (NotFound, Invalid) as error:  # the cell or a request that it names is gone
            return [], f"{error}."
    sections = [_reasons(reasons)] if reasons else []
    for told in explanations:
        title = f"Why, for {told.resource_class}" if len(explanations) > 1 else "Why"
        sections += explanation_sections(told.as_json(), title)
    return sections, refusal


def _ids(named: str, classes: Collection[str]) -> list[UUID]:
    """Of those with that name the ones of these classes. Raises NotFound for a name that none of them has."""
    if not named:
        return []
    try:
        return [UUID(named)]
    except ValueError:
        namesakes = list_providers(ProviderFilter(name=named), NAMESAKES).results
        found = [UUID(str(image["id"])) for image in namesakes if image["resource_class"] in classes]
    if not found:
        raise NotFound(f"No provider of {', '.join(sorted(classes))} is called {named}")
    return found


def _reasons(reasons: list[Reason]) -> Section:
    rows = [
        [
            provider_link(one.resource.resource_class, one.candidate.provider_id, one.candidate.name),
            one.candidate.cell,
            "would do" if one.refusal is None else f"{one.refusal.reason}: {one.refusal.detail}",
            words(one.candidate.available),
        ]
        for one in reasons
    ]
    return Section("This provider", headers=["Provider", "Cell", "Says", "Available"], rows=rows)

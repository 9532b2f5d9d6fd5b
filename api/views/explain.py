"""`/api/explain` and `/api/requests/{id}/explain`: why a request fits where it does, or nowhere, as things are now."""

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from rest_framework.request import Request

from api.answers import answer
from api.describe import describes
from api.fields import Fields, parse_uuid
from api.parse.schedule import schedule_request
from api.parse.stored import asked_again
from api.query import Query
from api.strict_json import read_object
from api.view import View, identifier
from conductor.explain import Reason, explain_request
from conductor.find import read_request
from conductor.types import ScheduleRequest
from store.record_roles import VIEWER

PROVIDERS = 20  # asked about in one call
ASKED = "ids of providers, divided by commas"


class Explain(View):
    roles = {"POST": VIEWER}
    since = "1.1"

    @describes(
        "Explain a request that was not made: who fits, who does not and why, what would make it fit",
        body="ScheduleRequest",
        answers={200: "Explained"},
        errors=("not_found",),
        parameters={"provider": ASKED},
    )
    def post(self, request: Request) -> HttpResponse:
        data = read_object(request._request)
        providers = _providers(self.query())
        wanted, _ = schedule_request(data, Fields(data), None, self.caller().username)
        return answer(_explained(wanted, providers))


class RequestExplain(View):
    roles = {"GET": VIEWER}
    since = "1.1"

    @describes(
        "Explain a request as if it were made now",
        answers={200: "Explained"},
        errors=("not_found",),
        parameters={"provider": ASKED},
    )
    def get(self, request: Request, request_id: str) -> HttpResponse:
        providers = _providers(self.query())
        view = read_request(identifier(request_id, "request"))
        return answer(_explained(asked_again(view), providers))


def _providers(query: Query) -> list[UUID]:
    given = query.label("provider", "").split(",") if "provider" in query else []
    found = [parse_uuid(one) for one in given]
    if len(given) > PROVIDERS or None in found:
        query.wrong("provider", f"must be up to {PROVIDERS} ids divided by commas")
    query.done()
    return [one for one in found if one is not None]


def _explained(wanted: ScheduleRequest, providers: list[UUID]) -> dict[str, Any]:
    explanations, reasons = explain_request(wanted, providers)
    return {"explanations": [one.as_json() for one in explanations], "providers": [_image(one) for one in reasons]}


def _image(reason: Reason) -> dict[str, Any]:
    return {
        "provider": reason.candidate.provider_id,
        "name": reason.candidate.name,
        "resource_class": reason.candidate.resource_class,
        "fits": reason.refusal is None,
        "reason": reason.refusal.reason if reason.refusal else None,
        "detail": reason.refusal.detail if reason.refusal else "",
        "available": dict(reason.candidate.available),
        "state_version": reason.candidate.state_version,
    }

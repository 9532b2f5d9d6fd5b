"""`/api/requests`: the life of what was asked for."""

from django.http import HttpResponse
from rest_framework import exceptions
from rest_framework.request import Request

from api.answers import answer, nothing
from api.authenticate import AGENT
from api.describe import describes
from api.fields import REQUIRED
from api.images import request_image, request_life_image
from api.microversions import at_least
from api.paging import page, read_paging
from api.parse.agent import reason
from api.view import View, identifier
from conductor.find import RequestFilter, list_requests, read_request
from conductor.force import force_end
from conductor.progress import destroyed
from conductor.release import delete_request
from conductor.states import ALL, RELEASING
from store.record_roles import ADMIN, OPERATOR, VIEWER

FILTERS = ("cell", "project", "consumer")


class Requests(View):
    roles = {"GET": VIEWER}

    @describes(
        "List requests, newest first",
        answers={200: "RequestPage"},
        paged=True,
        parameters={**dict.fromkeys(FILTERS, "label"), "state": ALL},
    )
    def get(self, request: Request) -> HttpResponse:
        query = self.query()
        paging = read_paging(query)
        wanted = RequestFilter(
            **{name: query.label(name, "") for name in FILTERS}, state=query.choice("state", ALL, "")
        )
        query.done()
        found = list_requests(wanted, paging.limit, paging.cursor)
        images = [request_image(one, request._request) for one in found.results]
        return answer(page(images, found.next))


class OneRequest(View):
    roles = {"GET": VIEWER, "DELETE": OPERATOR}

    @describes("Read the life of a request", answers={200: "RequestLife"}, errors=("not_found",))
    def get(self, request: Request, request_id: str) -> HttpResponse:
        self.no_query()
        view = read_request(identifier(request_id, "request"))
        return answer(request_life_image(view, request._request))

    @describes(
        "Destroy its instances, or cancel it",
        answers={204: None, 202: "Releasing"},
        errors=("not_found", "conflict"),
        parameters={
            "force": ("true", "false"),
            "reason": "label",
            "even_if_alive": ("true", "false"),
        },
    )
    def delete(self, request: Request, request_id: str) -> HttpResponse:
        query = self.query()
        force = query.truth("force")
        says_why = force and at_least(request._request, "1.2")
        why = query.label("reason", REQUIRED if says_why else "deleted")
        even_if_alive = says_why and query.truth("even_if_alive")
        if says_why and why and not why.strip():
            query.wrong("reason", "must say something")
        query.done()
        if force and not self.caller().at_least(ADMIN):
            raise exceptions.PermissionDenied("force does not wait for the host: it needs the role admin")
        found = identifier(request_id, "request")
        who = self.caller().username
        done = force_end(found, who, why, even_if_alive) if says_why else delete_request(found, who, why, force)
        if done:
            return nothing()
        where = {"Location": f"/api/requests/{found}"}
        return answer({"request_id": found, "state": RELEASING}, 202, where)


class Destroyed(View):
    roles = {"POST": AGENT}

    @describes(
        "Say that its instances on the agent's provider are gone",
        body="Reason",
        answers={200: "RequestState"},
        errors=("not_found", "conflict"),
    )
    def post(self, request: Request, request_id: str) -> HttpResponse:
        self.no_query()
        found = identifier(request_id, "request")
        why = reason(self.body(), required=False)
        row = destroyed(found, self.acting_provider(), why)
        return answer({"request_id": row.request_id, "state": row.state})

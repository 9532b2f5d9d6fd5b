"""The version document: the one route that needs no token, so that a client can find out how to talk."""

from django.http import HttpResponse
from rest_framework.request import Request

from api.answers import answer
from api.describe import describes
from api.microversions import NEWEST, OLDEST
from api.view import ANYONE, View
from providers.refusals import NotFound


class VersionDocument(View):
    roles = {"GET": ANYONE}

    @describes("The versions of this API", answers={200: "Versions"}, errors=(), open_to_all=True)
    def get(self, request: Request) -> HttpResponse:
        self.no_query()
        current = {"id": "v1", "min_version": str(OLDEST), "max_version": str(NEWEST), "status": "CURRENT"}
        return answer({"versions": [current]})


class Unknown(View):
    """Every path under /api/ that is none: a problem, like all other errors."""

    schema = None
    roles = dict.fromkeys(("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"), ANYONE)
    http_method_names = [*View.http_method_names, "put", "options"]

    def get(self, request: Request, path: str = "") -> HttpResponse:
        raise NotFound(f"There is no {request.method} {request.path[:200]}")

    post = put = patch = delete = options = get

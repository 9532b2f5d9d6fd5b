"""`/api/whoami`: whose a token is. An agent that was given nothing else finds its provider by it."""

from django.http import HttpResponse
from rest_framework.request import Request

from api.answers import answer
from api.authenticate import Caller
from api.describe import describes
from api.images import bound_image
from api.view import View
from providers.records import read_provider
from store.record_roles import VIEWER


class WhoAmI(View):
    """Everybody with a valid token or session, whatever else they may."""

    since = "1.2"
    roles = {"GET": VIEWER}

    def _may(self, caller: Caller, needed: str) -> bool:
        return True

    @describes("Who the caller is, and for an agent its provider", answers={200: "Caller"}, errors=("not_found",))
    def get(self, request: Request) -> HttpResponse:
        self.no_query()
        caller = self.caller()
        provider = None if caller.provider_id is None else bound_image(read_provider(caller.provider_id)[1])
        return answer({"username": caller.username, "role": caller.role, "provider": provider})

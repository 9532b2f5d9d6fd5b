"""`/api/providers`, as people and programs see them."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from django.http import HttpResponse
from rest_framework import exceptions
from rest_framework.request import Request

from api import tokens
from api.answers import answer, nothing
from api.describe import describes
from api.images import Image, provider_image
from api.microversions import at_least
from api.paging import page, read_paging
from api.parse.provider import drains_only, new_provider, provider_change
from api.view import View, identifier
from providers.change import change, inventory_of
from providers.find import ProviderFilter, image_with_alive, list_providers
from providers.records import OwnRow, Tree, locate, read_provider
from providers.refusals import Conflict, NotFound
from providers.register import STATES, register
from providers.remove import remove
from store.record_roles import ADMIN, OPERATOR, VIEWER

FILTERS = ("cell", "resource_class", "name", "trait", "aggregate")


class Providers(View):
    roles = {"GET": VIEWER, "POST": ADMIN}

    @describes(
        "List providers",
        answers={200: "ProviderPage"},
        paged=True,
        parameters={**dict.fromkeys(FILTERS, "label"), "state": STATES},
    )
    def get(self, request: Request) -> HttpResponse:
        query = self.query()
        paging = read_paging(query)
        wanted = ProviderFilter(
            **{name: query.label(name, "") for name in FILTERS}, state=query.choice("state", STATES, "")
        )
        query.done()
        found = list_providers(wanted, paging.limit, paging.cursor)
        return answer(page(map(provider_image, found.results), found.next))

    @describes("Register a provider", body="NewProvider", answers={201: "Provider"}, errors=("conflict",))
    def post(self, request: Request) -> HttpResponse:
        self.no_query()
        image = shown(*register(new_provider(self.body(), at_least(request._request, "1.2"))))
        return answer(image, 201, {"Location": f"/api/providers/{image['id']}"})


class Provider(View):
    roles = {"GET": VIEWER, "PATCH": OPERATOR, "DELETE": ADMIN}

    @describes("Read a provider", answers={200: "Provider"}, errors=("not_found",))
    def get(self, request: Request, provider_id: str) -> HttpResponse:
        self.no_query()
        return answer(shown(*read_provider(identifier(provider_id, "provider"))))

    @describes(
        "Change a provider, based on its state_version",
        body="ProviderChange",
        answers={200: "Provider"},
        errors=("not_found", "conflict"),
    )
    def patch(self, request: Request, provider_id: str) -> HttpResponse:
        self.no_query()
        body = self.body()
        if not drains_only(body) and not self.caller().at_least(ADMIN):
            raise exceptions.PermissionDenied(
                "An operator may change state and state_reason; the rest needs the role admin"
            )
        found = identifier(provider_id, "provider")
        _, own = read_provider(found)
        state_version, changes = provider_change(
            body, inventory_of(own), own.row["state"], at_least(request._request, "1.2")
        )
        with showing_current(found):
            return answer(shown(*change(found, state_version, changes, self.caller().username)))

    @describes("Delete a provider that nothing is on", answers={204: None}, errors=("not_found", "conflict"))
    def delete(self, request: Request, provider_id: str) -> HttpResponse:
        self.no_query()
        found = identifier(provider_id, "provider")
        try:
            remove(found, self.caller().username)
        except NotFound:
            tokens.revoke(provider_id=found)  # whoever removed it may have died before this
            raise
        tokens.revoke(provider_id=found)
        return nothing()


class ProviderToken(View):
    roles = {"POST": ADMIN, "DELETE": ADMIN}

    @describes(
        "Issue the agent's token, in place of the one before; it is shown once",
        body="Nothing",
        answers={201: "IssuedToken"},
        errors=("not_found",),
    )
    def post(self, request: Request, provider_id: str) -> HttpResponse:
        self.no_query()
        self.body().done()
        _, own = read_provider(identifier(provider_id, "provider"))
        issued = tokens.issue_for_providers([(own.id, own.row["name"])])
        return answer({"provider": own.id, "token": issued[own.id]}, 201)

    @describes("Revoke the agent's token", answers={204: None}, errors=("not_found",))
    def delete(self, request: Request, provider_id: str) -> HttpResponse:
        self.no_query()
        found = identifier(provider_id, "provider")
        locate(found)
        tokens.revoke(provider_id=found)
        return nothing()


def shown(tree: Tree, own: OwnRow) -> Image:
    return provider_image(image_with_alive(tree, own))


@contextmanager
def showing_current(provider_id: UUID) -> Iterator[None]:
    """A conflict that shows the provider as it is now shows it as the API does."""
    try:
        yield
    except Conflict as conflict:
        if conflict.current is not None:
            conflict.current = shown(*read_provider(provider_id))
        raise

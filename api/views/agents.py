"""The routes that a provider's agent lives by: I have this, I am alive, what is there to do, what should be running?

An admin may call them in the agent's place.
"""

from collections.abc import Iterable
from uuid import UUID

from django.http import HttpResponse
from rest_framework.request import Request

from api import tokens
from api.answers import answer
from api.authenticate import AGENT, Caller
from api.describe import describes
from api.fields import parse_uuid
from api.images import destroy_image, order_image, part_image, running_image
from api.microversions import at_least
from api.paging import Paging, page, read_paging
from api.parse.agent import nothing_more
from api.parse.provider import report as parse_report
from api.query import Query
from api.view import View
from api.views.providers import shown
from conductor.orders import is_to_destroy, should_run, to_do
from conductor.shown import note_shown
from providers.change import report
from providers.heartbeat import beat, rhythm
from providers.parts import report_parts
from providers.records import CLAIM, INSTANCE, Record, locate, read_provider
from providers.refusals import Invalid
from store.record_roles import VIEWER


class Heartbeat(View):
    roles = {"POST": AGENT}

    @describes("Say that the provider is alive", body="Nothing", answers={200: "Alive"}, errors=("not_found",))
    def post(self, request: Request, provider_id: str) -> HttpResponse:
        self.no_query()
        found = self.own_provider(provider_id)
        nothing_more(self.body())
        location = locate(found)
        beat(location)
        heard = rhythm(location.home)
        return answer({"alive": True, "ttl": heard.ttl, "interval": heard.interval})


class Report(View):
    roles = {"POST": AGENT}

    @describes(
        "Say what the provider has: totals, properties, traits",
        body="Report",
        answers={200: "ReportedProvider"},
        errors=("not_found", "conflict"),
    )
    def post(self, request: Request, provider_id: str) -> HttpResponse:
        self.no_query()
        found = self.own_provider(provider_id)
        said = parse_report(self.body(), at_least(request._request, "1.2"))
        image = shown(*report(found, said.totals, said.properties, said.traits))
        if not said.has_parts:
            return answer(image)
        kept = report_parts(found, said.parts)
        return answer({**image, "children": [part_image(one) for one in kept]})


class OfProvider(View):
    """What is on a provider: people may look at any, an agent at its own."""

    roles = {"GET": VIEWER}

    def _may(self, caller: Caller, needed: str) -> bool:
        return caller.role == AGENT or super()._may(caller, needed)


class ProviderClaims(OfProvider):
    """For a provider's agent its orders, for people its claims in flight."""

    @describes("The claims on a provider, and what its agent is to destroy", answers={200: "OrderPage"}, paged=True,
               errors=("not_found",))  # fmt: skip
    def get(self, request: Request, provider_id: str) -> HttpResponse:
        found = self.own_provider(provider_id)
        paging, after = _paging(self.query())
        tree, own = read_provider(found)
        is_agent = self.caller().role == AGENT
        if is_agent:
            root_has_agent = own.id != tree.root_id and bool(tokens.valid_of([tree.root_id]))
            records = to_do(tree, own, root_has_agent)
        else:
            records = [r for r in tree.records if r.provider_id == found]
        orders = (r for r in records if r.kind == CLAIM)
        results, following = _page(orders, paging.limit, after)
        # All of them on the first page: an agent must not miss one because a claim came or went between two pages.
        if is_agent:
            note_shown(results)
        going = [] if after else [r for r in records if is_to_destroy(r)]
        return answer(page(map(order_image, results), following, destroy=[destroy_image(r) for r in _in_order(going)]))


class ProviderInstances(OfProvider):
    """For a provider's agent what it should be running, for people what runs on the provider itself."""

    since = "1.2"

    @describes("The instances on a provider", answers={200: "ProviderInstancePage"}, paged=True, errors=("not_found",))
    def get(self, request: Request, provider_id: str) -> HttpResponse:
        found = self.own_provider(provider_id)
        paging, after = _paging(self.query())
        tree, own = read_provider(found)
        if self.caller().role == AGENT:
            running = should_run(tree, own, tokens.valid_of(tree.providers.keys()).keys() - {own.id})
        else:
            running = [r for r in tree.records if r.kind == INSTANCE and r.provider_id == own.id]
        results, following = _page(running, paging.limit, after)
        return answer(page(map(running_image, results), following))


def _paging(query: Query) -> tuple[Paging, UUID | None]:
    """And the id after which the page begins."""
    paging = read_paging(query)
    query.done()
    after = parse_uuid(paging.cursor)
    if paging.cursor is not None and after is None:
        raise Invalid("next", "is not a cursor of this list")
    return paging, after


def _page(records: Iterable[Record], limit: int, after: UUID | None) -> tuple[list[Record], str | None]:
    left = [r for r in _in_order(records) if after is None or r.id.bytes > after.bytes]
    results = left[:limit]
    return results, str(results[-1].id) if len(left) > len(results) else None


def _in_order(records: Iterable[Record]) -> list[Record]:
    return sorted(records, key=lambda record: record.id.bytes)

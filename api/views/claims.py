"""`/api/claims`: who holds what, and what the hosts say of it."""

import datetime as dt

from django.http import HttpResponse
from django.utils.dateparse import parse_datetime
from rest_framework.request import Request

from api.answers import answer, nothing
from api.authenticate import AGENT
from api.describe import describes
from api.paging import page, read_paging
from api.parse.agent import nothing_more, reason
from api.query import Query
from api.view import View, identifier
from claims.find import ClaimFilter, find, list_claims
from claims.image import image_of_claim
from claims.types import STATES
from conductor.progress import building, built, not_built
from conductor.release import release_claim
from providers.records import CLAIM
from providers.refusals import NotFound
from store.record_roles import OPERATOR, VIEWER

LONGEST_AGE = 10 * 366 * 86400  # seconds


class Claims(View):
    roles = {"GET": VIEWER}

    @describes(
        "List claims in flight",
        answers={200: "ClaimPage"},
        paged=True,
        parameters={
            "cell": "label",
            "consumer": "label",
            "provider": "uuid",
            "state": STATES,
            "older_than": "seconds, or an instant in ISO 8601",
        },
    )
    def get(self, request: Request) -> HttpResponse:
        query = self.query()
        paging = read_paging(query)
        wanted = ClaimFilter(
            cell=query.label("cell", ""),
            state=query.choice("state", STATES, ""),
            provider=query.uuid("provider", None),
            consumer=query.label("consumer", ""),
            older_than=_instant(query, "older_than"),
        )
        query.done()
        found = list_claims(wanted, paging.limit, paging.cursor)
        return answer(page(map(image_of_claim, found.results), found.next))


class Claim(View):
    roles = {"GET": VIEWER, "DELETE": OPERATOR}

    @describes("Read a claim in flight", answers={200: "Claim"}, errors=("not_found",))
    def get(self, request: Request, claim_id: str) -> HttpResponse:
        self.no_query()
        found = find(identifier(claim_id, "claim"))
        if found.kind != CLAIM:
            raise NotFound(f"claim {found.id} was consumed: see request {found.request_id}")
        return answer(image_of_claim(found))

    @describes(
        "Release a claim",
        answers={204: None, 202: "ReleaseRequested"},
        errors=("not_found", "conflict"),
    )
    def delete(self, request: Request, claim_id: str) -> HttpResponse:
        self.no_query()
        found = identifier(claim_id, "claim")
        if release_claim(found, self.caller().username):
            return nothing()
        return answer({"id": found, "release_requested": True}, 202, {"Location": f"/api/claims/{found}"})


class Building(View):
    roles = {"POST": AGENT}

    @describes(
        "Say that the host starts to build it",
        body="Nothing",
        answers={200: "ClaimState"},
        errors=("not_found", "conflict"),
    )
    def post(self, request: Request, claim_id: str) -> HttpResponse:
        self.no_query()
        nothing_more(self.body())
        record = building(identifier(claim_id, "claim"), self.acting_provider())
        return answer({"claim": record.id, "request_id": record.request_id, "state": record.state})


class Consume(View):
    roles = {"POST": AGENT}

    @describes(
        "Say that the host has built it: the claim becomes the host's own record",
        body="Nothing",
        answers={200: "ClaimState"},
        errors=("not_found", "conflict"),
    )
    def post(self, request: Request, claim_id: str) -> HttpResponse:
        self.no_query()
        nothing_more(self.body())
        found = identifier(claim_id, "claim")
        row = built(found, self.acting_provider())
        return answer({"claim": found, "request_id": row.request_id, "state": row.state})


class Failed(View):
    roles = {"POST": AGENT}

    @describes(
        "Say that the host could not build it, and why",
        body="RequiredReason",
        answers={200: "ClaimState"},
        errors=("not_found", "conflict"),
    )
    def post(self, request: Request, claim_id: str) -> HttpResponse:
        self.no_query()
        found = identifier(claim_id, "claim")
        why = reason(self.body(), required=True)
        row = not_built(found, self.acting_provider(), why)
        return answer({"claim": found, "request_id": row.request_id, "state": row.state})


def _instant(query: Query, name: str) -> dt.datetime | None:
    """`300` is five minutes ago; else an instant in ISO 8601 (without an offset: UTC)."""
    text = query.label(name, None)
    if text is None or not text:
        return None
    now = dt.datetime.now(dt.UTC)
    if text.isascii() and text.isdigit():
        seconds = query.count(name, 0, 0, LONGEST_AGE)
        return now - dt.timedelta(seconds=min(seconds, LONGEST_AGE))
    try:
        at = parse_datetime(text)
    except ValueError:
        at = None
    if at is None:
        query.wrong(name, "must be a number of seconds, or an instant in ISO 8601")
        return None
    return at if at.tzinfo else at.replace(tzinfo=dt.UTC)

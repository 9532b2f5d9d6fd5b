"""`/api/aggregates`."""

from typing import Any
from urllib.parse import urlencode

from django.http import HttpResponse
from rest_framework.request import Request

from api.answers import answer, nothing
from api.describe import describes
from api.paging import page, read_paging
from api.parse.aggregate import aggregate_change, members_change, new_aggregate
from api.view import View
from providers import aggregates
from providers.aggregate_members import Membership, change_members
from providers.refusals import Conflict, Invalid
from store.record_roles import OPERATOR, VIEWER


class Aggregates(View):
    roles = {"GET": VIEWER, "POST": OPERATOR}
    since = "1.1"

    @describes("List the aggregates", answers={200: "AggregatePage"}, paged=True)
    def get(self, request: Request) -> HttpResponse:
        query = self.query()
        paging = read_paging(query)
        query.done()
        after = _name_of(paging.cursor)
        left = [one for name, one in sorted(aggregates.read_all().items()) if after is None or name > after]
        shown = left[: paging.limit]
        following = shown[-1].name.encode().hex() if len(left) > len(shown) else None
        return answer(page((_image(aggregates.image_of(one)) for one in shown), following))

    @describes("Create an aggregate", body="NewAggregate", answers={201: "Aggregate"}, errors=("conflict",))
    def post(self, request: Request) -> HttpResponse:
        self.no_query()
        name, new = new_aggregate(self.body())
        try:
            return answer(_image(aggregates.image_of(aggregates.create(name, new))), 201)
        except Conflict as conflict:
            raise _shown(conflict) from conflict


class Aggregate(View):
    roles = {"GET": VIEWER, "PATCH": OPERATOR, "DELETE": OPERATOR}
    since = "1.1"

    @describes("Read an aggregate", answers={200: "Aggregate"}, errors=("not_found",))
    def get(self, request: Request, name: str) -> HttpResponse:
        self.no_query()
        return answer(_image(aggregates.image_of(aggregates.find(name))))

    @describes(
        "Change an aggregate, based on its version",
        body="AggregateChange",
        answers={200: "Aggregate"},
        errors=("not_found", "conflict"),
    )
    def patch(self, request: Request, name: str) -> HttpResponse:
        self.no_query()
        version, changes = aggregate_change(self.body())
        try:
            return answer(_image(aggregates.image_of(aggregates.change(name, version, changes))))
        except Conflict as conflict:
            raise _shown(conflict) from conflict

    @describes(
        "Delete an aggregate whose label no provider carries", answers={204: None}, errors=("not_found", "conflict")
    )
    def delete(self, request: Request, name: str) -> HttpResponse:
        self.no_query()
        aggregates.delete(name)
        return nothing()


class AggregateMembers(View):
    roles = {"POST": OPERATOR}
    since = "1.1"

    @describes(
        "Put providers into an aggregate, or take them out; each for itself",
        body="MembersChange",
        answers={200: "MembersChanged"},
        errors=("not_found",),
    )
    def post(self, request: Request, name: str) -> HttpResponse:
        self.no_query()
        add, remove = members_change(self.body())
        found = aggregates.find(name)
        return answer({"results": [_membership(one) for one in change_members(found.name, add, remove)]})


def _image(image: dict[str, Any]) -> dict[str, Any]:
    return {**image, "members": f"/api/providers?{urlencode({'aggregate': image['name']})}"}


def _shown(conflict: Conflict) -> Conflict:
    return Conflict(str(conflict), _image(dict(conflict.current)) if conflict.current is not None else None)


def _membership(one: Membership) -> dict[str, Any]:
    return {"provider": one.provider_id, "outcome": one.outcome, "detail": one.detail}


def _name_of(cursor: str | None) -> str | None:
    if cursor is None:
        return None
    try:
        return bytes.fromhex(cursor).decode()
    except ValueError as error:
        raise Invalid("next", "is not a cursor of this list") from error

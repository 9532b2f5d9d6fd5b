"""`/api/inventory`: what is kept back of many providers, and how far they are overcommitted."""

from uuid import UUID

from django.http import HttpResponse
from rest_framework.request import Request

from api.answers import answer
from api.describe import describes
from api.images import Image
from api.paging import page, read_paging
from api.parse.inventory import Wanted, kept_amounts
from api.view import View
from providers.amounts import AT_ONCE, Column, Outlook, keep
from providers.find import ProviderFilter, list_providers
from providers.inventory import Inventory
from store.record_roles import ADMIN


class KeptAmounts(View):
    roles = {"POST": ADMIN}
    since = "1.2"

    @describes(
        "Set reserved amounts and ratios of many providers; `preview` only tells what they would come to",
        body="KeptAmounts",
        answers={200: "OutlookPage"},
        paged=True,
    )
    def post(self, request: Request) -> HttpResponse:
        query = self.query()
        paging = read_paging(query)
        query.done()
        wanted = kept_amounts(self.body())
        ids, following = _providers(wanted, min(paging.limit, AT_ONCE), paging.cursor)
        found = keep(ids, wanted.kept, self.caller().username, wanted.preview) if ids else []
        return answer(page(map(_image, found), following))


def _providers(wanted: Wanted, limit: int, cursor: str | None) -> tuple[list[UUID], str | None]:
    if wanted.providers:
        return wanted.providers, None
    asked = ProviderFilter(cell=wanted.cell, resource_class=wanted.resource_class, aggregate=wanted.aggregate)
    found = list_providers(asked, limit, cursor)
    return [UUID(one["id"]) for one in found.results], found.next


def _image(one: Outlook) -> Image:
    columns = {name: _column(column) for name, column in one.columns.items()}
    told = {"outcome": one.outcome, "columns": columns, "negative": one.negative, "detail": one.detail}
    return {"provider": one.provider_id, "name": one.name, **told}


def _column(one: Column) -> Image:
    return {
        "from": {**_amounts(one.before), "available": one.available_before},
        "to": {**_amounts(one.after), "available": one.available_after},
    }


def _amounts(one: Inventory) -> Image:
    kept = {"total": one.total, "reserved": one.reserved, "allocation_ratio": one.allocation_ratio}
    return {**kept, "for_sale": one.effective}

"""`/api/capacity`: how much there is, how much of it is used, claimed and free."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.http import HttpResponse
from rest_framework.request import Request

from api.answers import answer
from api.describe import describes
from api.view import View
from providers import cells
from providers.find import read_cell
from providers.refusals import Invalid, NotFound
from providers.register import STATES
from store.record_roles import VIEWER


class Capacity(View):
    roles = {"GET": VIEWER}

    @describes("Sums per resource class and column", answers={200: "Capacity"}, parameters={"cell": "label"})
    def get(self, request: Request) -> HttpResponse:
        query = self.query()
        name = query.label("cell", "")
        query.done()
        homes = [_cell(name).home] if name else [cell.home for cell in cells.all_cells()]
        summed: dict[str, Any] = {}
        for home in homes:
            _add(summed, read_cell(home))
        return answer({"cell": name or None, "resource_classes": summed, "hosts": _all_hosts(summed)})


def _cell(name: str) -> cells.Cell:
    try:
        return cells.find(name)
    except NotFound as error:
        raise Invalid("cell", str(error)) from error


def _add(summed: dict[str, Any], providers: Iterable[Mapping[str, Any]]) -> None:
    """`capacity` is what is for sale (total x ratio - reserved) and is always used + claimed + available."""
    for one in providers:
        of_class = summed.setdefault(one["resource_class"], {"columns": {}, "hosts": _no_hosts()})
        of_class["hosts"][one["state"]] += 1
        of_class["hosts"]["alive" if one["alive"] else "dead"] += 1
        for name, inventory in one["inventory"].items():
            column = of_class["columns"].setdefault(
                name, {"total": 0, "capacity": 0, "used": 0, "claimed": 0, "available": 0}
            )
            effective = int(inventory["total"] * inventory["allocation_ratio"]) - inventory["reserved"]
            amount, available = one["amounts"].get(name, 0), one["available"].get(name, 0)
            column["total"] += inventory["total"]
            column["capacity"] += effective
            column["used"] += effective - amount
            column["claimed"] += amount - available
            column["available"] += available


def _no_hosts() -> dict[str, int]:
    return dict.fromkeys((*STATES, "alive", "dead"), 0)


def _all_hosts(summed: Mapping[str, Any]) -> dict[str, int]:
    hosts = _no_hosts()
    for of_class in summed.values():
        for state, count in of_class["hosts"].items():
            hosts[state] += count
    return hosts

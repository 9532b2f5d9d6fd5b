"""`/api/cells`."""

from django.http import HttpResponse
from rest_framework.request import Request

from api.answers import answer, nothing
from api.describe import describes
from api.images import cell_image
from api.paging import page, read_paging
from api.parse.cell import cell_change, new_cell
from api.view import View
from providers import cells
from providers.refusals import Invalid
from store.record_roles import ADMIN, VIEWER


class Cells(View):
    roles = {"GET": VIEWER, "POST": ADMIN}

    @describes("List the cells", answers={200: "CellPage"}, paged=True)
    def get(self, request: Request) -> HttpResponse:
        query = self.query()
        paging = read_paging(query)
        query.done()
        known = sorted(cells.all_cells(), key=lambda cell: cell.name)
        after = _name_of(paging.cursor)
        left = [cell for cell in known if after is None or cell.name > after]
        shown = left[: paging.limit]
        following = _cursor_of(shown[-1].name) if len(left) > len(shown) else None
        return answer(page(map(cell_image, shown), following))

    @describes("Create a cell", body="NewCell", answers={201: "Cell"}, errors=("conflict",))
    def post(self, request: Request) -> HttpResponse:
        self.no_query()
        new = new_cell(self.body())
        made = cells.create(new.name, new.datacenter, new.state, new.description)
        return answer(cell_image(made), 201)


class Cell(View):
    roles = {"GET": VIEWER, "PATCH": ADMIN, "DELETE": ADMIN}

    @describes("Read a cell", answers={200: "Cell"}, errors=("not_found",))
    def get(self, request: Request, name: str) -> HttpResponse:
        self.no_query()
        return answer(cell_image(cells.find(name)))

    @describes("Change a cell", body="CellChange", answers={200: "Cell"}, errors=("not_found",))
    def patch(self, request: Request, name: str) -> HttpResponse:
        self.no_query()
        change = cell_change(self.body())
        return answer(cell_image(cells.change(name, change.state, change.description)))

    @describes("Delete a cell that has no providers", answers={204: None}, errors=("not_found", "conflict"))
    def delete(self, request: Request, name: str) -> HttpResponse:
        self.no_query()
        cells.delete(name)
        return nothing()


def _cursor_of(name: str) -> str:
    return name.encode().hex()


def _name_of(cursor: str | None) -> str | None:
    if cursor is None:
        return None
    try:
        return bytes.fromhex(cursor).decode()
    except ValueError as error:
        raise Invalid("next", "is not a cursor of this list") from error

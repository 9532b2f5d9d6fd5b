"""`/api/resource-classes`."""

from django.http import HttpResponse
from rest_framework.request import Request

from api.answers import answer, nothing
from api.describe import describes
from api.images import resource_class_image
from api.paging import page, read_paging
from api.parse.resource_class import new_resource_class
from api.view import View
from providers import own_class
from providers.refusals import Invalid
from providers.resource_classes import custom
from providers.resource_classes.registry import all_classes, resource_class
from store.record_roles import ADMIN, VIEWER


class ResourceClasses(View):
    roles = {"GET": VIEWER, "POST": ADMIN}

    @describes("List the resource classes", answers={200: "ResourceClassPage"}, paged=True)
    def get(self, request: Request) -> HttpResponse:
        query = self.query()
        paging = read_paging(query)
        query.done()
        known = sorted(all_classes(), key=lambda one: one.name)
        if paging.cursor is not None and not custom.NAME.fullmatch(paging.cursor):
            raise Invalid("next", "is not a cursor of this list")
        left = [one for one in known if paging.cursor is None or one.name > paging.cursor]
        shown = left[: paging.limit]
        following = shown[-1].name if len(left) > len(shown) else None
        return answer(page(map(resource_class_image, shown), following))

    @describes(
        "Create a resource class of one's own",
        body="NewResourceClass",
        answers={201: "ResourceClass"},
        errors=("conflict",),
    )
    def post(self, request: Request) -> HttpResponse:
        self.no_query()
        name, columns = new_resource_class(self.body())
        return answer(resource_class_image(own_class.create(name, columns)), 201)


class ResourceClass(View):
    roles = {"GET": VIEWER, "DELETE": ADMIN}

    @describes("Read a resource class", answers={200: "ResourceClass"}, errors=("not_found",))
    def get(self, request: Request, name: str) -> HttpResponse:
        self.no_query()
        return answer(resource_class_image(resource_class(name)))

    @describes("Delete a resource class that no provider has", answers={204: None}, errors=("not_found", "conflict"))
    def delete(self, request: Request, name: str) -> HttpResponse:
        self.no_query()
        own_class.delete(name)
        return nothing()

"""`/api/headroom`: how many more of a shape fit, cell by cell, and what is free but of no use to it."""

from typing import Any

from django.http import HttpResponse
from rest_framework.request import Request

from api.answers import answer
from api.describe import describes
from api.parse.headroom import shape_in_body, shape_in_query
from api.parse.schedule import DEFAULT_PROJECT
from api.view import View
from conductor.headroom import Headroom as Found
from conductor.headroom import ShapeRoom, headroom, headroom_of_recent
from scheduler.headroom import Room
from scheduler.types import Amounts
from store.record_roles import VIEWER

RECENT = "recent"


class Headroom(View):
    roles = {"GET": VIEWER, "POST": VIEWER}
    since = "1.1"

    @describes(
        "How many more of one shape fit, or of each that was asked for lately; amounts are parameters by their names",
        answers={200: "Headroom"},
        parameters={
            "resource_class": "label",
            "shapes": (RECENT,),
            "cell": "label",
            "project": "label",
            "required": "traits, divided by commas",
            "forbidden": "traits, divided by commas",
            "aggregates": "divided by commas",
        },
    )
    def get(self, request: Request) -> HttpResponse:
        query = self.query()
        if "shapes" not in query:
            return answer(_image(headroom(shape_in_query(query))))
        query.choice("shapes", (RECENT,))
        cell, project = query.label("cell", ""), query.label("project", DEFAULT_PROJECT)
        query.done()
        return answer(_image(headroom_of_recent(cell, project)))

    @describes("How many more of one shape fit", body="Shape", answers={200: "Headroom"})
    def post(self, request: Request) -> HttpResponse:
        body = self.body()
        self.no_query()
        return answer(_image(headroom(shape_in_body(body))))


def _image(found: Found) -> dict[str, Any]:
    image = {
        "shapes": [_shape(one) for one in found.shapes],
        "complete": found.complete,
        "shards_read": found.shards_read,
        "shards": found.shards,
    }
    return image if found.requests is None else {**image, "requests": found.requests}


def _shape(found: ShapeRoom) -> dict[str, Any]:
    resource, amounts = found.asked.resource, found.asked.resource.amounts
    image = {
        "resource_class": resource.resource_class,
        "amounts": dict(amounts),
        "fits": found.whole.fits,
        "columns": _columns(found.whole, amounts),
        "cells": [
            {
                "cell": one.cell,
                "fits": one.room.fits,
                "hosts": one.room.hosts,
                "seen": one.room.seen,
                "refused": dict(one.room.refused),
                "binds": dict(one.room.binds),
                "columns": _columns(one.room, amounts),
                "shards_read": one.shards_read,
                "shards": one.shards,
            }
            for one in found.cells
        ],
    }
    return {**image, "asked": found.asked.times} if found.asked.times else image


def _columns(room: Room, amounts: Amounts) -> dict[str, Any]:
    return {
        name: {
            "free": room.free.get(name, 0),
            "usable": usable,
            "stranded": room.free.get(name, 0) - usable,
            "stranded_share": room.stranded_share(name, usable),
        }
        for name, usable in room.usable(amounts).items()
    }

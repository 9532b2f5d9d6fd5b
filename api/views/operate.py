"""What operators do to a provider: its history, drain it, plan its maintenance, take it away for good. Since 1.2."""

import datetime as dt
from dataclasses import asdict

from django.http import HttpResponse
from rest_framework.request import Request

from api import tokens
from api.answers import answer, nothing
from api.describe import describes
from api.images import Image
from api.paging import page, read_paging
from api.parse.operate import decommission as parse_decommission
from api.parse.operate import drain_start, window
from api.view import View, identifier
from api.views.providers import showing_current
from conductor.drain import holders, requests_on, touched
from providers.decommission import decommission
from providers.drain import Drain as Found
from providers.drain import read_drain, start_drain
from providers.history import Line, read_history
from providers.maintenance import cancel
from providers.maintenance_windows import Window, plan, windows_of
from providers.records import locate, read_provider
from store.record_roles import ADMIN, OPERATOR, VIEWER

SINCE = "1.2"


class ProviderHistory(View):
    roles = {"GET": VIEWER}
    since = SINCE

    @describes(
        "Who did what to a provider, newest first; also of one that is gone",
        answers={200: "HistoryPage"},
        errors=("not_found",),
        paged=True,
    )
    def get(self, request: Request, provider_id: str) -> HttpResponse:
        query = self.query()
        paging = read_paging(query)
        query.done()
        found = read_history(identifier(provider_id, "provider"), paging.limit, paging.cursor)
        return answer(page(map(_line, found.lines), found.next))


class ProviderDrain(View):
    roles = {"GET": VIEWER, "POST": OPERATOR}
    since = SINCE

    @describes(
        "What a drain touches, and how far it is", answers={200: "Drain"}, errors=("not_found",), paged=True
    )  # fmt: skip
    def get(self, request: Request, provider_id: str) -> HttpResponse:
        query = self.query()
        paging = read_paging(query)
        query.done()
        return answer(_drain(read_drain(identifier(provider_id, "provider")), paging.limit, paging.cursor))

    @describes(
        "Drain it: no new claims, nothing is moved",
        body="DrainStart",
        answers={200: "Drain"},
        errors=("not_found", "conflict"),
        paged=True,
    )
    def post(self, request: Request, provider_id: str) -> HttpResponse:
        query = self.query()
        paging = read_paging(query)
        query.done()
        reason, state_version = drain_start(self.body())
        found = identifier(provider_id, "provider")
        with showing_current(found):
            drain = start_drain(found, reason, self.caller().username, state_version)
        return answer(_drain(drain, paging.limit, paging.cursor))


class ProviderMaintenance(View):
    roles = {"GET": VIEWER, "POST": OPERATOR}
    since = SINCE

    @describes("Maintenance that is planned or goes on", answers={200: "WindowPage"}, errors=("not_found",))
    def get(self, request: Request, provider_id: str) -> HttpResponse:
        self.no_query()
        found = identifier(provider_id, "provider")
        read_provider(found)
        return answer(page(map(_window, windows_of(locate(found).home, [found])), None))

    @describes(
        "Plan maintenance: no new claims from then until then, and silence is no alarm",
        body="NewWindow",
        answers={201: "Window"},
        errors=("not_found", "conflict"),
    )
    def post(self, request: Request, provider_id: str) -> HttpResponse:
        self.no_query()
        asked = window(self.body(), dt.datetime.now(dt.UTC))
        made = plan(identifier(provider_id, "provider"), who=self.caller().username, **asked)
        where = {"Location": f"/api/providers/{made.provider_id}/maintenance/{made.id}"}
        return answer(_window(made), 201, where)


class MaintenanceWindow(View):
    roles = {"DELETE": OPERATOR}
    since = SINCE

    @describes("Cancel it, or end it now", answers={204: None}, errors=("not_found",))
    def delete(self, request: Request, provider_id: str, window_id: str) -> HttpResponse:
        self.no_query()
        cancel(identifier(provider_id, "provider"), identifier(window_id, "maintenance"), self.caller().username)
        return nothing()


class ProviderDecommission(View):
    roles = {"POST": ADMIN}
    since = SINCE

    @describes(
        "Take it away for good: it drains, and is removed when this is repeated with nothing left on it",
        body="Decommission",
        answers={204: None},
        errors=("not_found", "conflict"),
    )
    def post(self, request: Request, provider_id: str) -> HttpResponse:
        self.no_query()
        why = parse_decommission(self.body())
        found = identifier(provider_id, "provider")
        decommission(found, why, self.caller().username, lambda one: tokens.revoke(provider_id=one))
        return nothing()


def _drain(drain: Found, limit: int, cursor: str | None) -> Image:
    own, began = drain.own, drain.began
    found = touched(drain, limit, cursor)
    largest, more = holders(drain)
    return {
        "provider": own.id,
        "name": own.row["name"],
        "state": own.row["state"],
        "state_reason": own.row["state_reason"] or "",
        "state_version": own.state_version,
        "began": began and {
            "at": began.at,
            "by": began.who,
            "reason": began.why,
            "claims": began.claims or 0,
            "instances": began.instances or 0,
        },
        "left": {"claims": drain.claims, "instances": drain.instances, "requests": requests_on(drain)},
        "empty": drain.empty,
        "holders": [asdict(one) for one in largest],
        "more_holders": more,
        **page(map(asdict, found.results), found.next),
    }  # fmt: skip


def _line(line: Line) -> Image:
    return {
        "at": line.at,
        "who": line.who,
        "what": line.what,
        "from": line.before,
        "to": line.after,
        "why": line.why,
        "claims": line.claims,
        "instances": line.instances,
    }


def _window(one: Window) -> Image:
    return {
        "id": one.id,
        "provider": one.provider_id,
        "name": one.name,
        "from": one.from_at,
        "until": one.until_at,
        "reason": one.reason,
        "planned_by": one.planned_by,
        "planned_at": one.planned_at,
        "begun_at": one.begun_at,
        "in_force": one.is_in_force(dt.datetime.now(dt.UTC)),
    }

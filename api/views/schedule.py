"""`/api/schedule` and `/api/schedule/commit`: parse, one call of the conductor, and its outcome as an answer."""

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from rest_framework.request import Request

from api import metrics
from api.answers import answer
from api.describe import describes
from api.fields import Fields
from api.images import explanation_image, ranked_image, step_image, versioned_image
from api.microversions import at_least
from api.parse.promote import commit_request
from api.parse.schedule import schedule_request
from api.problems import CONFLICT, CONTENDED, IDEMPOTENCY_MISMATCH, NO_VALID_HOST, UNKNOWN_OUTCOME, Problem, respond
from api.strict_json import read_object
from api.view import View
from conductor.decide import dry_run
from conductor.place import schedule
from conductor.promote import plan_for, promote
from conductor.types import (
    Changed,
    Contended,
    Mismatch,
    NoValidHost,
    Outcome,
    Pending,
    Placed,
    PlanChanged,
    ScheduleRequest,
)
from store.record_roles import OPERATOR

BEST = 20  # of a dry run


class Schedule(View):
    roles = {"POST": OPERATOR}

    @describes(
        "Place a request: choose hosts and claim them",
        body="ScheduleRequest",
        answers={201: "Placed", 200: "PlacedOrRanked", 202: "Problem"},
        errors=("no_valid_host", "idempotency_mismatch", "contended"),
        parameters={"limit": range(1, 1001)},
        headers={"Idempotency-Key": "Names the request in place of `request_id`, per user"},
    )
    def post(self, request: Request) -> HttpResponse:
        underlying = request._request
        data = read_object(underlying)
        key = underlying.headers.get("Idempotency-Key")
        query = self.query()
        limit = query.count("limit", BEST, 1, 1000)
        if "limit" in query and data.get("dry_run") is not True:
            query.wrong("limit", "is for dry runs")
        query.done()
        newer = at_least(underlying, "1.1")
        wanted, only_look = schedule_request(data, Fields(data), key, self.caller().username, newer)
        if only_look:
            return _ranked(underlying, wanted, limit)
        outcome = schedule(wanted)
        metrics.SCHEDULED.labels(_name_of(outcome)).inc()
        return _answer(underlying, outcome)


class ScheduleCommit(View):
    roles = {"POST": OPERATOR}
    since = "1.1"

    @describes(
        "Claim exactly the plan of a dry run, or hear what changed since",
        body="CommitRequest",
        answers={201: "Placed", 200: "Placed", 202: "Problem"},
        errors=("conflict", "idempotency_mismatch", "contended"),
        headers={"Idempotency-Key": "Names the request in place of `request_id`, per user"},
    )
    def post(self, request: Request) -> HttpResponse:
        underlying = request._request
        data = read_object(underlying)
        key = underlying.headers.get("Idempotency-Key")
        self.no_query()
        outcome = promote(*commit_request(data, Fields(data), key, self.caller().username))
        metrics.SCHEDULED.labels(_name_of(outcome)).inc()
        return _answer(underlying, outcome)


def _ranked(request: HttpRequest, wanted: ScheduleRequest, limit: int) -> HttpResponse:
    found = dry_run(wanted, limit)
    explanation = explanation_image(found.explanation.as_json(), request)
    if not at_least(request, "1.1"):
        return answer({"ranked": [ranked_image(one) for one in found.ranked], "explain": explanation})
    plan = plan_for(wanted) if found.ranked else None
    return answer(
        {
            "ranked": [versioned_image(one) for one in found.ranked],
            "plan": None if plan is None else [step_image(one) for one in plan],
            "explain": explanation,
        }
    )


def _name_of(outcome: Outcome) -> str:
    match outcome:
        case Placed(replayed=replayed):
            return "replayed" if replayed else "claimed"
        case NoValidHost():
            return "no_valid_host"
        case Contended():
            return "contended"
        case Pending():
            return "unknown"
        case Mismatch():
            return "idempotency_mismatch"
        case PlanChanged():
            return "plan_changed"


def _answer(request: HttpRequest, outcome: Outcome) -> HttpResponse:
    _name_exchange(request, outcome.request_id)
    where = {"Location": f"/api/requests/{outcome.request_id}"}
    match outcome:
        case Placed():
            return answer(_placed(request, outcome), 200 if outcome.replayed else 201, where)
        case NoValidHost():
            detail = _why(outcome)
            return respond(
                request,
                Problem(NO_VALID_HOST, detail, members={"explain": explanation_image(outcome.explanation, request)}),
            )
        case Contended():
            detail = f"There was room, but all {outcome.attempts} tries lost it to others; try again"
            return respond(request, Problem(CONTENDED, detail, members={"attempts": outcome.attempts}))
        case Pending():
            detail = f"Nobody knows yet what became of it; read {where['Location']}"
            return respond(request, Problem(UNKNOWN_OUTCOME, detail, headers=where))
        case Mismatch():
            detail = f"Request {outcome.request_id} was made with another body"
            return respond(request, Problem(IDEMPOTENCY_MISMATCH, detail))
        case PlanChanged(changed=changed):
            return respond(request, Problem(CONFLICT, _what_changed(changed), members={"changed": changed}))


def _placed(request: HttpRequest, outcome: Placed) -> dict[str, object]:
    body: dict[str, object] = {
        "request_id": outcome.request_id,
        "state": "claimed",
        "claims": list(outcome.claims),
        "attempts": outcome.attempts,
    }
    if outcome.explanation is not None:
        body["explain"] = explanation_image(outcome.explanation, request)
    if at_least(request, "1.1"):
        body["decision"] = outcome.decided
    return body


def _why(outcome: NoValidHost) -> str:
    """The funnel in a sentence, for people."""
    explanation = outcome.explanation
    considered = explanation.get("considered", 0)
    of_class = explanation.get("resource_class", "")
    if not considered:
        return f"There is no {of_class} provider to look at in any cell that was asked for"
    seen = explanation.get("seen", {}).get("providers", considered)
    looked_at = f" {seen} were looked at, and" if seen < considered else ""
    about = "about " if looked_at else ""
    lost = [f"{stage['stage']} removed {stage['removed']}" for stage in explanation["funnel"] if stage["removed"]]
    if not lost:
        return f"Of {considered} {of_class} providers each fits alone, but not all that was asked for together"
    return f"Of {about}{considered} {of_class} providers{looked_at} not enough are left: {', '.join(lost)}"


def _what_changed(changed: Changed) -> str:
    lost = [
        f"{one.get('name', one['provider'])}: {one['detail'] or one['reason']}" for one in changed if not one["holds"]
    ]
    more = f" (and {len(lost) - 3} more)" if len(lost) > 3 else ""
    return f"The plan does not hold any more, nothing was claimed. {'; '.join(lost[:3])}{more}"


def _name_exchange(request: HttpRequest, request_id: UUID) -> None:
    """From here on the exchange carries the id of the request it made: what a problem, the log and X-Request-Id say is
    then what /api/requests knows."""
    if request_id.int:
        request.exchange_id = str(request_id)  # type: ignore[attr-defined]

"""A request is accepted: its plan goes into its row by one transaction, before any claim is made.

Lookups and the list of open work are written before that (false positives, never negatives).
"""

import datetime as dt
import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID, uuid4

from cassandra.util import uuid_from_time
from django.conf import settings

from conductor.identify import home_of, make_request_id
from conductor.open_work import put_on
from conductor.rows import RequestRow, insert
from conductor.states import FAILED, SCHEDULING
from conductor.texts import plan_json
from conductor.types import PLAN_CHANGED, Changed, Explanation, Plan, PlannedMember, ScheduleRequest, Try
from providers import cells
from providers.heartbeat import ALWAYS
from scheduler.assign import Assignment
from scheduler.filters.group import place_of
from scheduler.types import Candidate, Resource
from store.home import Home
from store.session import keyspace, write_many

TRIES = 200  # of one plan, all members together: it is one row, and a member without alternates left gets a new plan
# Hours that this process has put into the list of hours, per keyspace and cell; only after the write was acknowledged.
_noted_hours: set[tuple[str, str, dt.datetime]] = set()


def plan_of(assignment: Assignment, decided: Mapping[str, Any] | None = None) -> Plan:
    """The assignment as a plan. On one tree one transaction makes all claims; over several each tree is held first, and
    a group is one more. What is bound to a place in a group has no alternates: they would be other places."""
    most = max(1, TRIES // max(1, len(assignment.units)))
    members = tuple(
        PlannedMember(
            u.member,
            u.resource.resource_class,
            dict(u.resource.amounts),
            tuple(_try(c, u.resource) for c in u.tries[: 1 if u.resource.group else most]),
        )
        for u in assignment.units
    )
    one_tree = len({m.tries[0].root_id for m in members}) == 1
    domains = frozenset(place for u in assignment.units if u.resource.group for place in u.resource.group.domains)
    holds = not one_tree or any(m.tries[0].place for m in members)
    return Plan(holds, members, domains, decided)


def accept(
    request: ScheduleRequest,
    request_id: UUID,
    plan: Plan | None,
    explanation: Explanation | None,
    changed: Changed = (),
) -> tuple[RequestRow | None, bool]:
    """The request's row, and whether this call made it (else another had the id). None: no answer, or no cell at all.

    Without a plan the row records the refusal, so that a repetition gets the same answer: why no host fits, or what has
    `changed` since a plan was looked at.
    """
    home = home_of(request_id)
    if home is None:
        return None, False
    cell = plan.members[0].tries[0].cell if plan else request.cell or home.cell
    now = dt.datetime.now(dt.UTC)
    owner = uuid4()
    lease = dt.timedelta(seconds=settings.SCHEDULE_DEADLINE + settings.REQUEST_LEASE)
    hour = _hour_of(cell, now)
    write_many(_lookups(request, request_id, home, hour, now, due_at=now + lease if plan else None))
    _noted_hours.add(hour)
    response = {"changed": list(changed)} if changed else response_of(explanation) if explanation else None
    columns: dict[str, Any] = {
        "state": SCHEDULING if plan else FAILED,
        "epoch": 0,
        "lease_until": now + lease,
        "deadline": now + dt.timedelta(seconds=settings.SCHEDULE_DEADLINE),
        "cell": cell,
        "project": request.project,
        "consumer": request.consumer,
        "username": request.username,
        "fingerprint": request.fingerprint,
        "body": json.dumps(request.body, separators=(",", ":"), ensure_ascii=False),
        "plan": plan_json(plan) if plan else None,
        "committed": False,
        "attempts": 0,
        "response": json.dumps(response, separators=(",", ":")) if response else None,
        "reason": "" if plan else PLAN_CHANGED if changed else "no_valid_host",
    }
    row = insert(home, request_id, owner, columns)
    return row, row is not None and row.owner == owner


def response_of(explanation: Explanation) -> Mapping[str, Any]:
    return {"explain": explanation.as_json()}


def new_request_id(request: ScheduleRequest, plan: Plan | None = None) -> UUID | None:
    """An id made here, at home where its first claim will be (what one request needs fails together), else in the
    request's cell or the first there is. None when there is no cell."""
    if plan is not None:
        return make_request_id(cells.number_of(plan.members[0].tries[0].cell))
    known = cells.all_cells()
    if not known:
        return None
    named = next((cell for cell in known if cell.name == request.cell), known[0])
    return make_request_id(named.number)


def _hour_of(cell: str, now: dt.datetime) -> tuple[str, str, dt.datetime]:
    hour = now.replace(minute=0, second=0, microsecond=0)
    if len(_noted_hours) > 1000:
        _noted_hours.clear()
    return keyspace(cells.home_of(cell).datacenter), cell, hour


def _lookups(
    request: ScheduleRequest,
    request_id: UUID,
    home: Home,
    listed: tuple[str, str, dt.datetime],
    now: dt.datetime,
    due_at: dt.datetime | None,
) -> list[tuple[str, Any]]:
    space, cell, hour = listed
    writes: list[tuple[str, Any]] = [
        (
            f"INSERT INTO {space}.requests_by_hour (cell, hour, id, request_id, project, consumer) "
            "VALUES (?, ?, ?, ?, ?, ?)",
            [cell, hour, uuid_from_time(now.timestamp()), request_id, request.project, request.consumer],
        ),
    ]
    if listed not in _noted_hours:
        writes.append((f"INSERT INTO {space}.request_hours (cell, hour) VALUES (?, ?)", [cell, hour]))
    if due_at is not None:
        writes.append(put_on(home, request_id, due_at))
    return writes


def _try(candidate: Candidate, resource: Resource) -> Try:
    return Try(
        candidate.provider_id,
        candidate.name,
        candidate.root_id,
        candidate.cell,
        candidate.datacenter,
        candidate.state_version,
        candidate.root_state_version,
        candidate.heartbeat == ALWAYS,
        place_of(candidate, resource.group.scope) if resource.group else "",
    )

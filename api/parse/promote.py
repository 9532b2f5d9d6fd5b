"""A schedule request with the plan that it is to be claimed by."""

from typing import Any
from uuid import UUID

from django.conf import settings

from api.fields import Fields
from api.parse.schedule import schedule_request
from api.problems import FieldError, invalid
from conductor.types import ScheduleRequest, Step

NOT_HERE = ("dry_run", "explain")


def commit_request(
    data: dict[str, Any], body: Fields, key: str | None, username: str
) -> tuple[ScheduleRequest, list[Step]]:
    """`key` is the Idempotency-Key header. Raises Refused."""
    steps = [_step(one) for one in body.sections("plan", settings.SCHEDULE_MAX_COUNT)]
    for name in NOT_HERE:
        if name in body:
            body.wrong(name, "is not a field of this request")
    found, _ = schedule_request(data, body, key, username)
    claims = found.count * len(found.resources)
    if len(steps) != claims:
        message = f"has {len(steps)} entries, but {found.count} x {len(found.resources)} resources are {claims} claims"
        raise invalid([FieldError("plan", message)])
    return found, steps


def _step(one: Fields) -> Step:
    found = Step(
        provider_id=one.uuid("provider") or UUID(int=0),
        state_version=one.whole("state_version"),
        root_state_version=one.whole("root_state_version", None),
        generation=one.whole("generation", None),
    )
    one.end()
    return found

"""A request's plan, parts and failures as its row keeps them: short JSON that every later release can read."""

import datetime as dt
import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Any
from uuid import UUID

from conductor.types import Failure, Part, Plan, PlannedMember, Try

PARSED = 8  # plans, and lists of parts, that stay parsed: each host of a large request reads its row


def plan_json(plan: Plan) -> str:
    return json.dumps(
        {
            "holds": plan.holds,
            "members": [
                [m.number, m.resource_class, dict(m.amounts), [_try_json(t) for t in m.tries]] for m in plan.members
            ],
        }
        | ({"decided": dict(plan.decided)} if plan.decided else {}),
        separators=(",", ":"),
    )


def parts_json(parts: Sequence[Part]) -> str:
    return json.dumps(
        [
            [
                *(str(p.claim_id), p.number, str(p.provider_id), p.provider_name, str(p.root_id), p.cell, p.datacenter),
                *(p.resource_class, dict(p.amounts), p.agentless, p.state),
            ]
            for p in parts
        ],
        separators=(",", ":"),
    )


def failures_json(failures: Sequence[Failure]) -> str:
    return json.dumps(
        [[f.at.isoformat(), f.member, str(f.provider_id), f.provider_name, str(f.root_id), f.reason] for f in failures],
        separators=(",", ":"),
    )


def failures_of_text(text: str | None) -> tuple[Failure, ...]:
    found = json.loads(text) if text else ()
    return tuple(Failure(dt.datetime.fromisoformat(f[0]), f[1], UUID(f[2]), f[3], UUID(f[4]), f[5]) for f in found)


def _try_json(one: Try) -> list[Any]:
    return [
        str(one.provider_id),
        one.provider_name,
        str(one.root_id),
        one.cell,
        one.datacenter,
        one.state_version,
        one.root_state_version,
        one.agentless,
        one.place,
    ]


@lru_cache(maxsize=PARSED)
def plan_of_text(text: str | None) -> Plan | None:
    if not text:
        return None
    stored = json.loads(text)
    members = [
        PlannedMember(number, name, amounts, tuple(Try(UUID(t[0]), t[1], UUID(t[2]), *t[3:]) for t in tries))
        for number, name, amounts, tries in stored["members"]
    ]
    return Plan(stored["holds"], tuple(members), decided=stored.get("decided"))


@lru_cache(maxsize=PARSED)
def parts_of_text(text: str | None) -> tuple[Part, ...]:
    if not text:
        return ()
    return tuple(Part(UUID(p[0]), p[1], UUID(p[2]), p[3], UUID(p[4]), *p[5:]) for p in json.loads(text))

"""A request's place in its group: joined before anything is claimed, left when that is gone.

The group is one more tree of the request: a member whose request was not committed gives way when the conductor has
decided so; a member whose claim is gone keeps its place only until somebody whom it bars looks.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from claims import groups
from claims.groups import Barred, Group, Membership
from claims.types import claim_id
from conductor.outcome import parts_of, planned_ids
from conductor.rows import RequestRow, find
from conductor.states import ENDED, RESCHEDULING, SCHEDULING
from conductor.types import OVER, Plan


def group_of(row: RequestRow) -> Group | None:
    """The group that the request's body names."""
    named: Mapping[str, Any] | None = row.body.get("group")
    if not named:
        return None
    return Group(row.project, named["id"], named["policy"], named.get("scope", "host"), named.get("max_skew", 1))


def join(row: RequestRow, plan: Plan) -> bool:
    """Joins with all of the plan's members, or says that the rule bars them now."""
    group = group_of(row)
    joining = [
        Membership(claim_id(row.request_id, row.epoch, m.number, 0), row.request_id, m.tries[0].place)
        for m in plan.members
        if m.tries[0].place
    ]
    return group is None or not joining or not isinstance(groups.join(group, joining, plan.domains), Barred)


def leave(row: RequestRow, claim_ids: Sequence[UUID]) -> None:
    """Takes claims that are gone out of the request's group, if it has one."""
    group = group_of(row)
    if group is not None and claim_ids:
        groups.leave(group, claim_ids)


def take_out_the_dead(group: Group) -> int:
    """Takes out members that their own requests do not know (any more); how many. Bounded by the group's size."""
    members = groups.members(group)
    rows = {one: find(one, at_home=True) for one in {member.request_id for member in members}}
    dead = [one.claim_id for one in members if one.claim_id not in set(_known(rows[one.request_id]))]
    return groups.leave(group, dead) if dead else 0


def _known(row: RequestRow | None) -> Iterable[UUID]:
    if row is None or row.state in ENDED:
        return ()
    if row.state == SCHEDULING and row.plan is not None:
        return planned_ids(row)
    planned = planned_ids(row) if row.state == RESCHEDULING else []
    return (*planned, *(part.claim_id for part in parts_of(row) if part.state not in OVER))

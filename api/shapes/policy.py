"""Policies and aggregates: what the choice of a host goes by."""

from api.shapes.build import (
    FLAG,
    LABEL,
    LARGEST,
    NUMBER,
    TEXT,
    TIME,
    UUID,
    WHOLE,
    Shape,
    either,
    maybe,
    optional,
    page,
    ref,
    some,
    table,
    thing,
)
from api.shapes.cell import DESCRIPTION
from conductor.policies import REASON
from conductor.policy_body import FRACTIONS, NUMBERS
from providers.aggregate_members import AT_ONCE, OUTCOMES
from scheduler.filters import FILTERS

WHY: Shape = {"type": "string", "minLength": 1, "maxLength": REASON}
VERSION: Shape = {"type": "integer", "minimum": 0, "maximum": LARGEST}
FIELDS: dict[str, Shape] = {
    "filters": some(either(*(one.name for one in FILTERS))),
    "weighers": {**table(NUMBER), "description": "Multipliers by name; below zero turns a weigher round"},
    **{
        name: {
            "type": "number" if name in FRACTIONS else "integer",
            "minimum": limits.least,
            "maximum": limits.most,
            "description": limits.says,
        }
        for name, limits in NUMBERS.items()
    },
}
PROVIDERS: Shape = {**some(UUID), "maxItems": AT_ONCE}

SHAPES: dict[str, Shape] = {
    # A version may name what this release does not know any more.
    "Policy": thing(**{**FIELDS, "filters": some(TEXT)}),
    "PolicyChange": optional("What is not named stays as it is in the policy that it is based on.", **FIELDS),
    "StoredPolicy": thing(
        "Version 0 is what the settings say.",
        version=WHOLE,
        policy=ref("Policy"),
        based_on=WHOLE,
        as_shadow={**FLAG, "description": "It was made to run as the shadow"},
        reason=TEXT,
        created_by=TEXT,
        created_at=maybe(TIME),
    ),
    "StoredPolicyPage": page("StoredPolicy"),
    "NewPolicy": thing(
        "`based_on` must be the version in force.", policy=ref("PolicyChange"), based_on=VERSION, reason=WHY
    ),
    "NewShadow": thing(
        "Either what differs from the policy in force, or a version as it is.",
        "policy version",
        policy=ref("PolicyChange"),
        version=VERSION,
        reason=WHY,
    ),
    "WhyRestore": thing(reason=WHY),
    "PolicyDifference": thing(
        "The names of the hosts that were chosen, and of those that the shadow would have chosen.",
        id=UUID,
        at=TIME,
        request_id=UUID,
        version=WHOLE,
        shadow_version=WHOLE,
        resource_class=TEXT,
        chosen=some(TEXT),
        shadow_chose=some(TEXT),
    ),
    "PolicyDifferencePage": page("PolicyDifference"),
    "Aggregate": thing(
        "Members are the providers that carry its name in `aggregates`. They take requests of `tenants` (projects) and "
        "of `images` alone, empty: of all; `weighers` are the multipliers that hold for them.",
        name=LABEL,
        description=TEXT,
        tenants=some(LABEL),
        images=some(LABEL),
        weighers=table(NUMBER),
        version=WHOLE,
        created_at=maybe(TIME),
        members={**TEXT, "description": "Where they are listed"},
    ),
    "AggregatePage": page("Aggregate"),
    "NewAggregate": thing(
        optional="description tenants images weighers",
        name=LABEL,
        description=DESCRIPTION,
        tenants=some(LABEL),
        images=some(LABEL),
        weighers=table(NUMBER),
    ),
    "AggregateChange": thing(
        "What is not named stays.",
        "description tenants images weighers",
        version={"type": "integer", "minimum": 1, "maximum": LARGEST},
        description=DESCRIPTION,
        tenants=some(LABEL),
        images=some(LABEL),
        weighers=table(NUMBER),
    ),
    "MembersChange": optional(f"{AT_ONCE} providers at the most, together.", add=PROVIDERS, remove=PROVIDERS),
    "MembersChanged": thing(
        "One answer a provider.", results=some(thing(provider=UUID, outcome=either(*OUTCOMES), detail=TEXT))
    ),
}

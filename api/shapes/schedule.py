"""Schedule requests and what they come to."""

from api.shapes.build import (
    AMOUNT,
    ANYTHING,
    FLAG,
    LABEL,
    NUMBER,
    TEXT,
    UUID,
    WHOLE,
    Shape,
    either,
    maybe,
    optional,
    ref,
    some,
    table,
    thing,
)
from api.shapes.provider import PROPERTIES
from claims.groups import POLICIES_1_1, SCOPES
from scheduler.filters import FILTERS
from scheduler.types import ONE_OF, OPERATORS
from scheduler.weighers import WEIGHERS

VALUE: Shape = {"oneOf": [LABEL, AMOUNT]}
CONDITIONS = optional(
    "Since 1.1: operators in place of a value that must be equal.",
    **{name: {**some(VALUE), "minItems": 1} if name == ONE_OF else VALUE for name in OPERATORS},
)
RESOURCE = thing(
    "More than 0 of at least one amount.",
    "properties required forbidden aggregates any_of",
    resource_class=LABEL,
    amounts=table(AMOUNT),
    properties={
        "type": "object",
        "description": "A value that must be equal; since 1.1 also operators.",
        "additionalProperties": {"oneOf": [*PROPERTIES["additionalProperties"]["oneOf"], CONDITIONS]},
    },
    any_of=some({**some(LABEL), "minItems": 1}),
    required=some(LABEL),
    forbidden=some(LABEL),
    aggregates=some(LABEL),
)

SHAPES: dict[str, Shape] = {
    "Resource": RESOURCE,
    "Group": thing(
        "Where the claims on compute may be, of all requests of the project that name this group. A host without the "
        "label fails a rack or zone scope; the soft policies bar nobody. `spread` (since 1.1) lets no place have more "
        "members than the emptiest one and `max_skew`.",
        "scope max_skew",
        id=LABEL,
        policy=either(*POLICIES_1_1),
        max_skew={"type": "integer", "minimum": 1, "maximum": 1000, "default": 1},
        scope={**either(*SCOPES), "default": SCOPES[0]},
    ),
    "ScheduleRequest": thing(
        "The same `request_id` with the same body answers the first outcome again and claims nothing more.",
        "request_id project cell instance count all_or_nothing group same_host_as different_host_from "
        "filters weighers search dry_run explain",
        consumer=LABEL,
        project={**LABEL, "default": "default"},
        resources={**some(ref("Resource")), "minItems": 1, "maxItems": 16},
        request_id=UUID,
        cell=maybe(LABEL),
        instance=maybe(ref("InstanceOrder")),
        group=maybe(ref("Group")),
        same_host_as=some(UUID),
        different_host_from=some(UUID),
        count={"type": "integer", "minimum": 1, "default": 1},
        all_or_nothing={**FLAG, "default": True},
        filters=some(either(*(f.name for f in FILTERS))),
        weighers={
            **optional(**{w.name: NUMBER for w in WEIGHERS}),
            "patternProperties": {r"^free_amount\..+$": NUMBER},
        },
        search={**either("sample", "all"), "default": "sample"},
        dry_run={**FLAG, "default": False},
        explain={**FLAG, "default": False},
    ),
    "Placed": thing(
        optional="explain decision",
        request_id=UUID,
        state=either("claimed"),
        claims=some(ref("Claim")),
        attempts=WHOLE,
        explain=ref("Explanation"),
        decision=maybe(ref("Decision")),
    ),
    "Decision": thing(
        "Since 1.1. The version of the policy that decided, and what it chose from: providers that fit, in so many "
        "shards of so many. Null for a plan that was looked at first.",
        policy=WHOLE,
        search=either("sample", "all"),
        fitting=WHOLE,
        shards=WHOLE,
        of_shards=WHOLE,
    ),
    "DryRun": thing(
        "The best that fit; nothing was written. `plan` (since 1.1): where all of the request would go, to commit; "
        "null when it does not fit.",
        "plan",
        ranked=some(ref("Ranked")),
        plan=maybe(some(ref("Step"))),
        explain=ref("Explanation"),
    ),
    "PlacedOrRanked": {"oneOf": [ref("Placed"), ref("DryRun")]},
    "Ranked": thing(
        optional="root_state_version generation",
        provider=UUID,
        name=TEXT,
        cell=LABEL,
        weight=NUMBER,
        weights=table(NUMBER),
        available=table(WHOLE),
        state_version=WHOLE,
        root_state_version=WHOLE,
        generation=WHOLE,
    ),
    "Explanation": thing(
        "`considered` are the providers of that class and cell before any filter; about, when `seen` has fewer.",
        "resource_class query search seen policy changes",
        considered=WHOLE,
        funnel=some(thing(stage=TEXT, left=WHOLE, removed=WHOLE, reason=TEXT)),
        nearest=some(thing(provider=UUID, name=TEXT, short_by=table(WHOLE))),
        resource_class=TEXT,
        query=TEXT,
        search=TEXT,
        seen=thing(providers=WHOLE, shards=WHOLE, of_shards=WHOLE, seconds=NUMBER),
        policy=WHOLE,
        changes=some(
            {
                **thing(
                    what=TEXT,
                    to=ANYTHING,
                    providers=WHOLE,
                    text=TEXT,
                    by=either("request", "operator"),
                    **{"from": ANYTHING},
                ),
                "description": "Each would be enough; the smallest first.",
            }
        ),
    ),
    "Explained": thing(
        "Each resource as things are now, and the providers that were asked about.",
        explanations=some(ref("Explanation")),
        providers=some(
            thing(
                provider=UUID,
                name=TEXT,
                resource_class=TEXT,
                fits=FLAG,
                reason=maybe(TEXT),
                detail=TEXT,
                available=table(WHOLE),
                state_version=WHOLE,
            )
        ),
    ),
}

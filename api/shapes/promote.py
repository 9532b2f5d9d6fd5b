"""Plans that are looked at first and committed later."""

from api.shapes.build import FLAG, LABEL, TEXT, UUID, WHOLE, Shape, ref, some, table, thing
from api.shapes.schedule import SHAPES as SCHEDULE

_REQUEST = SCHEDULE["ScheduleRequest"]
_FIELDS = {name: shape for name, shape in _REQUEST["properties"].items() if name not in ("dry_run", "explain")}
PLAN = {**some(ref("Step")), "minItems": 1}

SHAPES: dict[str, Shape] = {
    "Step": thing(
        "Where one claim goes. What must still be so is `state_version`, and `root_state_version` when it is said.",
        "root_state_version generation",
        provider=UUID,
        state_version=WHOLE,
        root_state_version=WHOLE,
        generation=WHOLE,
    ),
    "CommitRequest": {
        **_REQUEST,
        "description": "A schedule request and the plan of its dry run: one step a claim, all resources of the first "
        "copy, then those of the next.",
        "properties": {**_FIELDS, "plan": PLAN},
        "required": [*_REQUEST["required"], "plan"],
    },
    "PlanProvider": thing(
        "A provider of a plan as it is now; `reason` is why the plan does not hold there. One that was removed has no "
        "more than that.",
        "name fits state state_version root_state_version generation available",
        provider=UUID,
        holds=FLAG,
        reason=TEXT,
        detail=TEXT,
        name=LABEL,
        fits=FLAG,
        state=TEXT,
        state_version=WHOLE,
        root_state_version=WHOLE,
        generation=WHOLE,
        available=table(WHOLE),
    ),
}

"""What operators do to a provider: its history, drains, maintenance, decommission."""

from api.shapes.build import FLAG, LABEL, TEXT, TIME, UUID, WHOLE, Shape, either, maybe, page, ref, some, thing
from api.shapes.provider import STATE
from providers.history import WHAT

REASON: Shape = {"type": "string", "minLength": 1, "maxLength": 255}

SHAPES: dict[str, Shape] = {
    "HistoryLine": thing(
        "`claims` and `instances`: how many there were when it stopped taking more, else null.",
        at=TIME,
        who=TEXT,
        what=either(*WHAT),
        **{"from": TEXT, "to": TEXT},
        why=TEXT,
        claims=maybe(WHOLE),
        instances=maybe(WHOLE),
    ),
    "HistoryPage": page("HistoryLine"),
    "Drain": thing(
        "What is on the provider and below it, and the requests it is of, a page at a time. `began` is null while it "
        "is not draining, or when that is not known any more.",
        provider=UUID,
        name=LABEL,
        state=STATE,
        state_reason=TEXT,
        state_version=WHOLE,
        began=maybe(thing(at=TIME, by=TEXT, reason=TEXT, claims=WHOLE, instances=WHOLE)),
        left=thing(claims=WHOLE, instances=WHOLE, requests=WHOLE),
        empty=FLAG,
        holders=some(thing(project=TEXT, consumer=TEXT, requests=WHOLE, claims=WHOLE, instances=WHOLE)),
        more_holders=WHOLE,
        results=some(ref("Touched")),
        next=maybe(TEXT),
    ),
    "Touched": thing(
        "`elsewhere`: so many of its other parts are on other providers. `state`: empty when it is not known any more.",
        request_id=UUID,
        consumer=TEXT,
        project=TEXT,
        state=TEXT,
        claims=WHOLE,
        instances=WHOLE,
        elsewhere=WHOLE,
    ),
    "DrainStart": thing(
        "Without `state_version`: whatever it is now.",
        "state_version",
        reason=REASON,
        state_version={"type": "integer", "minimum": 1},
    ),
    "Window": thing(
        "`in_force`: no new claims, and silence is no alarm.",
        id=UUID,
        provider=UUID,
        name=LABEL,
        **{"from": TIME, "until": TIME},
        reason=TEXT,
        planned_by=TEXT,
        planned_at=maybe(TIME),
        begun_at=maybe(TIME),
        in_force=FLAG,
    ),
    "WindowPage": page("Window"),
    "NewWindow": thing(
        "Without `from`: now. With an `id` of your own it may be sent again.",
        "id from",
        id=UUID,
        **{"from": TIME, "until": TIME},
        reason={**REASON, "maxLength": 180},
    ),
    "Decommission": thing(reason={**REASON, "maxLength": 200}),
}

"""The life of a request."""

from api.shapes.build import LABEL, TEXT, TIME, UUID, WHOLE, Shape, either, maybe, page, ref, some, table, thing
from conductor.states import ALL

REQUEST: dict[str, Shape] = {
    "request_id": UUID,
    "state": either(*ALL),
    "cell": TEXT,
    "project": TEXT,
    "consumer": TEXT,
    "reason": TEXT,
    "attempts": WHOLE,
    "created_at": maybe(TIME),
    "updated_at": maybe(TIME),
    "claims": some(ref("Claim")),
    "instances": some(ref("Instance")),
}

SHAPES: dict[str, Shape] = {
    "Request": thing(**REQUEST),
    "RequestPage": page("Request"),
    "RequestLife": thing(
        optional="explain decision failures",
        **REQUEST,
        history=some(thing(at=TIME, state=TEXT, who=TEXT, why=TEXT)),
        request={"type": "object", "description": "As it was sent"},
        requested_by=TEXT,
        failures=some(thing(at=TIME, member=WHOLE, provider=UUID, provider_name=TEXT, reason=TEXT)),
        explain=ref("Explanation"),
        decision=maybe(ref("Decision")),
    ),
    "Instance": thing(
        "What a consumed claim became; amounts are positive, what it uses.",
        claim_id=UUID,
        provider=UUID,
        provider_name=TEXT,
        cell=LABEL,
        resource_class=LABEL,
        amounts=table(WHOLE),
        state=either("active", "destroying"),
        created_at=maybe(TIME),
    ),
    "RequestState": thing(request_id=UUID, state=either(*ALL)),
    "Releasing": thing(request_id=UUID, state=either("releasing")),
}

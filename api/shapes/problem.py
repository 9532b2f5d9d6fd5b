"""Problems, and the version document."""

from api.problems import KINDS
from api.shapes.build import FLAG, TEXT, UUID, WHOLE, Shape, either, ref, some, table, thing

SHAPES: dict[str, Shape] = {
    "Problem": {
        "type": "object",
        "description": "RFC 9457. Some codes have more members: `current`, `claim_state`, `explain`, `attempts`, "
        "`changed`, `left`, `alive`.",
        "required": ["type", "title", "status", "detail", "code", "request_id"],
        "properties": {
            "type": TEXT,
            "title": TEXT,
            "status": WHOLE,
            "detail": TEXT,
            "code": either(*(kind.code for kind in KINDS)),
            "request_id": {**UUID, "description": "Of this exchange; once a request was scheduled, that request's id."},
            "errors": some(thing(field=TEXT, message=TEXT)),
            "current": {"anyOf": [ref("Provider"), ref("Aggregate"), ref("StoredPolicy")]},
            "claim_state": TEXT,
            "explain": ref("Explanation"),
            "attempts": WHOLE,
            "changed": some(ref("PlanProvider")),
            "left": thing(claims=WHOLE, instances=WHOLE),
            "alive": some(thing(provider=UUID, name=TEXT)),
            "min_version": TEXT,
            "max_version": TEXT,
        },
        "additionalProperties": False,
    },
    "Versions": thing(
        versions=some(thing(id=TEXT, min_version=TEXT, max_version=TEXT, status=TEXT)),
    ),
    "OpenApi": {"type": "object", "description": "An OpenAPI 3.1 document; YAML unless JSON is asked for"},
    "Nothing": {"type": "object", "description": "`{}`, or no body at all", "additionalProperties": False},
    "Alive": thing("Seconds: how long this holds, and when to say it again.", alive=FLAG, ttl=WHOLE, interval=WHOLE),
    "Capacity": thing(
        "`capacity` is total x ratio - reserved, and is always used + claimed + available.",
        cell={"type": ["string", "null"]},
        resource_classes=table(
            thing(
                columns=table(thing(total=WHOLE, capacity=WHOLE, used=WHOLE, claimed=WHOLE, available=WHOLE)),
                hosts=ref("HostCounts"),
            )
        ),
        hosts=ref("HostCounts"),
    ),
    "HostCounts": thing(enabled=WHOLE, disabled=WHOLE, draining=WHOLE, alive=WHOLE, dead=WHOLE),
}

"""Claims, and what a provider's agent is told of them."""

from api.shapes.build import (
    FLAG,
    LABEL,
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

REASON: Shape = {"type": "string", "maxLength": 1000}
CLAIM: dict[str, Shape] = {
    "id": UUID,
    "request_id": UUID,
    "provider": UUID,
    "provider_name": TEXT,
    "cell": LABEL,
    "resource_class": LABEL,
    "consumer": TEXT,
    "project": TEXT,
    "amounts": {**table({"type": "integer", "maximum": 0}), "description": "Negative: what it takes"},
    "state": either("held", "claimed", "notified", "building", "active"),
    "created_at": maybe(TIME),
    "expires_at": maybe(TIME),
    "generation": {**maybe(WHOLE), "description": "null in a repeated answer, once it was consumed"},
}

DESTROY: dict[str, Shape] = {
    "claim_id": UUID,
    "request_id": UUID,
    "provider": UUID,
    "consumer": TEXT,
    "amounts": table(WHOLE),
    "instance": maybe(ref("InstanceOrder")),
}

SHAPES: dict[str, Shape] = {
    "Claim": thing(**CLAIM),
    "ClaimPage": page("Claim"),
    "Order": thing(**CLAIM, instance=maybe(ref("InstanceOrder")), release_requested=FLAG),
    "OrderPage": page("Order", destroy=some(ref("DestroyOrder"))),
    "DestroyOrder": thing("Amounts are positive: what it gives back.", **DESTROY),
    "ProviderInstance": thing(
        "What a consumed claim became. Amounts are positive: what it uses.",
        **DESTROY,
        project=TEXT,
        state=either("active", "destroying"),
    ),
    "ProviderInstancePage": page("ProviderInstance"),
    "InstanceOrder": optional(
        "Handed to the agent, whose own configuration says what an image is. 8,192 bytes at the most.",
        name=LABEL,
        image=LABEL,
        metadata={"type": "object"},
    ),
    "ReleaseRequested": thing(
        "Its host was asked to stop; the claim goes when it says so.", id=UUID, release_requested=FLAG
    ),
    "ClaimState": thing(claim=UUID, request_id=UUID, state=TEXT),
    "Reason": optional(reason=REASON),
    "RequiredReason": thing(reason={**REASON, "minLength": 1}),
}

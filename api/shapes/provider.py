"""Providers, what their agents report, and their tokens."""

from api.shapes.build import (
    AMOUNT,
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
    page,
    ref,
    some,
    table,
    thing,
)

STATE = either("enabled", "disabled", "draining")
HEARTBEAT = either("agent", "none")
AMOUNTS = table(AMOUNT)
PROPERTIES = table({"oneOf": [LABEL, AMOUNT]})
REASON: Shape = {"type": "string", "maxLength": 255}
DOMAIN = optional(rack={"type": "string", "maxLength": 255}, zone={"type": "string", "maxLength": 255})
RATIO: Shape = {"type": "number", "exclusiveMinimum": 0, "maximum": 1000}

PROVIDER: dict[str, Shape] = {
    "id": UUID,
    "root": UUID,
    "name": LABEL,
    "cell": LABEL,
    "resource_class": LABEL,
    "parent": maybe(UUID),
    "state": STATE,
    "root_state": TEXT,
    "state_reason": TEXT,
    "alive": FLAG,
    "generation": WHOLE,
    "state_version": WHOLE,
    "inventory": table(ref("Inventory")),
    "amounts": table(WHOLE),
    "available": table(WHOLE),
    "properties": PROPERTIES,
    "traits": some(LABEL),
    "aggregates": some(LABEL),
    "failure_domain": thing(rack=TEXT, zone=TEXT),
    "heartbeat": HEARTBEAT,
    "claims": {**WHOLE, "description": "How many are in flight"},
    "instances": WHOLE,
}

SHAPES: dict[str, Shape] = {
    "Inventory": thing(total=AMOUNT, reserved=AMOUNT, allocation_ratio=NUMBER),
    "NewInventory": thing(optional="reserved allocation_ratio", total=AMOUNT, reserved=AMOUNT, allocation_ratio=RATIO),
    "InventoryChange": optional(total=AMOUNT, reserved=AMOUNT, allocation_ratio=RATIO),
    "Provider": thing(
        "`amounts` is its own record (capacity less what its instances use), `available` the sum with its claims.",
        **PROVIDER,
    ),
    "ReportedProvider": thing(
        "The provider after the report; since 1.2 also what became of each of `children`.",
        "children",
        **PROVIDER,
        children=some(
            thing("`refused` is empty, or why the portal does not keep it.", slot=LABEL, provider=UUID, refused=TEXT)
        ),
    ),
    "ProviderPage": page("Provider"),
    "NewProvider": thing(
        "`amounts` is a short form of `inventory`: ratio 1, nothing reserved.",
        "id parent state state_reason inventory amounts properties traits aggregates failure_domain heartbeat",
        name=LABEL,
        cell=LABEL,
        resource_class=LABEL,
        id=UUID,
        parent=maybe(UUID),
        state=STATE,
        state_reason=REASON,
        inventory=table(ref("NewInventory")),
        amounts=AMOUNTS,
        properties=PROPERTIES,
        traits=some(LABEL),
        aggregates=some(LABEL),
        failure_domain=DOMAIN,
        heartbeat=HEARTBEAT,
    ),
    "ProviderChange": thing(
        "What is not named stays. An operator may change state and state_reason, an admin all of it.",
        "name state state_reason inventory properties traits aggregates failure_domain heartbeat",
        state_version={"type": "integer", "minimum": 1},
        name=LABEL,
        state=STATE,
        state_reason=REASON,
        inventory=table(ref("InventoryChange")),
        properties=PROPERTIES,
        traits=some(LABEL),
        aggregates=some(LABEL),
        failure_domain=DOMAIN,
        heartbeat=HEARTBEAT,
    ),
    "Report": optional(
        "Totals, never what is free at the moment.",
        totals=AMOUNTS,
        inventory=table(thing(total=AMOUNT)),
        properties=PROPERTIES,
        traits=some(LABEL),
        children={
            **some(ref("ReportedChild")),
            "maxItems": 64,
            "description": "Since 1.2: all its parts. One that is not among them is left with nothing to sell",
        },
    ),
    "ReportedChild": thing(
        "A part of the host, kept as a child of its provider. `slot` names its place for ever.",
        "totals properties traits",
        slot=LABEL,
        resource_class=either("numa_node", "pci_device"),
        totals=AMOUNTS,
        properties=PROPERTIES,
        traits=some(LABEL),
    ),
    "Caller": thing(
        "`role` is empty for a user who has none; `provider` is set for an agent alone.",
        username=TEXT,
        role=either("", "viewer", "operator", "admin", "agent"),
        provider=maybe(thing(id=UUID, name=LABEL, cell=LABEL, resource_class=LABEL)),
    ),
    "IssuedToken": thing("The token is shown this once.", provider=UUID, token=TEXT),
}

"""Every reason a provider can be passed over for; API, admin, explanation and tests share these constants."""

NOT_ALIVE = "not_alive"
STATE = "state"
CAPACITY = "capacity"
PROPERTIES = "properties"
TRAITS = "traits"
AGGREGATES = "aggregates"
GROUP = "group"
SAME_TREE = "same_tree"

SENTENCES = {
    NOT_ALIVE: "no heartbeat from the host's agent within its time to live",
    STATE: "the provider or its root is disabled or draining",
    CAPACITY: "not enough of an amount is available",
    PROPERTIES: "a property differs from what was asked",
    TRAITS: "a required trait is missing or a forbidden one is present",
    AGGREGATES: "not a member of an aggregate that was asked for",
    GROUP: "the rule of the request's group keeps it from this host, rack or zone",
    SAME_TREE: "what belongs on the same tree with it does not fit there",
}

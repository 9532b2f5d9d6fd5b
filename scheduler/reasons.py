"""Every reason a provider can be passed over for; API, admin, explanation and tests share these constants."""

NOT_ALIVE = "not_alive"
STATE = "state"
CAPACITY = "capacity"
PROPERTIES = "properties"
TRAITS = "traits"
AGGREGATES = "aggregates"
GROUP = "group"
CELL = "cell"
HOSTS = "hosts"
ISOLATION = "isolation"
CROWD = "crowd"
BUILDS = "builds"
SAME_TREE = "same_tree"

SENTENCES = {
    NOT_ALIVE: "no heartbeat from the host's agent within its time to live",
    STATE: "the provider or its root is disabled or draining",
    CAPACITY: "not enough of an amount is available",
    PROPERTIES: "a property is not what was asked for",
    TRAITS: "a required trait is missing or a forbidden one is present",
    AGGREGATES: "not a member of an aggregate that was asked for",
    CELL: "in a cell that is disabled or was not asked for",
    HOSTS: "not with the requests that were named, or on a host with one that it must be apart from",
    ISOLATION: "its aggregates are kept for other projects or images",
    CROWD: "as many instances and claims as the policy allows on one host",
    BUILDS: "as many builds in flight as the policy allows on one host",
    GROUP: "the rule of the request's group keeps it from this host, rack or zone",
    SAME_TREE: "what belongs on the same tree with it does not fit there",
}

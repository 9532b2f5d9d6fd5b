"""The scenes: which act reaches which point, and what went before it. Each is played with a death before and after."""

from conductor.states import CLAIMED, FAILED, RELEASED
from tests.faults.scenes_anew import ANEW
from tests.faults.scenes_scene import BUILT, DIES, PLACED, Scene, dies
from tests.faults.scenes_stage import BREAKS, SILENT

__all__ = ["CONDUCTOR", "DIES", "PORTAL", "SCENES", "Scene"]

DEAD_AT_FIRST = (dies("schedule", "requests.new-scheduling:after"),)
DEAD_WITH_HOLDS = (dies("schedule", "requests.scheduling-claimed:before"),)
BEHIND = (dies("schedule another", "claims.take:after"),)  # its projection shows room that is not there
# The host's state version moved and its projection does not show it: the first take is refused, the second is fresh.
CHANGED_BEHIND = ("schedule another", "delete another", dies("sweep", "claims.remove_closed:after"))
ONLY_ONE_TRY = {"SCHEDULE_SUBSET": 1, "SCHEDULE_ALTERNATES": 0}
EXPIRES = {"CLAIM_DEADLINE": 0.5}

PORTAL = (
    # A request comes in.
    Scene("requests.new-scheduling", "schedule"),
    Scene("requests.new-failed", "schedule", "impossible", ends=FAILED),
    Scene("claims.take", "schedule"),
    Scene("claims.take", "schedule", "agentless", ends=CLAIMED),
    Scene("claims.take", "schedule", "host and disk"),
    Scene("claims.take", "schedule", "host and disk", number=2),
    Scene("requests.scheduling-claimed", "schedule", "host and disk"),
    Scene("claims.confirm", "schedule", "host and disk"),
    Scene("claims.confirm", "schedule", "host and disk", number=2),
    Scene("claims.take", "schedule", "one", CHANGED_BEHIND, number=2),
    Scene("claims.take", "schedule", "own class"),
    Scene("claims.join", "schedule", "apart"),
    Scene("claims.join", "schedule", "together"),
    Scene("requests.scheduling-scheduling", "schedule", "stale", BEHIND, settings=ONLY_ONE_TRY),
    Scene("requests.scheduling-failed", "schedule", "stale alone", BEHIND, FAILED, settings={"SCHEDULE_MAX_PLANS": 1}),
    Scene("requests.failed-scheduling", "schedule", "one", (*DEAD_AT_FIRST, "give up")),
    # Its host builds.
    Scene("claims.building", "building", before=PLACED),
    Scene("requests.scheduling-active", "built", before=PLACED),
    Scene("claims.consume", "built", before=PLACED),
    Scene("claims.consume", "built", "own class", PLACED),
    Scene("requests.scheduling-claimed", "built", "two on one host", PLACED),
    Scene("requests.claimed-claimed", "built", "two hosts", PLACED),
    Scene("requests.claimed-active", "built", "two hosts", (*PLACED, "built")),
    Scene("claims.active", "built", "host and disk", PLACED),
    # It could not.
    Scene("requests.scheduling-releasing", "not built", before=PLACED, ends=FAILED, agents=BREAKS),
    Scene("requests.claimed-releasing", "not built", "host and disk", PLACED, FAILED, BREAKS),
    Scene("requests.releasing-failed", "not built", "host and disk", PLACED, FAILED, BREAKS),
    # The client does not want it any more.
    Scene("requests.scheduling-releasing", "delete", before=PLACED, ends=RELEASED),
    Scene("requests.scheduling-releasing", "delete", "host and disk", DEAD_WITH_HOLDS, RELEASED),
    Scene("claims.close", "delete", before=DEAD_AT_FIRST, ends=RELEASED),
    Scene("requests.claimed-releasing", "delete", "host and disk", PLACED, RELEASED),
    Scene("claims.release", "delete", "host and disk", PLACED, RELEASED),
    Scene("requests.releasing-released", "delete", "host and disk", PLACED, RELEASED),
    Scene("claims.leave", "delete", "apart", PLACED, RELEASED),
    Scene("claims.leave", "delete", "together", PLACED, RELEASED, number=2),
    Scene("requests.active-active", "release the disk", "host and disk", (*PLACED, "built"), gone=(1,)),
    Scene("claims.to_be_released", "delete", before=("schedule", "building"), ends=RELEASED),
    Scene("requests.active-releasing", "delete", before=BUILT, ends=RELEASED),
    Scene("claims.to_be_destroyed", "delete", before=BUILT, ends=RELEASED),
    Scene("claims.destroy", "destroyed", before=(*BUILT, "delete"), ends=RELEASED),
    Scene("requests.releasing-released", "destroyed", before=(*BUILT, "delete"), ends=RELEASED),
    Scene("claims.release", "delete", "own class", PLACED, RELEASED),
    Scene("claims.destroy", "destroyed", "own class", (*BUILT, "delete"), RELEASED),
    Scene("requests.active-releasing", "destroyed", before=BUILT, ends=FAILED, agents=BREAKS),  # it ended by itself
    Scene("claims.destroy", "delete by force", before=BUILT, ends=RELEASED),
)

CONDUCTOR = (
    # A portal died: what it left is finished, or given back.
    Scene("claims.close", "conduct", before=DEAD_AT_FIRST),
    Scene("requests.scheduling-failed", "conduct", before=DEAD_AT_FIRST),
    Scene("claims.release", "conduct", "host and disk", DEAD_WITH_HOLDS),
    Scene("claims.leave", "conduct", "apart", DEAD_WITH_HOLDS),
    Scene("claims.confirm", "conduct", "host and disk", (dies("schedule", "requests.scheduling-claimed:after"),)),
    Scene("claims.consume", "conduct", before=("schedule", dies("built", "claims.consume:before"))),
    Scene("claims.active", "conduct", "host and disk", ("schedule", dies("built", "claims.active:before"))),
    Scene(
        "claims.to_be_destroyed",
        "conduct",
        before=(*BUILT, dies("delete", "claims.to_be_destroyed:before")),
        ends=RELEASED,
    ),
    Scene(
        "claims.to_be_released",
        "conduct",
        before=("schedule", "building", dies("delete", "claims.to_be_released:before")),
        ends=RELEASED,
    ),
    Scene(
        "requests.releasing-released",
        "conduct",
        before=("schedule", dies("delete", "claims.release:before")),
        ends=RELEASED,
    ),
    # A host says nothing.
    Scene("requests.scheduling-releasing", "conduct", before=PLACED, ends=FAILED, agents=SILENT, settings=EXPIRES),
    Scene("requests.claimed-releasing", "conduct", "host and disk", PLACED, FAILED, SILENT, settings=EXPIRES),
    Scene("requests.releasing-failed", "conduct", before=PLACED, ends=FAILED, agents=SILENT, settings=EXPIRES),
    # Time goes by.
    Scene("claims.remove_closed", "sweep", before=("schedule", "delete"), ends=RELEASED, settings={"CLOSED_KEPT": 0}),
    Scene("requests.retire", "retire", before=("schedule", "delete"), ends=RELEASED, settings={"REQUESTS_KEPT": -7200}),
)
SCENES = (*PORTAL, *CONDUCTOR, *ANEW)

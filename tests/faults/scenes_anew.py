"""Scenes of requests that are placed anew, since a host could not build its part, did not answer or fell silent; and of
the conductors that watch over hosts. The larger host is chosen first, so it is the one that fails."""

from conductor.states import FAILED, RELEASED
from tests.faults.scenes_scene import PLACED, Scene, dies
from tests.faults.scenes_stage import BREAKS, BUILDS, FIRST_BREAKS, FIRST_SILENT

FIRST = {"SCHEDULE_SUBSET": 1}  # of the best hosts the very best, not any
NO_ALTERNATES = {"SCHEDULE_SUBSET": 1, "SCHEDULE_ALTERNATES": 0}
LATE = {"SCHEDULE_SUBSET": 1, "ANSWER_DEADLINE": 6.0}
LOST_AT_FIRST = (*PLACED, dies("not built", "requests.rescheduling-rescheduling:before"))  # nobody has it on
HELD_ANEW = (*PLACED, dies("not built", "requests.rescheduling-claimed:before"))
SILENT_HOST = (*PLACED, "fall silent")
SILENT_AT_WORK = (*PLACED, "building", "fall silent")
DISK_LOST = (*PLACED, dies("lose the disk", "requests.rescheduling-claimed:before"))
ONE, TWO, APART, DISK = "one anew", "two anew", "apart anew", "host and disk anew"


def _says(point: str, shape: str = ONE, before: tuple[str, ...] = PLACED, number: int = 1) -> Scene:
    note = "others have built" if "built elsewhere" in before else ""
    return Scene(point, "not built", shape, before, agents=FIRST_BREAKS, settings=FIRST, number=number, note=note)


def _late(point: str, shape: str = ONE, before: tuple[str, ...] = PLACED) -> Scene:
    return Scene(point, "conduct", shape, before, agents=FIRST_SILENT, settings=LATE, note="answer deadline")


def _silent(point: str, shape: str = ONE, before: tuple[str, ...] = SILENT_AT_WORK, number: int = 1) -> Scene:
    note = "at work" if "building" in before else ""
    return Scene(point, "watch", shape, before, agents=FIRST_SILENT, settings=FIRST, number=number, note=note)


def _followed(point: str, shape: str = ONE, before: tuple[str, ...] = HELD_ANEW, number: int = 1) -> Scene:
    """By a conductor, when whoever had it on has died."""
    return Scene(point, "conduct", shape, before, agents=FIRST_BREAKS, settings=FIRST, number=number)


def _deleted(point: str, shape: str, before: tuple[str, ...] = HELD_ANEW) -> Scene:
    note = "nobody has it on" if before == LOST_AT_FIRST else ""
    return Scene(point, "delete", shape, before, RELEASED, FIRST_BREAKS, settings=FIRST, note=note)


BY_A_REPORT = (
    _says("requests.scheduling-rescheduling"),
    _says("requests.claimed-rescheduling", TWO),
    _says("requests.claimed-rescheduling", TWO, (*PLACED, "built elsewhere")),
    _says("requests.claimed-rescheduling", APART),
    _says("requests.claimed-rescheduling", DISK),
    _says("requests.rescheduling-rescheduling"),
    Scene(
        "requests.rescheduling-rescheduling",
        "not built",
        before=PLACED,
        shape=ONE,
        agents=FIRST_BREAKS,
        number=2,
        settings=NO_ALTERNATES,
        note="a new plan",
    ),
    Scene(
        "requests.rescheduling-rescheduling",
        "built elsewhere",
        TWO,
        HELD_ANEW,
        agents=FIRST_BREAKS,
        settings=FIRST,
    ),
    _says("requests.rescheduling-claimed"),
    _says("requests.rescheduling-claimed", TWO),
    _says("requests.rescheduling-claimed", APART),
    _says("requests.rescheduling-claimed", DISK),
    _says("claims.take", ONE, number=1),
    _says("claims.confirm", ONE),
    _says("claims.join", APART),
    _says("claims.release", ONE),
    _says("claims.leave", APART),
    Scene(
        "requests.rescheduling-active",
        "not built",
        "two or one",
        (*PLACED, "built elsewhere"),
        agents=FIRST_BREAKS,
        settings=FIRST,
        given_up=(0,),
    ),
    Scene("requests.rescheduling-releasing", "not built", "one nowhere", PLACED, FAILED, BREAKS),
    Scene("requests.releasing-failed", "not built", "one nowhere", PLACED, FAILED, BREAKS),
)
BY_A_CONDUCTOR = (
    _late("requests.scheduling-rescheduling"),
    _late("requests.claimed-rescheduling", TWO, (*PLACED, "built elsewhere")),
    _followed("requests.rescheduling-rescheduling", ONE, LOST_AT_FIRST),
    _followed("requests.rescheduling-rescheduling", TWO),
    _followed("requests.rescheduling-claimed"),
    _followed("requests.rescheduling-claimed", APART),
    _followed("claims.release"),
    Scene("requests.rescheduling-active", "conduct", "host and disks anew", (*DISK_LOST, "built")),
    _silent("requests.scheduling-rescheduling"),
    _silent("requests.claimed-rescheduling", TWO),
    _silent("requests.claimed-rescheduling", APART),
    _silent("requests.rescheduling-claimed"),
)
DELETED_MEANWHILE = (
    _deleted("requests.rescheduling-releasing", ONE),
    _deleted("requests.rescheduling-releasing", TWO),
    _deleted("requests.rescheduling-releasing", APART),
    _deleted("requests.rescheduling-releasing", TWO, LOST_AT_FIRST),
    _deleted("claims.close", ONE, LOST_AT_FIRST),
)
OF_HOSTS = (
    _silent("leases.take", before=SILENT_HOST),
    _silent("silent.declare", before=SILENT_HOST),
    _silent("silent.declare"),
    _silent("silent.moved", before=SILENT_HOST),
    Scene(
        "silent.heard",
        "watch",
        ONE,
        (*SILENT_AT_WORK, "watch", "come back"),
        agents=FIRST_SILENT,
        settings=FIRST,
    ),
    Scene("leases.drop", "a mass that ends", ONE, PLACED, agents=BUILDS, settings=FIRST),
    Scene("leases.give_back", "take a lease and give it back", ONE, PLACED, agents=BUILDS, settings=FIRST),
)
BY_AN_OPERATOR = (
    Scene("claims.extend", "give it time", before=PLACED),
    Scene("requests.scheduling-rescheduling", "move it", ONE, PLACED, settings=FIRST, agents=FIRST_BREAKS),
    Scene("requests.claimed-rescheduling", "move it", TWO, PLACED, settings=FIRST, agents=FIRST_BREAKS),
    Scene("requests.rescheduling-claimed", "move it", APART, PLACED, settings=FIRST, agents=FIRST_BREAKS),
)
ANEW = (*BY_A_REPORT, *BY_A_CONDUCTOR, *DELETED_MEANWHILE, *BY_AN_OPERATOR, *OF_HOSTS)

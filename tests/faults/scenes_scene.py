"""What a scene is: which act reaches which point, and what went before it."""

from dataclasses import dataclass, field

from conductor.states import ACTIVE
from tests.faults.scenes_stage import BUILDS

DIES = "="  # in a step before: `act=failpoint`, an act whose process died as well


@dataclass(frozen=True)
class Scene:
    """`act` (scenes_actor.py) dies at `point`; `ends` is the state that the request must come to afterwards, with the
    client repeating what it asked for (its deletion, when `ends` is released)."""

    point: str
    act: str
    shape: str = "one"
    before: tuple[str, ...] = ()
    ends: str = ACTIVE
    agents: str = BUILDS
    number: int = 1
    settings: dict[str, float] = field(default_factory=dict)
    gone: tuple[int, ...] = ()  # members that `act` takes away, once it is past its point
    given_up: tuple[int, ...] = ()  # members that find no place, whoever looks

    note: str = ""  # where two scenes would have one title

    @property
    def title(self) -> str:
        point = self.point if self.number == 1 else f"{self.point} #{self.number}"
        how = [self.agents] if self.agents != BUILDS else []
        return ", ".join([point, self.act, self.shape, *how, *([self.note] if self.note else [])])


def dies(act: str, failpoint: str) -> str:
    return f"{act}{DIES}{failpoint}=kill"


PLACED = ("schedule",)
BUILT = ("schedule", "building", "built")

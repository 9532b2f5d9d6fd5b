"""Work that rooms above this one have done in the conductor's process: they add it when Django begins."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


class Work(Protocol):
    """Called again and again by one thread, and told when the conductor stops."""

    def __call__(self) -> None: ...

    def give_back(self) -> None:
        """Another conductor may take it on at once."""


@dataclass(frozen=True, slots=True)
class Duty:
    make: Callable[[], Work]
    every: float  # seconds


DUTIES: list[Duty] = []


def add(make: Callable[[], Work], every: float) -> None:
    DUTIES.append(Duty(make, every))

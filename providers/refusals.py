"""What can be wrong with a change of supply; the API turns each into its status and code in one place."""

from collections.abc import Mapping
from typing import Any


class Invalid(Exception):
    """The input breaks a rule; `field` names where, in dotted form."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field, self.message = field, message


class NotFound(Exception):
    """There is no such thing (any more)."""


class Conflict(Exception):
    """True a moment ago, or in use; `current` is the thing as it is now, in its API form, when it is there."""

    def __init__(self, message: str, current: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.current = current


class Undecided(Exception):
    """A write got no answer and could not be settled in time: it may or may not have happened. Read, then repeat."""


class Busy(Undecided):
    """Others changed the thing each time between reading and writing it; nothing was done. Repeat."""

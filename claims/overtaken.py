"""Tries of a transaction that insists on what was read: whoever was overtaken reads again, after a short random pause,
so that many at once do not go on overtaking each other."""

import random
import time
from collections.abc import Iterator

TRIES = 64
FIRST, LONGEST = 0.004, 0.25  # seconds: twice as long each time


def tries() -> Iterator[int]:
    """The tries' numbers, each after its pause."""
    for number in range(TRIES):
        if number:
            time.sleep(random.uniform(0, min(LONGEST, FIRST * 2 ** min(number, 10))))
        yield number

"""Points at which a fault can be planted: before and after every transaction on a claim or a request.

Off unless the setting FAILPOINT names one, such as `claims.take:after=kill`: the process kills itself there with
SIGKILL. `stop` is SIGSTOP; `lost` makes it as if no answer came (`before`: and nothing was sent); `twice` sends it a
second time (`before`: and only the second answer is heard). `#3` at the end: only the third time that the point is
reached. For fault tests; never set it elsewhere.
"""

import os
import re
import signal
import threading
from dataclasses import dataclass

from django.conf import settings

BEFORE, AFTER = "before", "after"
KILL, STOP, LOST, TWICE = "kill", "stop", "lost", "twice"
_FORM = re.compile(r"([a-z_.-]+):(before|after)=(kill|stop|lost|twice)(?:#([1-9]\d*))?")
_lock = threading.Lock()


@dataclass(slots=True)
class Armed:
    """One fault, and how many times its point is still to be passed before it strikes (once)."""

    name: str
    phase: str
    action: str
    left: int


def parse(text: str) -> Armed | None:
    """Raises ValueError."""
    if not text:
        return None
    found = _FORM.fullmatch(text)
    if found is None:
        raise ValueError(
            f"FAILPOINT is {text!r}: it must look like claims.take:after=kill#1 (kill, stop, lost or twice)"
        )
    name, phase, action, number = found.groups()
    return Armed(name, phase, action, int(number or 1))


_armed: Armed | None = parse(settings.FAILPOINT)


def arm(text: str) -> None:
    """Plants a fault in this process; "" takes it out again."""
    global _armed
    _armed = parse(text)


def reach(name: str, phase: str) -> str:
    """Strikes if a fault is planted here. LOST: what was sent, or its answer, is to be taken for lost; TWICE: it is to
    be sent again; else empty."""
    armed = _armed
    if armed is None or armed.name != name or armed.phase != phase:
        return ""
    with _lock:
        armed.left -= 1
        if armed.left != 0:
            return ""
    if armed.action in (LOST, TWICE):
        return armed.action
    os.kill(os.getpid(), signal.SIGKILL if armed.action == KILL else signal.SIGSTOP)
    return ""

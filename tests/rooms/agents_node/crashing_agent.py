"""An agent that kills itself with SIGKILL at one place: `crashing_agent.py PLACE --config ...`.

Places: `before-write:N` and `after-write:N` (the N-th state written), `half-write:N` (the file is there, its name is
not), `spawned` (the program runs and nothing has recorded it), `forget` (the last word was said); `before-state:S` and
`after-state:S` (the first time that state S is written). `=stop` at the end: with SIGSTOP, and later it goes on.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from agents.node import instances
from agents.node.__main__ import main
from agents.node.builders import process

how = signal.SIGKILL


def die() -> None:
    os.kill(os.getpid(), how)


def crash_at_write(when: str, number: int) -> None:
    write, replace = instances.InstanceStore.write, instances.Path.replace
    writes = [0]

    def counted(self: Any, instance: Any) -> Any:
        writes[0] += 1
        if writes[0] == number and when == "before-write":
            die()
        done = write(self, instance)
        if writes[0] == number and when == "after-write":
            die()
        return done

    def half(self: Any, target: Any) -> Any:
        if writes[0] == number and when == "half-write":
            die()
        return replace(self, target)

    instances.InstanceStore.write = counted  # type: ignore[method-assign]
    instances.Path.replace = half  # type: ignore[method-assign]


def crash_at_state(when: str, state: str) -> None:
    write = instances.InstanceStore.write
    seen: set[str] = set()

    def noticed(self: Any, instance: Any) -> Any:
        is_first = instance.state == state and not seen
        seen.update({state} if is_first else ())
        if is_first and when == "before-state":
            die()
        done = write(self, instance)
        if is_first and when == "after-state":
            die()
        return done

    instances.InstanceStore.write = noticed  # type: ignore[method-assign]


def crash_when_spawned() -> None:
    spawn = process.spawn

    def spawned(*args: Any) -> Any:
        spawn(*args)
        die()

    process.spawn = spawned


def crash_at_forget() -> None:
    instances.InstanceStore.forget = lambda self, instance: die()  # type: ignore[method-assign]


place, _, number = sys.argv.pop(1).partition(":")
number, _, action = number.partition("=")
if action == "stop":
    how = signal.SIGSTOP
if place == "spawned":
    crash_when_spawned()
elif place == "forget":
    crash_at_forget()
elif place.endswith("-state"):
    crash_at_state(place, number)
else:
    crash_at_write(place, int(number))
sys.exit(main())

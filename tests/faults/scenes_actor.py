"""What the processes of a scene do: what the web process calls for a client or an agent, and what the conductor does.

Each runs as a process of its own, forked from a server that has imported all this and is not connected to anything, so
that a start costs a tenth of a second. It ends by SIGKILL where its failpoint says so.
"""

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import Connection
from typing import Any

import django

django.setup()

from django.conf import settings  # noqa: E402
from django.core.management import call_command  # noqa: E402

from claims.find import on_provider  # noqa: E402
from claims.lookups import SLOTS  # noqa: E402
from claims.types import BUILDING, CLAIMED, NOTIFIED  # noqa: E402
from conductor import lease  # noqa: E402
from conductor.intervene import give_time, move_elsewhere  # noqa: E402
from conductor.liveness import Watch, watch  # noqa: E402
from conductor.place import schedule  # noqa: E402
from conductor.progress import building, built, destroyed, not_built  # noqa: E402
from conductor.recover import recover_cell  # noqa: E402
from conductor.release import delete_request, release_claim  # noqa: E402
from conductor.retire import retire_ended  # noqa: E402
from conductor.rows import get  # noqa: E402
from conductor.states import FAILED  # noqa: E402
from conductor.sweep import sweep_claims  # noqa: E402
from conductor.types import Outcome, Placed  # noqa: E402
from providers import cells  # noqa: E402
from providers.heartbeat import beat  # noqa: E402
from providers.projection import projector  # noqa: E402
from providers.records import CLAIM, INSTANCE, Record, locate  # noqa: E402
from providers.refusals import Conflict, NotFound, Undecided  # noqa: E402
from store import failpoints  # noqa: E402
from store.failures import StoreUnavailable  # noqa: E402
from store.home import Home  # noqa: E402
from store.session import session  # noqa: E402
from tests.faults.scenes_stage import Stage  # noqa: E402

PATIENCE = 20.0  # seconds that a conductor waits for work
NOT_REACHED = 9  # exit code of who ended before its failpoint


def told(outcome: Outcome) -> tuple[str, tuple[str, ...]]:
    """What the client hears: the kind of answer, and the claims' ids."""
    claims = sorted(str(claim["id"]) for claim in outcome.claims) if isinstance(outcome, Placed) else []
    return type(outcome).__name__, tuple(claims)


def records(stage: Stage, kind: str, *states: str, agents: bool = True) -> list[Record]:
    """What the request has on the hosts with an agent (or on those without)."""
    return [
        record
        for host in stage.hosts
        if (host in stage.with_agent) == agents
        for record in on_provider(host)
        if record.kind == kind and record.request_id == stage.request_id and (not states or record.state in states)
    ]


def look_after(stage: Stage, until_failed: bool = False) -> None:
    """The conductor's loop, for this cell alone, until it was struck by its failpoint (or the request has failed)."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        recover_cell(stage.home)
        if failpoints._armed is not None and failpoints._armed.left <= 0:
            return
        if until_failed and get(stage.request_id).state == FAILED:
            return
        time.sleep(0.1)


def sweep(stage: Stage) -> None:
    """Every list of claims of the cell once."""
    for slot in range(SLOTS):
        sweep_claims(stage.home, slot, None)


def _built(stage: Stage) -> None:
    built(records(stage, CLAIM, CLAIMED, NOTIFIED, BUILDING)[0].id, None)


def _built_elsewhere(stage: Stage) -> None:
    """By every host but the first."""
    for record in records(stage, CLAIM, CLAIMED, NOTIFIED, BUILDING):
        if record.root_id != stage.hosts[0]:
            built(record.id, None)


def _move_it(stage: Stage) -> None:
    """An operator takes what is on the first host from it."""
    for record in records(stage, CLAIM):
        if record.root_id == stage.hosts[0]:
            move_elsewhere(record.id, "an operator", "it is slow")


def _fall_silent(stage: Stage) -> None:
    """The first host is not heard from any more: its last heartbeat counts for a second, and that is over."""
    kept = settings.HEARTBEAT_TTL, settings.HEARTBEAT_INTERVAL
    settings.HEARTBEAT_TTL, settings.HEARTBEAT_INTERVAL = 1, 0
    beat(locate(stage.hosts[0]))
    settings.HEARTBEAT_TTL, settings.HEARTBEAT_INTERVAL = kept
    time.sleep(2.1)


def _watch(stage: Stage) -> bool:
    """A conductor's look at who lives, until its failpoint struck (or one round was made, when there is none)."""
    seen, until = Watch(stage.home), time.monotonic() + PATIENCE
    while time.monotonic() < until:
        done = watch(seen)
        if failpoints._armed is None and done is not None:
            return True
        if failpoints._armed is not None and failpoints._armed.left <= 0:
            return True
        time.sleep(0.2)
    return False


def _mass_that_ends(stage: Stage) -> None:
    """So many fall silent that they are waited for, and come back."""
    settings.SILENT_AT_ONCE, settings.SILENT_SHARE = 0, 0.0
    seen = Watch(stage.home)
    _fall_silent(stage)
    watch(seen)
    beat(locate(stage.hosts[0]))
    watch(seen)


def _lease(stage: Stage) -> None:
    lease.take(stage.home, f"scene:{stage.cell}", 30)
    lease.give_back(stage.home, f"scene:{stage.cell}")


def _destroyed(stage: Stage) -> None:
    instance = records(stage, INSTANCE)[0]
    destroyed(stage.request_id, instance.provider_id)


ACTS: dict[str, Callable[[Stage], Any]] = {
    "schedule": lambda stage: told(schedule(stage.request())),
    "schedule another": lambda stage: told(schedule(stage.other())),
    "delete another": lambda stage: delete_request(stage.other_id, "somebody"),
    "building": lambda stage: building(records(stage, CLAIM, CLAIMED, NOTIFIED)[0].id, None),
    "built": _built,
    "not built": lambda stage: not_built(records(stage, CLAIM)[0].id, None, "no such image"),
    "destroyed": _destroyed,
    "delete": lambda stage: delete_request(stage.request_id, "me"),
    "delete by force": lambda stage: delete_request(stage.request_id, "admin", force=True),
    "release the disk": lambda stage: release_claim(records(stage, CLAIM, agents=False)[0].id, "me"),
    "release one": lambda stage: release_claim(records(stage, CLAIM)[0].id, "me"),
    "conduct": look_after,
    "give up": lambda stage: look_after(stage, until_failed=True),
    "sweep": sweep,
    "retire": lambda stage: retire_ended(stage.home),
    "built elsewhere": _built_elsewhere,
    "lose the disk": lambda stage: not_built(records(stage, CLAIM, agents=False)[0].id, None, "the pool is broken"),
    "give it time": lambda stage: give_time(records(stage, CLAIM)[0].id, 60.0, "an operator", "it is slow"),
    "move it": _move_it,
    "fall silent": _fall_silent,
    "come back": lambda stage: beat(locate(stage.hosts[0])),
    "watch": _watch,
    "a mass that ends": _mass_that_ends,
    "take a lease and give it back": _lease,
}


def _connect() -> None:
    """Many start at once here, and a busy machine lets some of their first connections time out."""
    for _ in range(10):
        with contextlib.suppress(StoreUnavailable):
            session()
            return


def act(names: Sequence[str], stage: Stage, failpoint: str, answers: Connection) -> None:
    """A process's whole life: one act after the other, the last with the failpoint. Tells what came of it, if it lives
    that long."""
    for setting, value in stage.settings.items():
        setattr(settings, setting, value)
    _connect()
    result: Any = None
    for number, name in enumerate(names, 1):
        failpoints.arm(failpoint if number == len(names) else "")
        try:
            result = ACTS[name](stage)
        except (Conflict, NotFound, StoreUnavailable, Undecided) as refused:  # somebody else was first, or no answer
            result = (type(refused).__name__, str(refused))
    projector().drain()
    if failpoints._armed is not None and failpoints._armed.left > 0:
        raise SystemExit(NOT_REACHED)
    answers.send(result if isinstance(result, (bool, int, tuple)) else None)


def conduct(homes: Sequence[Home], changed: Mapping[str, float], ready: Connection) -> None:
    """`manage.py run_conductor`, for the cells of these scenes: those of other tests would only cost time."""
    for setting, value in changed.items():
        setattr(settings, setting, value)
    every = cells.all_cells
    cells.all_homes = lambda: list(homes)
    cells.all_cells = lambda: [cell for cell in every() if cell.home in homes]
    _connect()
    ready.send(True)
    call_command("run_conductor")

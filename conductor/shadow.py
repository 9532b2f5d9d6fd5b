"""Asks the shadow policy what it would have chosen, beside the real decision and behind its answer; notes what differs.

Both are asked again with the same luck: the same sample, and the best one instead of a random one of the best, so that
what differs is the policies' doing. With more requests than this process can ask about, some are left out.
"""

import logging
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from uuid import UUID

from conductor.decide import decide
from conductor.policies import StoredPolicy, in_force, shadow
from conductor.policy_differences import note_difference
from conductor.types import Decision, ScheduleRequest

log = logging.getLogger("sched_portal.conductor")

WAITING = 100  # requests that wait to be asked about

_pool = ThreadPoolExecutor(1, thread_name_prefix="shadow")
_room = threading.Semaphore(WAITING)


def ask_the_shadow(request: ScheduleRequest, request_id: UUID) -> None:
    """Returns at once; does nothing while no policy is run as a shadow."""
    beside = shadow()
    if beside is None or not _room.acquire(blocking=False):
        return
    try:
        _pool.submit(_ask, request, request_id, in_force(), beside)
    except RuntimeError:  # the process ends
        _room.release()


def _ask(request: ScheduleRequest, request_id: UUID, real: StoredPolicy, beside: StoredPolicy) -> None:
    try:
        luck = request_id.int
        one, other = (_names(_best(request, stored, luck)) for stored in (real, beside))
        if one != other:
            of_class = request.resources[0].resource_class
            note_difference(request_id, real.version, beside.version, of_class, one, other)
    except Exception:  # it decides nothing, so it may not hurt anything
        log.warning("the shadow policy could not be asked about request %s", request_id, exc_info=True)
    finally:
        _room.release()


def _best(request: ScheduleRequest, stored: StoredPolicy, luck: int) -> Decision:
    return decide(request, random.Random(luck), replace(stored.policy, subset=1))


def _names(decision: Decision) -> list[str]:
    """The providers it chose, in the order of the request's claims; none when nothing fits."""
    return [unit.tries[0].name for unit in decision.assignment.units] if decision.assignment else []

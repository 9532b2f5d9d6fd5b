"""Maintenance takes force and ends by itself: a round of any conductor sets the host draining, and enables it again.

Each step is an ordinary change of the host, if nobody changed it meanwhile, so any number of conductors may do it at
once; a clock that is wrong begins or ends a window at the wrong time, and does nothing else.
"""

import datetime as dt
import logging
import random
from collections.abc import Collection
from uuid import UUID

from providers.change import Changes, change
from providers.history import MAINTENANCE, remember
from providers.maintenance_windows import BEGINNING, Window, find_window, set_columns, take_off, windows_of
from providers.records import locate, read_provider
from providers.refusals import Busy, Conflict, NotFound, Undecided
from providers.register import DRAINING, ENABLED
from store.home import Home

log = logging.getLogger("sched_portal.providers")

WHO = "maintenance"
AT_ONCE = 200  # windows that one round begins or ends; the next goes on
TRIES = 8


def in_maintenance(home: Home, provider_ids: Collection[UUID], now: dt.datetime) -> set[UUID]:
    """Those of these roots of one cell that are in a window now: their silence is no alarm."""
    return {one.provider_id for one in windows_of(home, provider_ids) if one.is_in_force(now)}


def begin_and_end_windows(home: Home) -> int:
    """What is due in a cell; how many windows began or ended. Repeated every few seconds, by every conductor."""
    now = dt.datetime.now(dt.UTC)
    due = [one for one in windows_of(home) if _is_over(one, now) or (one.begun_at is None and one.from_at <= now)]
    random.shuffle(due)  # conductors that look at the same moment begin with different ones
    done = 0
    for one in due[:AT_ONCE]:
        try:
            _end(one, WHO, now) if _is_over(one, now) else _begin(one, now)
            done += 1
        except Conflict:  # somebody changed the host just now: the next round looks again
            continue
        except Undecided as error:
            log.info("maintenance %s: %s", one.id, error)
    return done


def cancel(provider_id: UUID, window_id: UUID, who: str) -> None:
    """Ends it now, or takes back what was planned. Raises NotFound, Undecided."""
    home = locate(provider_id).home
    window = find_window(home, provider_id, window_id)
    if not set_columns(window, cancelled_by=who):
        raise NotFound(f"no maintenance {window_id} of provider {provider_id}")
    for _ in range(TRIES):
        try:
            _end(window, who, dt.datetime.now(dt.UTC), "cancelled")
            return
        except Conflict:
            continue
    raise Busy(f"provider {provider_id} is being changed by others all the time; repeat")


def _is_over(window: Window, now: dt.datetime) -> bool:
    return window.until_at <= now or bool(window.cancelled_by)


def _begin(window: Window, now: dt.datetime) -> None:
    """An enabled host drains; one that is disabled or draining already stays as it is, also at the end."""
    try:
        _, own = read_provider(window.provider_id)
    except NotFound:
        take_off(window)
        return
    if own.row["state"] == ENABLED:
        changes = Changes({"state": DRAINING, "state_reason": window.state_reason}, {}, {})
        change(own.id, own.state_version, changes, WHO)
        log.info("%s: %s", window.name, window.state_reason)
    elif (own.row["state_reason"] or "").startswith(BEGINNING) and own.row["state_reason"] != window.state_reason:
        raise Conflict("the window before it is about to end, and would enable the host")
    # After it: a conductor that dies before this is followed by one that finds the state set, and says so here.
    if not set_columns(window, begun_at=now):
        _give_back(window, WHO)  # it was cancelled, or ended, since the list was read


def _end(window: Window, who: str, now: dt.datetime, how: str = "ended") -> None:
    """The host is enabled again if it is as the window set it; what anybody did to it since stays."""
    try:
        _give_back(window, who)
    except NotFound:
        take_off(window)
        return
    if take_off(window):  # of several conductors one tells
        before = "planned" if window.from_at > now else "in force"
        who = window.cancelled_by or who
        remember(window.home, window.provider_id, who, MAINTENANCE, before, how, window.reason)


def _give_back(window: Window, who: str) -> None:
    _, own = read_provider(window.provider_id)
    if (own.row["state"], own.row["state_reason"]) == (DRAINING, window.state_reason):
        change(own.id, own.state_version, Changes({"state": ENABLED, "state_reason": ""}, {}, {}), who)
        log.info("%s: the maintenance is over", window.name)

"""Lets a process that has used the driver end at once."""

from __future__ import annotations

import atexit

from cassandra.io import libevreactor


def end_event_loop_at_exit() -> None:
    """Call once, after the driver is imported and before other exit functions that close clusters are registered.

    Works around scylla-driver 3.29 (cassandra/io/libevreactor.py): its exit function stops the watcher that would
    stop the loop's timer, then joins the loop for up to 5 s while the timer of the last timeout still runs, even
    after Cluster.shutdown(). Marking the loop as shut down before that lets the watcher stop the timer.
    Can go when a script that connects, shuts down and ends takes well under a second without it.
    """
    atexit.register(_end_event_loop)


def _end_event_loop() -> None:
    loop = libevreactor._global_loop
    if loop is not None and loop._thread is not None:
        loop._shutdown = True
        loop.notify()
        loop._thread.join(1.0)

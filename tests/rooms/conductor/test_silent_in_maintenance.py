"""A host that is being worked on may be silent: nobody declares it, until its window is over."""

import datetime as dt

from conductor.liveness import Watch, watch
from providers.heartbeat import beat, silence
from providers.maintenance import cancel
from providers.maintenance_windows import plan
from providers.records import locate
from providers.silent import silent_among


def test_its_silence_is_no_alarm_while_the_window_is_in_force(cell, host, settings):
    settings.HEARTBEAT_TTL, settings.HEARTBEAT_INTERVAL, settings.LIVENESS_INTERVAL = 0, 0, 0.1
    own, other = host("being worked on"), host("dies")
    for one in (own, other):
        silence(locate(one.id))
        beat(locate(one.id))  # counts for nothing: it is silent at once
    now = dt.datetime.now(dt.UTC)
    window = plan(own.id, now, now + dt.timedelta(hours=1), "new rails", "tester")
    seen = Watch(cell.home)
    done = watch(seen)
    assert done is not None
    assert silent_among(cell.home, [own.id, other.id]) == {other.id}
    cancel(own.id, window.id, "tester")
    done = watch(seen)
    assert done is not None
    assert silent_among(cell.home, [own.id, other.id]) == {own.id, other.id}

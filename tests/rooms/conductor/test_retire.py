"""Ended requests leave the table of transactions, and can still be found and repeated."""

import datetime as dt
import uuid

from conductor.find import read_request
from conductor.place import schedule
from conductor.release import delete_request
from conductor.retire import retire_ended
from conductor.rows import find
from conductor.types import NoValidHost, Placed, ScheduleRequest
from scheduler.types import Resource
from store.session import keyspace, read, write


def request(cell, request_id, vcpus=2):
    resource = Resource("compute", {"vcpus": vcpus})
    body = {"vcpus": vcpus}
    return ScheduleRequest("me", "project", (resource,), body, "somebody", request_id=request_id, cell=cell.name)


def test_ended_requests_are_retired_and_still_answer(cell, host, settings):
    host(heartbeat="none")
    settings.REQUESTS_KEPT = -7200  # this hour is old enough
    running, ended, refused = uuid.uuid4(), uuid.uuid4(), uuid.uuid4()
    assert isinstance(schedule(request(cell, running)), Placed)
    assert isinstance(schedule(request(cell, ended)), Placed)
    assert isinstance(schedule(request(cell, refused, 99)), NoValidHost)
    assert delete_request(ended, "me")

    assert retire_ended(cell.home) == 2
    rows = read(f"SELECT request_id FROM {keyspace('dc1')}.requests WHERE request_id IN ?", [[running, ended, refused]])
    assert [row["request_id"] for row in rows] == [running]
    assert read_request(ended).state == "released"
    assert read_request(running).state == "claimed"
    again = schedule(request(cell, refused, 99))
    assert isinstance(again, NoValidHost)
    assert again.explanation["nearest"][0]["short_by"] == {"vcpus": 95}

    assert retire_ended(cell.home) == 0  # looked at a moment ago
    assert delete_request(running, "me")
    hour = dt.datetime.now(dt.UTC).replace(minute=0, second=0, microsecond=0)
    write(
        f"INSERT INTO {keyspace('dc1')}.request_hours (cell, hour, looked_at) VALUES (?, ?, ?)",
        [cell.name, hour, hour - dt.timedelta(days=1)],
    )
    assert retire_ended(cell.home) == 1
    found = find(running)
    assert found is not None
    assert found.is_retired
    assert found.state == "released"

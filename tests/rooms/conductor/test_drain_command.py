"""`manage.py drain`: what is on a provider, the drain, and its progress until nothing is left."""

import io
import threading
import uuid

import pytest
from django.core.management import CommandError, call_command

from conductor.place import schedule
from conductor.release import delete_request
from conductor.types import ScheduleRequest
from providers.change import Changes, change
from providers.records import read_provider
from scheduler.types import Resource


@pytest.fixture
def ask(cell):
    def make():
        body = {"n": str(uuid.uuid4())}
        resources = (Resource("compute", {"vcpus": 2}),)
        return schedule(ScheduleRequest("alice", "web", resources, body, "tester", cell=cell.name)).request_id

    return make


def drain(*arguments):
    out = io.StringIO()
    call_command("drain", *arguments, stdout=out)
    return out.getvalue()


def test_it_shows_begins_and_waits_until_nothing_is_left(host, ask):
    name = f"host-{uuid.uuid4().hex[:8]}"
    own = host(name)
    one, two = ask(), ask()
    shown = drain(name)
    assert f"{name} ({own.id}) is enabled" in shown
    assert f"{one}  claimed     web/alice: 1 claim" in shown
    assert "left: 2 claims" in shown
    assert read_provider(own.id)[1].row["state"] == "enabled"
    for request, after in ((one, 0.5), (two, 1.5)):
        threading.Timer(after, delete_request, [request, "tester"]).start()
    told = drain(str(own.id), "--reason", "new disks", "--wait", "--interval", "0.1")
    assert "is draining: new disks" in told
    assert "left: 2 claims (0 of 2 gone)" in told
    assert "left: 1 claim (1 of 2 gone)" in told
    assert told.endswith("empty\n")
    row = read_provider(own.id)[1].row
    assert (row["state"], row["state_reason"]) == ("draining", "new disks")
    assert "empty" in drain(name, "--wait")


def test_a_drain_that_somebody_ends_ends_the_waiting(host, ask):
    own = host()
    ask()

    def enable():
        change(own.id, read_provider(own.id)[1].state_version, Changes({"state": "enabled"}, {}, {}), "somebody")

    threading.Timer(1, enable).start()
    with pytest.raises(CommandError, match="it is enabled now"):
        drain(str(own.id), "--reason", "x", "--wait", "--interval", "0.1")


def test_mistakes(host):
    name = f"twice-{uuid.uuid4().hex[:8]}"
    own = host(name)
    host(name)
    for arguments, said in (
        (["nothing-like-it"], "no provider is called"),
        ([name], "more than one provider"),
        ([str(uuid.uuid4())], "no provider"),
        ([str(own.id), "--wait"], "it does not drain"),
        ([str(own.id), "--reason", "x" * 256], "--reason"),
    ):
        with pytest.raises(CommandError, match=said):
            drain(*arguments)

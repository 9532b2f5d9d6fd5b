"""Claims released and requests ended from the admin: what is asked, what is done, what is said, and who may."""

import uuid

import pytest
from django.contrib.admin.models import LogEntry

from claims import mark
from claims.find import find
from conductor.find import read_request
from conductor.place import schedule
from conductor.progress import built, not_built
from conductor.types import ScheduleRequest
from providers.heartbeat import silence
from providers.records import locate, read_provider
from providers.refusals import Busy, NotFound
from scheduler.types import Resource
from store.failures import StoreUnavailable

CLAIMS, REQUESTS = "/admin/claims/claimrecord/", "/admin/conductor/requestrecord/"
RELEASE = f"{REQUESTS}release-claims/"


@pytest.fixture
def ask(cell):
    """Schedules a request of compute in the test's cell; its id and the ids of its claims."""

    def make(count=1, consumer="alice"):
        outcome = schedule(
            ScheduleRequest(
                consumer=consumer,
                project="p1",
                resources=(Resource("compute", {"vcpus": 2, "memory_mb": 512}),),
                body={"consumer": consumer, "n": str(uuid.uuid4())},
                username="tester",
                cell=cell.name,
                count=count,
            )
        )
        return outcome.request_id, [uuid.UUID(claim["id"]) for claim in outcome.claims]

    return make


def available(own):
    return read_provider(own.id)[1].available["vcpus"]


def said(answer):
    return [str(message) for message in answer.context["messages"]]


def outcomes(answer):
    return [str(row[1]) for section in answer.context["sections"] for row in section.rows]


def state(request_id):
    return read_request(request_id).state


def test_a_claim_is_released_from_its_page(ask, host, sign_in):
    own = host(heartbeat="none")
    request_id, [claim] = ask()
    operator = sign_in("operator")
    page = operator.get(f"{CLAIMS}{claim}/change/")
    assert f"{RELEASE}?claim={claim}" in page.content.decode()
    asked = operator.get(RELEASE, {"claim": claim})
    assert outcomes(asked) == ["claimed: released at once", "Ends: nothing of it is left."]
    assert available(own) == 6  # asking does nothing

    done = operator.post(f"{RELEASE}?claim={claim}", {"reason": "wrong project"}, follow=True)
    assert said(done) == [f"Released 1: alice on {own.row['name']}"]
    assert done.redirect_chain[-1][0] == f"{REQUESTS}{request_id}/change/"
    assert (available(own), state(request_id)) == (8, "released")
    with pytest.raises(NotFound):
        find(claim)
    assert ("operator-0", "wrong project: claim " + str(claim)) in {
        (line["who"], line["why"]) for line in read_request(request_id).history
    }
    assert "Released: wrong project" in operator.get(f"{REQUESTS}{request_id}/history/").content.decode()
    again = operator.post(f"{RELEASE}?claim={claim}", {"reason": "over"})
    assert "it has ended" in again.content.decode()
    assert available(own) == 8


def test_several_are_released_from_the_list_and_each_says_what_came_of_it(ask, host, sign_in, cell):
    free = host("agentless", heartbeat="none", amounts={"vcpus": 4, "memory_mb": 8192, "disk_gb": 1})
    both, two = ask(count=2)
    busy = host("busy")
    built_request, [consumed] = ask(consumer="bob")
    building_request, [building] = ask(consumer="carol")
    mark.building(find(consumed))
    built(consumed, busy.id)
    mark.building(find(building))
    operator = sign_in("operator")
    listed = operator.get(CLAIMS, {"cell": cell.name}).content.decode()
    for claim in (*two, building):
        assert f'name="claim" value="{claim}"' in listed
    assert str(consumed) not in listed  # an instance now

    gone = uuid.uuid4()
    query = "&".join(f"claim={key}" for key in (*two, consumed, building, gone))
    asked = outcomes(operator.get(f"{RELEASE}?{query}"))
    assert asked[:2] == ["claimed: released at once"] * 2
    assert "it was consumed" in asked[2]
    assert asked[3] == "building: busy is asked to stop; released when it says so"
    assert "it has ended" in asked[4]
    assert asked[5:] == ["Ends: nothing of it is left."] * 2

    answer = operator.post(f"{RELEASE}?{query}", {"reason": "over"}, follow=True)
    messages = " | ".join(said(answer))
    assert "Released 2: alice on agentless, alice on agentless" in messages
    assert f"busy was asked to stop: claim {building}" in messages
    assert f"Claim {consumed} is refused: it was consumed" in messages
    assert f"Claim {gone} is refused" in messages
    assert (available(free), state(both), state(built_request)) == (4, "released", "active")
    assert find(building).release_requested
    assert state(building_request) == "releasing"
    not_built(building, busy.id, "stopped")
    assert state(building_request) == "released"
    assert available(busy) == 6


def test_one_of_two_leaves_its_request(ask, host, sign_in):
    host(heartbeat="none")
    request_id, two = ask(count=2)
    operator = sign_in("operator")
    assert outcomes(operator.get(RELEASE, {"claim": two[0]}))[-1] == "Stays: 1 of its parts are left."
    operator.post(f"{RELEASE}?claim={two[0]}", {"reason": "over"})
    assert state(request_id) == "claimed"
    assert find(two[1]).state == "claimed"


def test_viewers_take_nothing_back(ask, host, sign_in):
    host(heartbeat="none")
    request_id, [claim] = ask()
    viewer = sign_in("viewer")
    assert "release-claims" not in viewer.get(f"{CLAIMS}{claim}/change/").content.decode()
    assert 'name="claim"' not in viewer.get(CLAIMS).content.decode()
    assert f"{request_id}/delete/" not in viewer.get(f"{REQUESTS}{request_id}/change/").content.decode()
    for url in (f"{RELEASE}?claim={claim}", f"{REQUESTS}{request_id}/delete/"):
        assert viewer.get(url).status_code == 403
        assert viewer.post(url, {"reason": "x", "post": "yes"}).status_code == 403
    assert find(claim).state == "claimed"


@pytest.mark.parametrize("query", ["", "?claim=x", "?" + "&".join(f"claim={n}" for n in range(101))])
def test_a_choice_of_nothing_or_too_much_is_said(cassandra, browser, query):
    answer = browser.get(RELEASE + query, follow=True)
    assert answer.status_code == 200
    text = answer.content.decode()
    assert "No claim was chosen" in text or "Choose 1 to 100" in text or "Nothing to release" in text


def test_what_was_not_decided_is_said_and_no_500(ask, host, browser, monkeypatch):
    host(heartbeat="none")
    _, [one] = ask()
    _, [two] = ask()

    def fails(error):
        def release_claim(*args):
            raise error

        monkeypatch.setattr("conductor.release_admin.release_claim", release_claim)
        return " ".join(said(browser.post(f"{RELEASE}?claim={one}&claim={two}", {"reason": "over"}, follow=True)))

    busy = fails(Busy("being changed by others all the time; repeat"))
    assert f"Claim {one} is refused: being changed" in busy
    assert f"Claim {two} is refused: being changed" in busy
    away = fails(StoreUnavailable("too few replicas alive in dc1"))
    assert f"Claim {one}: too few replicas" in away
    assert "is not known" in away
    assert str(two) not in away


def test_a_request_is_ended(ask, host, sign_in):
    own = host(heartbeat="none")
    request_id, [claim] = ask()
    operator = sign_in("operator")
    url = f"{REQUESTS}{request_id}/delete/"
    assert url in operator.get(f"{REQUESTS}{request_id}/change/").content.decode()
    asked = operator.get(url)
    assert outcomes(asked) == ["claimed: released at once"]
    assert "force" not in asked.context["form"].fields
    assert available(own) == 6
    done = operator.post(url, {"reason": "not needed"}, follow=True)
    assert "It has ended: nothing of it is left." in said(done)
    assert (state(request_id), available(own)) == ("released", 8)
    text = done.content.decode()
    assert "not needed" in text
    assert "Nothing is claimed." not in text  # what was claimed stays told
    assert f"{CLAIMS}{claim}/change/" not in text  # but there is no page of it
    assert "It has ended already." in operator.post(url, {"reason": "again"}).content.decode()
    assert LogEntry.objects.filter(object_id=str(request_id)).get().get_change_message() == "Deleted: not needed"


def test_a_dead_hosts_instance_is_given_up_by_force_with_a_reason_by_admins_alone(ask, host, sign_in):
    own = host()
    request_id, [claim] = ask()
    mark.building(find(claim))
    built(claim, own.id)
    url = f"{REQUESTS}{request_id}/delete/"
    waiting = sign_in("operator").post(url, {"reason": "over", "force": "on"}, follow=True)
    assert "Its hosts were asked" in said(waiting)[0]
    assert (state(request_id), available(own)) == ("releasing", 6)

    admin = sign_in("admin")
    refused = admin.post(url, {"reason": "", "force": "on"})
    assert "This field is required." in refused.content.decode()
    assert state(request_id) == "releasing"
    alive = admin.post(url, {"reason": "its rack burnt down", "force": "on"})
    assert f"alive: {own.row['name']}" in alive.content.decode()
    assert state(request_id) == "releasing"
    silence(locate(own.id))
    admin.post(url, {"reason": "its rack burnt down", "force": "on"})
    assert (state(request_id), available(own)) == ("released", 8)
    assert "Forced to end: its rack burnt down" in admin.get(f"{REQUESTS}{request_id}/history/").content.decode()


def test_a_request_that_cannot_be_ended_now_says_so(ask, host, browser, monkeypatch):
    host(heartbeat="none")
    request_id, _ = ask()
    for error, text in ((Busy("repeat"), "Not done: repeat"), (StoreUnavailable("away"), "not known")):

        def fails(*args, error=error):
            raise error

        monkeypatch.setattr("conductor.release_admin.delete_request", fails)
        answer = browser.post(f"{REQUESTS}{request_id}/delete/", {"reason": "over"})
        assert answer.status_code == 200
        assert text in answer.content.decode()
    missing = browser.get(f"{REQUESTS}{uuid.uuid4()}/delete/", follow=True)
    assert "There is no request" in missing.content.decode()

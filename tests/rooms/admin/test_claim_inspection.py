"""Claims in flight: what keeps them, stuck ones first, and what an operator does about it, who did it, and why."""

import datetime as dt
import uuid

import pytest
from django.contrib.admin.models import LogEntry

from claims import mark
from claims.extend import extend
from claims.find import find
from claims.release import release
from claims.types import Already, Done, Not
from conductor import in_flight, open_work
from conductor.deadlines import due_by
from conductor.find import read_request
from conductor.place import schedule
from conductor.progress import building, built
from conductor.types import ScheduleRequest
from events.look_back import Wanted, look
from events.types import CLAIM_CHANGED
from providers.heartbeat import silence
from providers.records import locate, read_provider
from providers.silent import Silent, declare
from scheduler.types import Resource
from store.session import write_many

CLAIMS, REQUESTS = "/admin/claims/claimrecord/", "/admin/conductor/requestrecord/"


@pytest.fixture
def ask(cell):
    """Schedules a request that can be placed anew; its id and its claims."""

    def make(count=1, consumer="alice", **more):
        amounts = {"vcpus": 2, "memory_mb": 512}
        body = {
            "consumer": consumer,
            "cell": cell.name,
            "resources": [{"resource_class": "compute", "amounts": amounts}],
        }
        outcome = schedule(
            ScheduleRequest(
                consumer=consumer,
                project="p1",
                resources=(Resource("compute", amounts),),
                body={**body, "n": str(uuid.uuid4())},
                username="tester",
                cell=cell.name,
                count=count,
                **more,
            )
        )
        return outcome.request_id, [uuid.UUID(claim["id"]) for claim in outcome.claims]

    return make


@pytest.fixture
def operator(sign_in):
    return sign_in("operator")


def page(claim, action="change"):
    return f"{CLAIMS}{claim}/{action}/"


def listed(client, cell, **asked):
    answer = client.get(CLAIMS, {"cell": cell.name, **asked})
    assert answer.status_code == 200
    return [url.split("/")[-3] for url, *_ in answer.context["rows"]], answer


def said(answer):
    return [str(message) for message in answer.context["messages"]]


def fact(answer, title, label):
    section = next(one for one in answer.context["sections"] if one.title == title)
    return str(dict(section.facts)[label])


def silenced(own):
    silence(locate(own.id))
    row = own.row
    host = Silent(own.id, row["name"], row["resource_class"], row["shard"], None, dt.datetime.now(dt.UTC), False)
    assert declare(locate(own.id).home, host)


class TestWhatKeepsIt:
    def test_stuck_ones_come_first_and_say_why(self, ask, host, operator, cell, monkeypatch):
        host()
        _, [old] = ask()
        _, [young] = ask()
        assert listed(operator, cell)[0] == [str(old), str(young)]
        monkeypatch.setattr(in_flight, "GRACE", 0.0)
        dead = host("dead")
        _, claims = ask(count=2, consumer="bob")
        silenced(dead)
        on_dead = sorted(str(one) for one in claims if find(one).root_id == dead.id)  # made in one moment
        if on_dead:  # else both found room on the first host
            rows, answer = listed(operator, cell)
            assert rows[: len(on_dead)] == on_dead
            assert "its host was not heard from any more" in answer.content.decode()
            assert listed(operator, cell, keeps="stuck")[0] == on_dead

    def test_a_host_that_did_not_begin(self, ask, host, operator, cell, settings, monkeypatch):
        host()
        _, [claim] = ask()
        assert fact(operator.get(page(claim)), "Claim", "What keeps it") == "nothing"
        settings.ANSWER_DEADLINE = -30.0
        told = fact(operator.get(page(claim)), "Claim", "What keeps it")
        assert told == "its host did not begin within -30 s, and no conductor has moved it on"
        building(claim, None)
        assert fact(operator.get(page(claim)), "Claim", "What keeps it") == "nothing"

    def test_one_whose_request_is_over_or_gone(self, ask, host, cell, monkeypatch, settings):
        """What a process that died left: the row is there no more, the claim is."""
        host()
        _, [claim] = ask()
        settings.ANSWER_DEADLINE = -30.0
        record = find(claim)
        monkeypatch.setattr(in_flight, "find_many", lambda ids: {})
        assert in_flight.judge([record])[0].problem.startswith("its request is not there")

    def test_asked_back_and_its_host_does_not_stop(self, ask, host, cell, settings):
        own = host()
        _, [claim] = ask()
        building(claim, None)
        mark.to_be_released(find(claim))
        assert in_flight.judge([find(claim)])[0].problem == ""
        settings.CLAIM_DEADLINE = 600.0
        silenced(own)
        assert "end its request by force" in in_flight.judge([find(claim)])[0].problem

    def test_requests_that_wait_for_a_conductor(self, ask, host, operator, cell, monkeypatch):
        host()
        request_id, _ = ask()
        home = cell.home
        due = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=30)
        write_many([open_work.put_on(home, request_id, due)])
        [one] = in_flight.overdue_requests(cell.name)
        assert (one.request_id, one.row.state) == (request_id, "scheduling")
        _, answer = listed(operator, cell)
        assert "Requests that wait for a conductor" in answer.content.decode()
        assert str(request_id) in answer.content.decode()

    def test_how_many_are_in_each_state(self, ask, host, operator, cell):
        host()
        _, [one] = ask()
        ask(consumer="bob")
        building(one, None)
        _, answer = listed(operator, cell)
        counts = next(s for s in answer.context["sections"] if s.title == "How many")
        assert [(state, str(link).split(">")[1][0]) for state, link in counts.facts] == [
            ("claimed", "1"),
            ("building", "1"),
        ]
        assert listed(operator, cell, state="building")[0] == [str(one)]
        assert listed(operator, cell, project="nobody's")[0] == []
        assert listed(operator, cell, older="3600")[0] == []
        assert len(listed(operator, cell, older="garbage")[0]) == 2


def test_a_claims_page_tells_its_story(ask, host, operator, cell):
    host("the-host")
    _, [claim] = ask()
    answer = operator.get(page(claim))
    titles = [section.title for section in answer.context["sections"]]
    assert titles == ["Claim", "Available", "Its request", "Chosen, in this order", "History", "Its host"]
    assert fact(answer, "Its request", "Decided").startswith("by ")
    assert fact(answer, "Its host", "Alive") == "yes"
    assert "the-host" in fact(answer, "Its host", "Host")
    assert dict(answer.context["sections"][0].facts)["Must have moved on by"] is not None
    built(claim, None)
    of_instance = operator.get(page(claim))
    assert fact(of_instance, "Claim", "Kind") == "instance"
    assert "tell-again" not in of_instance.content.decode()


class TestActions:
    @pytest.mark.parametrize("action", ["tell-again", "give-time", "move", "suspect"])
    def test_who_may_and_that_it_asks_why(self, ask, host, sign_in, action):
        own = host()
        _, [claim] = ask()
        before = find(claim)
        for role in ("viewer", "nobody"):
            client = sign_in(role)
            assert client.get(page(claim, action)).status_code == 403
            assert client.post(page(claim, action), {"reason": "x"}).status_code == 403
        operator = sign_in("operator")
        assert page(claim, action) in operator.get(page(claim)).content.decode()
        assert page(claim, action) not in sign_in("viewer").get(page(claim)).content.decode()
        asked = operator.post(page(claim, action), {"reason": " ", "seconds": "5", "state_version": "1"})
        assert "This field is required" in asked.content.decode()
        assert find(claim) == before
        assert read_provider(own.id)[1].row["state"] == "enabled"
        gone = operator.get(page(uuid.uuid4(), action), follow=True)
        assert "There is no claim" in gone.content.decode()

    def test_its_host_is_told_again(self, ask, host, operator, cell):
        own = host()
        request_id, [claim] = ask()
        done = operator.post(page(claim, "tell-again"), {"reason": "no answer"}, follow=True)
        assert said(done) == [f"{own.row['name']} is told again. It answers by beginning to build."]
        told = look([cell.home], Wanted(type=CLAIM_CHANGED, oldest_first=True), 100, None)[0]
        assert [(e.claim_id, e.data["told_again_by"]) for e in told] == [(claim, "operator-0")]
        lines = [(line["who"], line["why"]) for line in read_request(request_id).history]
        assert ("operator-0", "told its host again: no answer") in lines

    def test_it_is_given_time(self, ask, host, operator, settings):
        host()
        _, [claim] = ask()
        before = find(claim)
        done = operator.post(page(claim, "give-time"), {"reason": "a slow disk", "seconds": "900"}, follow=True)
        after = find(claim)
        assert after.expires_at - before.expires_at == dt.timedelta(seconds=900)
        assert abs(due_by(after) - due_by(before) - dt.timedelta(seconds=900)) < dt.timedelta(milliseconds=10)
        assert "has until" in said(done)[0]
        entry = LogEntry.objects.get(object_id=str(claim)).get_change_message()
        assert entry.startswith("Give time: a slow disk. Before: claim, claimed on ")
        assert f"{before.expires_at:%H:%M:%S}" in entry
        assert f"{after.expires_at:%H:%M:%S}" in entry.split("after:")[1]
        for wrong in ("0", "-1", "1e9", "999999999", "x", ""):
            refused = operator.post(page(claim, "give-time"), {"reason": "more", "seconds": wrong})
            assert refused.status_code == 200
            assert find(claim).expires_at == after.expires_at

    def test_it_is_placed_anew_elsewhere(self, ask, host, operator):
        hosts = {host("one").id: "one", host("two").id: "two"}
        request_id, [claim] = ask()
        was = find(claim).provider_id
        asked = operator.get(page(claim, "move"))
        assert fact(asked, "What will happen", "Attempts") == "0 of 3 are used"
        done = operator.post(page(claim, "move"), {"reason": "its disk is slow"}, follow=True)
        view = read_request(request_id)
        (part,) = [part for part in view.parts if part.state == "made"]
        assert part.provider_id != was
        assert said(done) == [f"The request is claimed, on {hosts[part.provider_id]}."]
        assert view.failures[0].reason == "taken away by operator-0: its disk is slow"
        assert done.redirect_chain[-1][0] == f"{REQUESTS}{request_id}/change/"
        assert read_provider(was)[1].available["vcpus"] == 8
        entry = LogEntry.objects.filter(object_id=str(claim)).get().get_change_message()
        assert entry.endswith("after: gone")

    def test_without_another_place_its_request_fails_with_the_reason(self, ask, host, operator):
        host("only")
        request_id, [claim] = ask()
        done = operator.post(page(claim, "move"), {"reason": "broken"}, follow=True)
        assert "There was no other place" in said(done)[0]
        view = read_request(request_id)
        assert view.state == "failed"
        assert "taken away by operator-0: broken" in view.reason

    def test_a_suspect_host(self, ask, host, operator, sign_in):
        bad = host("bad")
        request_id, claims = ask(count=2)
        building(claims[0], None)
        host("good")
        asked = operator.get(page(claims[1], "suspect"))
        version = asked.context["form"].initial["state_version"]
        done = operator.post(
            page(claims[1], "suspect"), {"reason": "I/O errors", "move": "on", "state_version": version}, follow=True
        )
        row = read_provider(bad.id)[1].row
        assert (row["state"], row["state_reason"]) == ("disabled", "suspect: I/O errors")
        assert len([text for text in said(done) if text.startswith("Claim")]) == 2
        made = [part for part in read_request(request_id).parts if part.state == "made"]
        assert {part.provider_name for part in made} == {"good"}
        # Opened before somebody else changed it: nothing is overwritten.
        _, [later] = ask()
        stale = operator.post(page(later, "suspect"), {"reason": "again", "state_version": "1"})
        assert stale.status_code == 200 or read_provider(find(later).root_id)[1].row["state"] == "disabled"

    def test_what_a_host_consumes_at_that_moment(self, ask, host, operator, monkeypatch):
        """The agent was first: the page says so, and nothing is moved."""
        host()
        request_id, [claim] = ask()
        built(claim, None)
        for action in ("tell-again", "give-time", "move"):
            answer = operator.post(page(claim, action), {"reason": "late", "seconds": "5"})
            assert "It was consumed: there is an instance now" in answer.content.decode()
        assert read_request(request_id).state == "active"

    def test_one_that_was_released_between_looking_and_doing(self, ask, host, operator, monkeypatch):
        host()
        _, [claim] = ask()
        record = find(claim)
        real = in_flight.judge

        def and_then_it_goes(records):
            found = real(records)
            release(record)
            return found

        monkeypatch.setattr("conductor.claim_admin.judge", and_then_it_goes)
        answer = operator.post(page(claim, "give-time"), {"reason": "late", "seconds": "5"}, follow=True)
        assert "There is no claim" in answer.content.decode()


def test_two_who_give_time_at_once_give_it_once(ask, host):
    """Both saw the same deadline: the second is told that it changed."""
    host()
    _, [claim] = ask()
    seen = find(claim)
    one, two = (seen.expires_at + dt.timedelta(seconds=seconds) for seconds in (60, 90))
    assert isinstance(extend(seen, one), Done)
    assert isinstance(extend(seen, one), Already)
    assert isinstance(extend(seen, two), Not)
    assert find(claim).expires_at == one

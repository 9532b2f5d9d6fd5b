"""The pages of claims and requests: listed, filtered, paged and read, with the arithmetic that makes the sum."""

import uuid

import pytest

from claims.types import CLAIMED
from conductor.place import schedule
from conductor.types import NoValidHost, Placed, ScheduleRequest
from providers.records import read_provider
from scheduler.types import Resource

CLAIMS, REQUESTS = "/admin/claims/claimrecord/", "/admin/conductor/requestrecord/"


@pytest.fixture
def ask(cell):
    """Schedules a request in the test's cell."""

    def make(vcpus=2, consumer="alice", count=1, **more):
        resource = Resource("compute", {"vcpus": vcpus, "memory_mb": 512})
        body = {"consumer": consumer, "resources": [{"resource_class": "compute", "amounts": {"vcpus": vcpus}}]}
        return schedule(
            ScheduleRequest(
                consumer=consumer,
                project="p1",
                resources=(resource,),
                body=body,
                username="tester",
                cell=cell.name,
                count=count,
            )
        )

    return make


def test_a_claims_page_adds_up(ask, host, browser, cell):
    own = host("the-host", heartbeat="none")
    placed = ask(vcpus=3)
    assert isinstance(placed, Placed)
    [claim] = placed.claims
    listed = browser.get(CLAIMS, {"cell": cell.name}).content.decode()
    assert claim["id"] in listed
    assert "memory_mb -512, vcpus -3" in listed

    text = browser.get(f"{CLAIMS}{claim['id']}/change/").content.decode()
    assert "the-host" in text
    assert str(placed.request_id) in text
    sections = {s.title: s for s in browser.get(f"{CLAIMS}{claim['id']}/change/").context["sections"]}
    record, taken, available = [[cell_text(value) for value in row[1:]] for row in sections["Available"].rows]
    assert (record[0], taken[0], available[0]) == (8, -3, 5)
    assert available == [record[i] + taken[i] for i in range(len(record))]
    now = read_provider(own.id)[1].available
    assert available == [now["vcpus"], now["memory_mb"], now["disk_gb"]]
    assert 'name="_save"' not in text


def cell_text(value):
    """An amount as shown, back to a number."""
    plain = str(value).replace("\u202f", "")
    return int(plain.split(">")[1].split("<")[0] if "<" in plain else plain)


def test_claims_are_filtered_and_paged(ask, host, browser, cell, monkeypatch):
    one, two = host(heartbeat="none"), host(heartbeat="none")
    claims = [c for consumer in ("alice", "bob") for _ in range(3) for c in ask(vcpus=1, consumer=consumer).claims]
    ids = {c["id"] for c in claims}
    assert len(ids) == 6

    def listed(**asked):
        return {url.split("/")[-3] for url, *_ in browser.get(CLAIMS, {"cell": cell.name, **asked}).context["rows"]}

    assert listed() == ids
    assert listed(consumer="bob") == {c["id"] for c in claims[3:]}
    assert listed(state=CLAIMED) == ids
    assert listed(state="building") == set()
    on_each = [listed(provider=str(own.id)) for own in (one, two)]
    assert on_each[0] | on_each[1] == ids
    assert not on_each[0] & on_each[1]
    assert "is not an id" in browser.get(CLAIMS, {"provider": "x"}).context["refusal"]
    assert "not a cursor" in browser.get(CLAIMS, {"next": "%%%"}).context["refusal"]

    monkeypatch.setattr("store.record_admin.RecordAdmin.page_size", 2)
    seen, url = [], f"{CLAIMS}?cell={cell.name}"
    while url:
        answer = browser.get(url)
        seen += [link.split("/")[-3] for link, *_ in answer.context["rows"]]
        url = CLAIMS + answer.context["next_url"] if answer.context["next_url"] else ""
    assert sorted(seen) == sorted(ids)


def test_a_requests_page_tells_its_life(ask, host, browser, cell):
    host("first", heartbeat="none")
    host("second", heartbeat="none")
    placed = ask(vcpus=2)
    rows = browser.get(REQUESTS, {"cell": cell.name}).context["rows"]
    assert [url.split("/")[-3] for url, *_ in rows] == [str(placed.request_id)]
    answer = browser.get(f"{REQUESTS}{placed.request_id}/change/")
    text = answer.content.decode()
    for said in ("alice", "p1", "tester", placed.claims[0]["id"], "Tried in this order", "&quot;consumer&quot;"):
        assert said in text, said
    sections = {s.title: s for s in answer.context["sections"]}
    assert dict(sections["Request"].facts)["State"] == "claimed"
    [row] = sections["Plan"].rows
    assert "first" in row[-1]
    assert "second" in row[-1]


def test_a_request_that_found_no_host_says_why(ask, host, browser, cell):
    host("too-small", heartbeat="none")
    outcome = ask(vcpus=100)
    assert isinstance(outcome, NoValidHost)
    text = browser.get(f"{REQUESTS}{outcome.request_id}/change/").content.decode()
    assert "too-small" in text
    assert "vcpus 92" in text
    assert "Nothing is claimed." in text


def test_what_is_not_there_is_said(cassandra, browser):
    for url, name in ((CLAIMS, "claim"), (REQUESTS, "request")):
        for key in (str(uuid.uuid4()), "nonsense"):
            answer = browser.get(f"{url}{key}/change/", follow=True)
            assert answer.status_code == 200
            assert f"There is no {name} {key}" in answer.content.decode()


def test_nothing_is_changed_from_these_pages(ask, host, browser):
    host(heartbeat="none")
    placed = ask()
    for url in (f"{CLAIMS}{placed.claims[0]['id']}/", f"{REQUESTS}{placed.request_id}/"):
        assert browser.post(f"{url}change/", {"state": "x"}).status_code == 403
    assert browser.post(f"{CLAIMS}{placed.claims[0]['id']}/delete/", {"post": "yes"}).status_code == 403
    assert browser.get(f"{CLAIMS}{placed.claims[0]['id']}/change/").status_code == 200

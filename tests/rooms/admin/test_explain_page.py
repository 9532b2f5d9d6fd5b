"""The page that explains a request as things are now, and what is kept of the explanation it got when it was made."""

import uuid

import pytest

from conductor.place import schedule
from conductor.types import NoValidHost, Placed, ScheduleRequest
from scheduler.types import Resource

REQUESTS, CLAIMS = "/admin/conductor/requestrecord/", "/admin/claims/claimrecord/"


@pytest.fixture
def ask(cell):
    def make(vcpus):
        body = {
            "consumer": "alice",
            "cell": cell.name,
            "resources": [{"resource_class": "compute", "amounts": {"vcpus": vcpus}}],
        }
        resource = Resource("compute", {"vcpus": vcpus})
        return schedule(ScheduleRequest("alice", "p", (resource,), body, "me", cell=cell.name))

    return make


def sections_of(answer):
    return {section.title: section for section in answer.context["sections"]}


def texts(section):
    return [[str(value) for value in row] for row in section.rows]


def test_a_refusal_is_explained_as_it_was_and_as_it_is_now(ask, host, browser):
    host("small-one", heartbeat="none")
    refused = ask(9)
    assert isinstance(refused, NoValidHost)
    page = browser.get(f"{REQUESTS}{refused.request_id}/change/")
    link = f"{REQUESTS}{refused.request_id}/explain/"
    assert link in page.content.decode()
    kept = sections_of(page)
    assert texts(kept["What would make it fit"]) == [["vcpus 8 instead of 9: 1 provider", "request"]]
    assert "small-one" in texts(kept["Nearest"])[0][0]
    assert texts(kept["Nearest"])[0][1] == "vcpus 1"
    facts = dict(kept["Why"].facts)
    assert "available_vcpus >= 9" in facts["Query"]
    assert facts["Read"].startswith("1 providers in 1 of 1 shards")

    host("large-one", heartbeat="none", amounts={"vcpus": 16})
    now = sections_of(browser.get(link))
    assert "What would make it fit" not in now
    assert texts(now["Why"])[-1][:3] == ["capacity", "1", "1"]


def test_any_provider_says_why(ask, host, browser, sign_in):
    off = host(f"off-{uuid.uuid4().hex[:8]}", state="disabled", state_reason="new disks")
    host(heartbeat="none")
    placed = ask(2)
    assert isinstance(placed, Placed)
    link = f"{REQUESTS}{placed.request_id}/explain/"
    for named in (off.row["name"], str(off.id)):
        said = texts(sections_of(sign_in("viewer").get(link, {"provider": named}))["This provider"])
        assert said[0][2] == "state: disabled: new disks"
    [claim] = placed.claims
    page = browser.get(f"{CLAIMS}{claim['id']}/change/").content.decode()
    assert f"{link}?provider={claim['provider']}" in page
    assert texts(sections_of(browser.get(link, {"provider": claim["provider"]}))["This provider"])[0][2] == "would do"


def test_a_name_that_providers_of_other_classes_have_too(ask, host, browser):
    name = f"twin-{uuid.uuid4().hex[:8]}"
    host(name, heartbeat="none")
    host(name, resource_class="network", amounts={"bandwidth_mbps": 10}, heartbeat="none")
    placed = ask(2)
    answer = browser.get(f"{REQUESTS}{placed.request_id}/explain/", {"provider": name})
    assert answer.context["refusal"] == ""
    assert [row[2] for row in texts(sections_of(answer)["This provider"])] == ["would do"]


def test_what_is_not_there_is_said(ask, host, browser, sign_in):
    host(heartbeat="none")
    placed = ask(1)
    link = f"{REQUESTS}{placed.request_id}/explain/"
    for named in ("nobody-has-this", str(uuid.uuid4()), "\x00<script>", "x" * 400):
        answer = browser.get(link, {"provider": named})
        assert answer.status_code == 200
        assert "No provider" in answer.context["refusal"] or "is no provider" in answer.context["refusal"]
        assert "Why" in sections_of(answer)
        assert b"<script>x" not in answer.content
    assert browser.get(f"{REQUESTS}{uuid.uuid4()}/explain/").status_code == 302
    assert sign_in("nobody").get(link).status_code == 403

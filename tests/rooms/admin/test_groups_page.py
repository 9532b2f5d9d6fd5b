"""Groups of requests in the admin: found, with the rule and the members, and told plainly when there is none."""

import uuid

import pytest

from claims.groups import Group
from conductor.place import schedule
from conductor.types import Placed, ScheduleRequest
from scheduler.types import Resource
from store.record_values import plain

PAGE = "/admin/conductor/requestrecord/groups/"


@pytest.fixture
def ask(cell):
    """Schedules a request of a group; its outcome."""

    def make(group, count=1):
        named = {"id": group.id, "policy": group.policy, "scope": group.scope, "max_skew": group.max_skew}
        outcome = schedule(
            ScheduleRequest(
                consumer="<i>alice</i>",
                project=group.project,
                resources=(Resource("compute", {"vcpus": 1}),),
                body={"consumer": "<i>alice</i>", "project": group.project, "group": named},
                username="tester",
                cell=cell.name,
                count=count,
                group=group,
            )
        )
        assert isinstance(outcome, Placed), outcome
        return outcome

    return make


def found(client, **asked):
    answer = client.get(PAGE, asked)
    assert answer.status_code == 200
    return answer.context["sections"], answer.content.decode()


def test_a_group_has_its_rule_and_members_with_links(ask, host, sign_in):
    hosts = {str(host(f"g{n}", heartbeat="none").id): f"g{n}" for n in range(3)}
    group = Group("p1", f"web {uuid.uuid4().hex[:6]}", "anti-affinity", "host")
    first, second = ask(group), ask(group)
    viewer = sign_in("viewer")
    request = viewer.get(f"/admin/conductor/requestrecord/{first.request_id}/change/")
    [url] = [url for label, url in request.context["tools"] if label == "Its group"]
    rule, members = viewer.get(url).context["sections"]
    facts = {label: plain(value) for label, value in rule.facts}
    assert facts["Rule"] == "each on another host"
    assert (facts["Members"], facts["Hosts"]) == (2, 2)
    rows = [[plain(value) for value in row] for row in members.rows]
    assert {row[0] for row in rows} == {first.claims[0]["id"], second.claims[0]["id"]}
    assert {row[1] for row in rows} == {str(first.request_id), str(second.request_id)}
    assert all(hosts[row[4]] == row[5] and row[6] == 1 for row in rows)
    text = viewer.get(url).content.decode()
    assert "&lt;i&gt;alice" in text
    for place in (row[4] for row in rows):
        assert f"/admin/providers/computerecord/{place}/change/" in text


def test_the_id_alone_finds_every_group_of_the_name(ask, host, cell, sign_in):
    host(heartbeat="none", rack="r1", zone="z1")
    name = uuid.uuid4().hex
    ask(Group("p1", name, "affinity", "rack"))
    ask(Group("p1", name, "spread", "zone", 2))
    sections, text = found(sign_in("viewer"), project="p1", id=name)
    assert [one.title for one in sections[::2]] == [f"{name}: affinity by rack", f"{name}: spread by zone"]
    assert dict(sections[2].facts)["At most more than the emptiest"] == "2"
    assert "no zone has more than so many members more than the emptiest zone" in text
    narrowed, _ = found(sign_in("viewer"), project="p1", id=name, policy="affinity", scope="rack")
    assert len(narrowed) == 2
    _, text = found(sign_in("viewer"), project="p2", id=name)
    assert "There is no such group" in text


def test_many_members_are_shown_in_part(ask, host, sign_in, monkeypatch):
    monkeypatch.setattr("conductor.group_admin.SHOWN", 2)
    host(heartbeat="none")
    group = Group("p1", uuid.uuid4().hex, "soft-affinity", "host")
    ask(group, count=3)
    sections, _ = found(sign_in("viewer"), project="p1", id=group.id)
    assert (len(sections[1].rows), sections[1].note) == (2, "The first 2 of 3.")


@pytest.mark.parametrize(
    "asked", [{"id": ""}, {"id": "x" * 300, "project": "p"}, {"id": "a", "project": "p", "policy": "none"}]
)
def test_bad_input_is_said(cassandra, sign_in, asked):
    answer = sign_in("viewer").get(PAGE, asked)
    assert answer.status_code == 200
    assert answer.context["form"].errors


def test_who_may(cassandra, sign_in):
    assert sign_in("nobody").get(PAGE).status_code == 403
    assert "Which group?" in sign_in("viewer").get(PAGE).content.decode()
    assert PAGE in sign_in("operator").get("/admin/").content.decode()

"""Drains, maintenance and decommission in the admin: what is asked, who may, and what is seen afterwards."""

import datetime as dt
import uuid

import pytest
from django.contrib.admin.models import LogEntry

from api import tokens
from claims import mark
from claims.find import find
from conductor.place import schedule
from conductor.progress import built
from conductor.release import delete_request
from conductor.types import ScheduleRequest
from providers.history import read_history
from providers.maintenance_windows import windows_of
from providers.records import locate, read_provider
from providers.refusals import NotFound
from providers.remove import remove
from scheduler.types import Resource
from store.failures import StoreUnavailable

HOSTS, WINDOWS = "/admin/providers/computerecord/", "/admin/providers/maintenancerecord/"


@pytest.fixture
def ask(cell):
    """Schedules compute in the test's cell, and has it built when that is said; the request's id."""

    def make(count=1, consumer="alice", build=False):
        body = {"consumer": consumer, "n": str(uuid.uuid4())}
        resources = (Resource("compute", {"vcpus": 2}),)
        outcome = schedule(ScheduleRequest(consumer, "p1", resources, body, "tester", cell=cell.name, count=count))
        for claim in outcome.claims if build else ():
            mark.building(find(uuid.UUID(claim["id"])))
            built(uuid.UUID(claim["id"]), uuid.UUID(claim["provider"]))
        return outcome.request_id

    return make


def state(own):
    row = read_provider(own.id)[1].row
    return row["state"], row["state_reason"]


def rows(answer, title):
    return next((section.rows for section in answer.context["sections"] if section.title == title), None)


def facts(answer, title):
    section = next((one for one in answer.context["sections"] if one.title == title), None)
    return dict(section.facts) if section else None


def moment(minutes):
    return f"{dt.datetime.now(dt.UTC) + dt.timedelta(minutes=minutes):%Y-%m-%dT%H:%M:%S}"


def test_who_disables_or_enables_a_host_says_why(host, browser, opened, errors_of):
    own = host(heartbeat="none")
    page = f"{HOSTS}{own.id}/change/"
    for word in ("disabled", "draining"):
        assert f"Say why it is {word}." in errors_of(browser.post(page, opened(browser, page, state=word)))
        sent = opened(browser, page, state=word, state_reason="  ")
        assert f"Say why it is {word}." in errors_of(browser.post(page, sent))
    assert state(own) == ("enabled", "")
    browser.post(page, opened(browser, page, state="disabled", state_reason="a fan"))
    assert state(own) == ("disabled", "a fan")
    for why in ({}, {"state_reason": " "}):
        assert "Say why it is enabled." in errors_of(browser.post(page, opened(browser, page, state="enabled", **why)))
    browser.post(page, opened(browser, page, state="enabled", state_reason="a new fan"))
    assert state(own) == ("enabled", "a new fan")
    browser.post(page, opened(browser, page, reserved_vcpus=2))  # what is not its state needs no reason
    text = browser.get(page).content.decode()
    assert "state: enabled → disabled" in text
    assert "inventory: vcpus 8 x 1 - 0 → vcpus 8 x 1 - 2" in text
    who = {one.who for one in read_history(own.id, 10).lines}
    assert len(who) == 1
    assert who.pop().startswith("admin-")


def test_a_drain_is_looked_at_begun_and_followed(host, sign_in, ask, cell):
    own, other = host(), host()
    here = ask(build=True)
    operator = sign_in("operator")
    on = next(one for one in (own, other) if read_provider(one.id)[0].records)
    page = f"{HOSTS}{on.id}/drain/"
    assert page in operator.get(f"{HOSTS}{on.id}/change/").content.decode()
    asked = operator.get(page)
    assert [row[1:4] for row in rows(asked, "Requests on it")] == [["0", "1", "0"]]
    assert rows(asked, "Whose it is") == [["p1", "alice", "1", "0", "1"]]
    assert facts(asked, "Draining") is None
    assert "This field is required" in operator.post(page, {"reason": " "}).content.decode()
    assert state(on)[0] == "enabled"
    done = operator.post(page, {"reason": "new disks"}, follow=True)
    assert state(on) == ("draining", "new disks")
    assert "It drains: 1 instance left." in done.content.decode()
    told = facts(done, "Draining")
    assert (told["Left"], told["Empty"]) == ("1 instance", "no")
    assert "0 of 1 gone" in told["Progress"]
    assert LogEntry.objects.get(object_id=str(on.id)).get_change_message() == "Drained: new disks"
    delete_request(here, "x", force=True)
    told = facts(operator.get(page), "Draining")
    assert (told["Left"], told["Empty"]) == ("nothing", "yes")
    assert "1 of 1 gone" in told["Progress"]
    assert "1 of 1 gone" in operator.get(f"{HOSTS}{on.id}/change/").content.decode()
    assert "with 1 instance on it" in operator.get(f"{HOSTS}{on.id}/changes/").content.decode()


def test_page_by_page(host, browser, ask, monkeypatch):
    own = host(amounts={"vcpus": 20, "memory_mb": 1, "disk_gb": 1}, heartbeat="none")
    for _ in range(5):
        ask()
    monkeypatch.setattr("conductor.drain_admin.A_PAGE", 2)
    page, seen = f"{HOSTS}{own.id}/drain/", []
    url = page
    for _ in range(3):
        answer = browser.get(url)
        section = next(one for one in answer.context["sections"] if one.title == "Requests on it")
        seen += [row[0] for row in section.rows]
        url = page + section.note.rpartition('href="')[2].split('"')[0] if "Next page" in section.note else None
    assert url is None
    assert len(set(seen)) == 5
    assert len(rows(browser.get(f"{page}?next=x"), "Requests on it")) == 2


def test_viewers_look_and_do_nothing(host, sign_in):
    own, viewer = host(), sign_in("viewer")
    for name in ("drain", "changes"):
        answer = viewer.get(f"{HOSTS}{own.id}/{name}/")
        assert answer.status_code == 200
        assert 'type="submit" value="Yes' not in answer.content.decode()
    assert viewer.post(f"{HOSTS}{own.id}/drain/", {"reason": "x"}).status_code == 403
    assert viewer.get(f"{HOSTS}{own.id}/decommission/").status_code == 403
    assert sign_in("operator").post(f"{HOSTS}{own.id}/decommission/", {"reason": "x"}).status_code == 403
    assert viewer.get(f"{WINDOWS}add/").status_code == 403
    assert viewer.get(WINDOWS).status_code == 200
    for name in ("drain", "changes", "decommission"):
        assert sign_in("nobody").get(f"{HOSTS}{own.id}/{name}/").status_code == 403
    assert state(own) == ("enabled", "")


def test_of_a_host_that_is_not_there(browser):
    for name in ("drain", "changes", "decommission"):
        answer = browser.get(f"{HOSTS}{uuid.uuid4()}/{name}/", follow=True)
        assert "There is no compute provider" in answer.content.decode()


def test_what_is_not_known_is_said_and_no_500(host, browser, monkeypatch):
    own = host()

    def away(*args):
        raise StoreUnavailable("too few replicas alive in dc1")

    monkeypatch.setattr("conductor.drain_admin.start_drain", away)
    monkeypatch.setattr("api.provider_admin.decommission", away)
    for name in ("drain", "decommission"):
        answer = browser.post(f"{HOSTS}{own.id}/{name}/", {"reason": "x"})
        assert answer.status_code == 200
        assert "too few replicas" in answer.content.decode()


def test_a_host_leaves_for_good(host, browser, ask):
    own = host()
    tokens.issue_for_providers([(own.id, own.row["name"])])
    request = ask(build=True)
    page = f"{HOSTS}{own.id}/decommission/"
    assert page in browser.get(f"{HOSTS}{own.id}/change/").content.decode()
    assert "at most 200" in browser.post(page, {"reason": "x" * 201}).content.decode()
    asked = browser.post(page, {"reason": "sold"})
    assert "instances: 1" in asked.content.decode()
    assert state(own) == ("draining", "decommission: sold")
    assert tokens.valid_of([own.id])
    delete_request(request, "x", force=True)
    done = browser.post(page, {"reason": "sold"}, follow=True)
    assert "is gone, and its agent’s token with it" in done.content.decode()
    assert not tokens.valid_of([own.id])
    with pytest.raises(NotFound):
        read_provider(own.id)
    entries = [one.get_change_message() for one in LogEntry.objects.filter(object_id=str(own.id))]
    assert entries == ["Decommissioned: sold"]


def test_deleting_a_host_revokes_its_agents_token(host, browser):
    own = host(heartbeat="none")
    tokens.issue_for_providers([(own.id, own.row["name"])])
    browser.post(f"{HOSTS}{own.id}/delete/", {"post": "yes"})
    assert not tokens.valid_of([own.id])
    assert read_history(own.id, 1).lines[0].what == "removed"


def test_one_that_is_deleted_by_two_at_once_has_no_token_left(host, browser, monkeypatch):
    own = host(heartbeat="none")
    tokens.issue_for_providers([(own.id, own.row["name"])])

    def later(*args):
        remove(own.id)  # the other one was first, and died before it revoked the token
        remove(*args)

    monkeypatch.setattr("providers.provider_admin.remove", later)
    browser.post(f"{HOSTS}{own.id}/delete/", {"post": "yes"})
    assert not tokens.valid_of([own.id])


def test_maintenance_is_planned_shown_and_cancelled(host, cell, sign_in, opened, errors_of):
    own, operator = host(), sign_in("operator")
    add = f"{WINDOWS}add/?provider={own.id}"
    assert add in operator.get(f"{HOSTS}{own.id}/change/").content.decode()
    sent = opened(operator, add, until_at=moment(60), reason="new rails")
    assert sent["provider"] == str(own.id)
    done = operator.post(add, sent | {"from_at": moment(30)}, follow=True)
    assert "was added successfully" in done.content.decode()
    [window] = windows_of(cell.home, [own.id])
    assert (window.reason, window.planned_by.split("-")[0]) == ("new rails", "operator")
    assert [row[2:4] for row in rows(operator.get(f"{HOSTS}{own.id}/change/"), "Maintenance")] == [
        ["planned", "new rails"]
    ]
    listed = operator.get(WINDOWS, {"cell": cell.name})
    assert own.row["name"] in listed.content.decode()
    key = f"{own.id}.{window.id}"
    assert operator.get(f"{WINDOWS}{key}/change/").status_code == 200
    assert "it overlaps" in errors_of(operator.post(add, sent | {"from_at": moment(40)}))
    deleted = operator.post(f"{WINDOWS}{key}/delete/", {"post": "yes"}, follow=True)
    assert "was deleted successfully" in deleted.content.decode()
    assert windows_of(cell.home, [own.id]) == []
    assert state(own) == ("enabled", "")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"provider": "x"}, "UUID"),
        ({"provider": str(uuid.uuid4())}, "No provider"),
        ({"until_at": "soon"}, "Say it like"),
        ({"until_at": "2026-13-45T00:00"}, "Say it like"),
        ({"until_at": ""}, "required"),
        ({"until_at": "2020-01-01T00:00"}, "Must be after"),
        ({"until_at": "9999-01-01T00:00"}, "Must be within"),
        ({"from_at": "2020-01-01T00:00", "until_at": "2020-01-01T01:00"}, "Is in the past"),
        ({"reason": ""}, "required"),
        ({"reason": "x" * 181}, "at most 180"),
    ],
)
def test_a_plan_that_makes_no_sense_is_an_error_beside_its_field(host, browser, opened, errors_of, changes, said):
    own = host()
    add = f"{WINDOWS}add/?provider={own.id}"
    sent = opened(browser, add, until_at=moment(60), reason="x") | changes
    assert said in errors_of(browser.post(add, sent))
    assert windows_of(locate(own.id).home, [own.id]) == []


def test_a_list_of_nothing_and_garbled_questions(browser, cell):
    assert browser.get(WINDOWS, {"cell": cell.name}).status_code == 200
    assert "not an id" in browser.get(WINDOWS, {"provider": "x"}).context["refusal"]
    assert "not a cursor" in browser.get(WINDOWS, {"next": "x"}).context["refusal"]
    for key in ("x", f"{uuid.uuid4()}", f"{uuid.uuid4()}.{uuid.uuid4()}", "x.y"):
        assert browser.get(f"{WINDOWS}{key}/change/").status_code == 302


class TestAmounts:
    """Reserved amounts and ratios of the chosen providers."""

    @pytest.fixture
    def page(self, host):
        hosts = [host(heartbeat="none"), host(heartbeat="none")]
        return hosts, f"{HOSTS}amounts/?" + "&".join(f"provider={own.id}" for own in hosts)

    def test_previewed_and_then_set(self, page, browser, ask):
        hosts, url = page
        ask(count=6)
        sent = {"reserved_vcpus": "5", "ratio_vcpus": ""}
        assert "reserved_vcpus" in browser.get(url).context["form"].fields
        shown = browser.post(url, sent)
        assert read_provider(hosts[0].id)[1].state_version == 1
        told = rows(shown, "What becomes of them")
        assert [row[2] for row in told] == ["vcpus", "vcpus"]
        takes = [8 - read_provider(own.id)[1].available["vcpus"] for own in hosts]
        said = [f"available becomes {3 - taken}" if taken > 3 else "changes" for taken in takes]
        assert [row[1] for row in told] == said
        assert any("becomes -" in one for one in said)
        seen = shown.context["form"].data["seen"]
        other = browser.post(url, {**sent, "reserved_vcpus": "6", "seen": seen})  # not what was previewed
        assert read_provider(hosts[0].id)[1].state_version == 1
        assert rows(other, "What becomes of them")
        done = browser.post(url, {**sent, "seen": seen}, follow=True)
        text = done.content.decode()
        assert "Changed 2 of 2." in text
        assert "vcpus: available is -" in text  # after the host's name
        for own in hosts:
            assert read_provider(own.id)[1].reserved["vcpus"] == 5
            entry = LogEntry.objects.get(object_id=str(own.id))
            assert entry.get_change_message() == "Set: vcpus 8 x 1 - 5"

    def test_it_is_chosen_in_the_list_by_admins(self, page, sign_in, cell):
        hosts, url = page
        listed = sign_in("admin").get(HOSTS, {"cell": cell.name}).content.decode()
        assert 'action="/admin/providers/computerecord/amounts/"' in listed
        assert listed.count('name="provider"') == 2
        listed = sign_in("operator").get(HOSTS, {"cell": cell.name}).content.decode()
        assert "/admin/providers/computerecord/amounts/" not in listed  # they enable, disable and drain
        assert 'name="provider"' not in sign_in("viewer").get(HOSTS, {"cell": cell.name}).content.decode()
        assert sign_in("operator").get(url).status_code == 403
        assert (
            f"{HOSTS}amounts/?provider={hosts[0].id}"
            in sign_in("admin").get(f"{HOSTS}{hosts[0].id}/change/").content.decode()
        )

    def test_mistakes(self, page, browser):
        hosts, url = page
        assert "Fill in what is to change" in browser.post(url, {}).content.decode()
        for sent in (
            {"reserved_vcpus": "-1"},
            {"reserved_vcpus": "x"},
            {"ratio_vcpus": "1001"},
            {"ratio_vcpus": "nan"},
        ):
            assert browser.post(url, sent).context["form"].errors, sent
        refused = browser.post(url, {"reserved_vcpus": "9"})
        assert all("Refused" in row[1] for row in rows(refused, "What becomes of them"))
        assert "Yes, set them" not in refused.content.decode()
        for query in ("", "?provider=x", f"?provider={hosts[0].id}&provider=y"):
            answer = browser.get(f"{HOSTS}amounts/{query}", follow=True)
            assert "Choose 1 to 100 providers." in answer.content.decode()
        gone = browser.post(f"{HOSTS}amounts/?provider={uuid.uuid4()}", {"reserved_vcpus": "1"})
        assert "no provider" in rows(gone, "What becomes of them")[0][1]

    def test_its_own_form_says_what_is_negative(self, host, browser, opened, ask):
        own = host(heartbeat="none")
        ask(count=3)
        page = f"{HOSTS}{own.id}/change/"
        done = browser.post(page, opened(browser, page, reserved_vcpus=7), follow=True)
        assert "vcpus: available is -5." in str(next(iter(done.context["messages"])))

    def test_a_list_narrowed_to_an_aggregate(self, host, browser, cell):
        inside, outside = host(aggregates=frozenset({"row-9"})), host()
        text = browser.get(HOSTS, {"cell": cell.name, "aggregate": "row-9"}).content.decode()
        assert inside.row["name"] in text
        assert outside.row["name"] not in text

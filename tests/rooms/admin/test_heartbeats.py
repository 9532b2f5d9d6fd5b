"""Heartbeats to read: on a provider's page, and as a list with the silent hosts before the others."""

import re
import time

import pytest

from providers.find import image_with_alive
from providers.heartbeat import beat, silence
from providers.records import locate, read_provider
from providers.register import NewProvider, register

LIST, HOSTS = "/admin/providers/heartbeatrecord/", "/admin/providers/computerecord/"


@pytest.fixture
def fell_silent(host, settings):
    """Hosts that were heard from once, and are silent now."""

    def make(*names):
        settings.HEARTBEAT_TTL, settings.HEARTBEAT_INTERVAL = 1, 0
        made = [host(name) for name in names]
        settings.HEARTBEAT_TTL, settings.HEARTBEAT_INTERVAL = 30, 10
        time.sleep(2.1)
        return made

    return make


def names(answer):
    return [str(cells[0][0]) for _, cells, _ in answer.context["rows"]]


def facts(browser, own):
    sections = {s.title: s for s in browser.get(f"{HOSTS}{own.id}/change/").context["sections"]}
    return dict(sections["Heartbeat"].facts)


def test_the_silent_ones_stand_before_the_others_and_can_be_had_alone(host, cell, browser, fell_silent):
    alive = {host(f"alive-{n}").row["name"] for n in range(2)}
    silent = {own.row["name"] for own in fell_silent("dead-1", "dead-2")}
    never = host("never")
    silence(locate(never.id))
    silent.add("never")
    host("external", heartbeat="none")

    def listed(**asked):
        return names(browser.get(LIST, {"cell": cell.name, **asked}))

    everyone = listed()
    assert (set(everyone[:3]), set(everyone[3:])) == (silent, alive)
    assert (set(listed(heard="silent")), set(listed(heard="alive"))) == (silent, alive)
    rows = {row.cells[0][0]: row for row in browser.get(LIST, {"cell": cell.name}).context["rows"]}
    assert rows["never"].cells[1][0] == "never heard from, or not for 30 days"
    assert re.fullmatch(r"silent for \d+ (s|min)", rows["dead-1"].cells[1][0])
    assert rows["never"].url == f"{HOSTS}{never.id}/change/"


def test_pages_follow_each_other(host, cell, browser, fell_silent, monkeypatch):
    monkeypatch.setattr("store.record_admin.RecordAdmin.page_size", 2)
    alive = {host(f"alive-{n}").row["name"] for n in range(3)}
    silent = {own.row["name"] for own in fell_silent("dead-1", "dead-2", "dead-3")}
    seen, url = [], f"{LIST}?cell={cell.name}"
    for _ in range(8):
        answer = browser.get(url)
        seen += names(answer)
        if not answer.context["next_url"]:
            break
        url = LIST + answer.context["next_url"]
    assert (set(seen[:3]), set(seen[3:]), len(seen)) == (silent, alive, 6)
    assert "not a cursor" in browser.get(LIST, {"next": "%%%"}).context["refusal"]


def test_a_host_that_fell_silent_is_not_alive_and_says_since_when(cell, browser, fell_silent):
    [own] = fell_silent("dead")
    assert image_with_alive(*read_provider(own.id))["alive"] is False
    said = facts(browser, own)
    assert said["Last seen"] is not None
    assert said["Alive"] == f"no, silent since {said['Last seen']}"
    beat(locate(own.id))
    assert image_with_alive(*read_provider(own.id))["alive"] is True
    assert facts(browser, own)["Alive"] == "yes"


def test_a_childs_life_is_its_roots_and_an_external_one_is_always_alive(host, cell, browser):
    parent, external = host("root"), host(heartbeat="none")
    new = NewProvider(name="gpu", cell=cell.name, resource_class="compute", parent=parent.id)
    _, child = register(new)
    assert facts(browser, child)["Alive"] == "yes"
    assert "gpu" not in names(browser.get(LIST, {"cell": cell.name}))
    assert facts(browser, external) == {"Alive": "always (heartbeat: none)"}


def test_its_own_page_is_the_providers(host, browser, sign_in):
    own = host()
    assert browser.get(f"{LIST}{own.id}/change/").headers["Location"] == f"{HOSTS}{own.id}/change/"
    assert "There is no heartbeat nonsense" in browser.get(f"{LIST}nonsense/change/", follow=True).content.decode()
    assert sign_in("viewer").get(LIST).status_code == 200
    assert sign_in("nobody").get(LIST).status_code == 403
    assert browser.get(f"{LIST}add/").status_code == 403

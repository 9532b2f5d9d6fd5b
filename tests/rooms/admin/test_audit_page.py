"""The audit in the admin: shows what does not agree, and repairs what an admin chooses."""

import datetime as dt
import uuid

import pytest

from conductor.place import schedule
from conductor.rows import get, move
from conductor.states import FAILED, RELEASING
from conductor.types import ScheduleRequest
from providers.records import read_tree
from scheduler.types import Resource

PAGE = "/admin/conductor/requestrecord/audit/"


@pytest.fixture
def orphan(cell, host, monkeypatch):
    monkeypatch.setattr("conductor.audit_trees.YOUNG", dt.timedelta(seconds=-3600))
    own = host()
    body = {"n": str(uuid.uuid4())}
    request = ScheduleRequest("alice", "p", (Resource("compute", {"vcpus": 2}),), body, "me", cell=cell.name)
    row = get(schedule(request).request_id)
    move(move(row, RELEASING, ends_as=FAILED, reason="x"), FAILED)
    return own


def free(cell, own):
    return read_tree(cell.home, own.id).providers[own.id].available["vcpus"]


def test_it_asks_for_a_cell_and_says_what_it_looks_for(browser, cell):
    page = browser.get(PAGE).content.decode()
    assert cell.name in page
    assert "orphaned claim" in page


def test_a_finding_is_shown_and_repaired_with_a_reason(browser, cell, orphan):
    page = browser.get(PAGE, {"cell": cell.name})
    (row,) = [row for row in page.context["rows"] if row["kind"] == "orphaned claim"]
    assert free(cell, orphan) == 6
    url = f"{PAGE}?cell={cell.name}&at=0"
    refused = browser.post(url, {"finding": row["key"]})
    assert "reason" in refused.context["form"].errors
    assert free(cell, orphan) == 6
    done = browser.post(url, {"finding": row["key"], "reason": "seen by hand"})
    assert done.status_code == 302
    assert free(cell, orphan) == 8
    assert browser.get(url).context["rows"] == []


def test_what_was_not_chosen_stays(browser, cell, orphan):
    browser.post(f"{PAGE}?cell={cell.name}", {"reason": "nothing"})
    assert free(cell, orphan) == 6


@pytest.mark.parametrize("query", [{"cell": "nowhere"}, {"cell": "nowhere", "at": "x"}])
def test_an_unknown_cell_leads_back(browser, query):
    assert browser.get(PAGE, query).url == PAGE


def test_a_garbled_place_begins_at_the_start(browser, cell):
    assert browser.get(PAGE, {"cell": cell.name, "at": "-5"}).context["looked"].begin == 0

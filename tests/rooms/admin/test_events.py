"""The event log to read: newest or oldest first, narrowed, a page at a time, each event with its JSON."""

import datetime as dt
import uuid

import pytest

from claims.find import find
from claims.release import release
from conductor.place import schedule
from conductor.types import ScheduleRequest
from events.append import append
from events.tail import encode_cursor
from events.types import CELL_CHANGED, CLAIM_TAKEN, PROVIDER_CHANGED, PROVIDER_CREATED, News
from providers.change import Changes, change
from scheduler.types import Resource

LIST = "/admin/events/eventrecord/"


@pytest.fixture
def say(cell):
    """Appends events of the test's cell, numbered."""

    def make(count, **more):
        for number in range(count):
            append(cell.home, [News(CELL_CHANGED, data={"number": number}, **more)])

    return make


def numbers(answer):
    return [int(str(cells[3][0]).split()[-1]) for _, cells, _ in answer.context["rows"] if "number" in cells[3][0]]


def all_pages(browser, **asked):
    """The numbers on each page."""
    answer, pages = browser.get(LIST, asked), []
    for _ in range(20):
        pages.append(numbers(answer))
        if not answer.context["next_url"]:
            return pages
        answer = browser.get(LIST + answer.context["next_url"])
    raise AssertionError("the pages never end")


def test_newest_first_or_oldest_first_page_by_page(cell, browser, say, monkeypatch):
    monkeypatch.setattr("store.record_admin.RecordAdmin.page_size", 3)
    say(7)
    only = {"cell": cell.name, "type": CELL_CHANGED}
    newest = [n for page in all_pages(browser, **only) for n in page]
    oldest = [n for page in all_pages(browser, **only, order="oldest") for n in page]
    assert (newest, oldest) == ([6, 5, 4, 3, 2, 1, 0], [0, 1, 2, 3, 4, 5, 6])
    assert browser.get(LIST, only).context["rows"][0].cells[1][0] == CELL_CHANGED


def test_a_page_looks_at_so_many_partitions_and_goes_on(cell, browser, say, monkeypatch):
    say(2)
    monkeypatch.setattr("events.look_back.PARTITIONS_A_PAGE", 1)
    for order in ("", "oldest"):
        pages = all_pages(browser, cell=cell.name, type=CELL_CHANGED, order=order)
        assert sorted(n for page in pages for n in page) == [0, 1]
        assert len(pages) > 1  # the last one finds nothing more


def test_narrowed_by_time(cell, browser, say):
    say(2)
    now = dt.datetime.now(dt.UTC)

    def found(**asked):
        return len(browser.get(LIST, {"cell": cell.name, **asked}).context["rows"])

    def at(minutes):
        return f"{now + dt.timedelta(minutes=minutes):%Y-%m-%dT%H:%M:%S}"

    assert found() == 3  # the cell was made, too
    assert found(**{"from": at(-1), "to": at(1)}) == 3
    assert found(**{"from": at(1)}) == 0
    assert found(to=at(-1)) == 0
    for extreme in ("0001-01-01 00:00", "9999-12-31 23:59", "1500-06-01T00:00:00+14:00"):
        for name in ("from", "to"):
            for order in ("", "oldest"):
                found(**{name: extreme, "order": order})
    for wrong in ("yesterday", "2026-13-01 00:00", "12:30"):
        assert "is not a date and a time" in browser.get(LIST, {"from": wrong}).context["refusal"]


@pytest.mark.parametrize("cursor", ["%%%", "AAAA", "A" * 22])
def test_a_cursor_that_is_none(cell, browser, cursor):
    assert "not a cursor" in browser.get(LIST, {"cell": cell.name, "next": cursor}).context["refusal"]


def test_a_cursor_from_another_age_reads_no_more_than_is_kept(cell, browser, say):
    say(1)
    for old in (uuid.UUID("00000000-0000-1000-8000-000000000000"), uuid.UUID("ffffffff-ffff-1fff-8000-000000000000")):
        for order in ("", "oldest"):
            asked = {"cell": cell.name, "next": encode_cursor(old), "order": order}
            assert browser.get(LIST, asked).status_code == 200


def test_a_provider_a_claim_and_a_request_lead_to_their_events(cell, host, browser):
    own, other = (
        host("mine", heartbeat="none"),
        host("other", heartbeat="none", amounts={"vcpus": 0, "memory_mb": 0, "disk_gb": 0}),
    )
    change(own.id, 1, Changes({"zone": "z9"}, {}, {}))
    request = ScheduleRequest("alice", "p", (Resource("compute", {"vcpus": 2}),), {"x": 1}, "tester", cell=cell.name)
    placed = schedule(request)
    [claim] = placed.claims
    pages = {
        f"/admin/providers/computerecord/{own.id}/change/": {PROVIDER_CREATED, PROVIDER_CHANGED, CLAIM_TAKEN},
        f"/admin/claims/claimrecord/{claim['id']}/change/": {CLAIM_TAKEN},
        f"/admin/conductor/requestrecord/{placed.request_id}/change/": {CLAIM_TAKEN},
    }
    for url, wanted in pages.items():
        [link] = [url for label, url in browser.get(url).context["tools"] if label == "Events"]
        rows = browser.get(link).context["rows"]
        assert wanted <= {cells[1][0] for _, cells, _ in rows}, url
        assert str(other.id) not in str(rows)
    release(find(uuid.UUID(claim["id"])))  # its story is there when it is gone
    rows = browser.get(LIST, {"claim": claim["id"], "cell": cell.name}).context["rows"]
    assert [cells[1][0] for _, cells, _ in rows] == ["claim.released", CLAIM_TAKEN]
    assert "is not an id" in browser.get(LIST, {"claim": "x"}).context["refusal"]


def test_an_event_has_a_page_with_all_of_it(cell, host, browser):
    own = host("the-host", heartbeat="none")
    [row] = browser.get(LIST, {"provider": own.id, "cell": cell.name}).context["rows"]
    text = browser.get(row.url).content.decode()
    for said in (PROVIDER_CREATED, cell.name, str(own.id), "the-host", "&quot;generation&quot;", "&quot;image&quot;"):
        assert said in text, said


def test_who_may_and_what_is_not_there(cell, sign_in, browser):
    assert sign_in("viewer").get(LIST).status_code == 200
    assert sign_in("nobody").get(LIST).status_code == 403
    assert browser.get(f"{LIST}add/").status_code == 403
    for key in ("nonsense", f"{uuid.uuid1()}.{cell.name}", f"{uuid.uuid4()}.{cell.name}", f"{uuid.uuid1()}.nowhere"):
        answer = browser.get(f"{LIST}{key}/change/", follow=True)
        assert "There is no event" in answer.content.decode(), key

"""What an operator does in a week, in a real browser on a real portal: the walks of docs/operators.md, step by step.

With PICTURES=docs/pictures they leave the document's pictures there (`make pictures`).
"""

import datetime as dt
import os
import re
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from conductor.progress import ClaimGone, building, built, destroyed, not_built
from providers.cells import Cell
from providers.heartbeat import silence
from providers.records import OwnRow, locate, read_provider
from providers.refusals import Conflict, NotFound

pytestmark = [pytest.mark.browser, pytest.mark.slow]
Host = Callable[..., OwnRow]
DAY = dt.datetime.now(dt.UTC).date() + dt.timedelta(days=3)
HOSTS = "/admin/providers/computerecord/"
CLAIMS = "/admin/claims/claimrecord/"
REQUESTS = "/admin/conductor/requestrecord/"


@pytest.fixture
def shoot(request: pytest.FixtureRequest) -> Callable[[Page], None]:
    """Takes the walk's picture, where pictures are wanted."""
    into = os.environ.get("PICTURES", "")
    name = request.node.name.removeprefix("test_").replace("_", "-")

    def take(page: Page) -> None:
        if into:
            page.screenshot(path=Path(into) / f"walk-{name}.png", full_page=True)

    return take


@pytest.fixture
def second(portal: Any, browser: Browser, logged_in: Any) -> Iterator[Page]:
    """Another operator's browser."""
    context = browser.new_context(viewport={"width": 1440, "height": 900}, storage_state=logged_in)
    context.set_default_navigation_timeout(90_000)
    yield context.new_page()
    context.close()


def ask(portal: Any, cell: Cell, vcpus: int = 2, count: int = 1) -> Any:
    resources = [{"resource_class": "compute", "amounts": {"vcpus": vcpus, "memory_mb": 512, "disk_gb": 1}}]
    body = {"consumer": "web-1", "project": "shop", "cell": cell.name, "count": count, "resources": resources}
    answer = portal.call("POST", "/api/schedule", **body)
    return answer.json()


def say_why(page: Page, button: str, why: str) -> None:
    page.fill("#id_reason", why)
    page.get_by_role("button", name=button).click()


def message(page: Page) -> Any:
    return page.locator(".messagelist")


def available(own: OwnRow, column: str = "vcpus") -> int:
    return read_provider(own.id)[1].available[column]


def test_a_new_host(page: Page, portal: Any, cell: Cell, complaints: list[str], shoot: Any) -> None:
    name = f"rack7-{uuid.uuid4().hex[:4]}"
    page.goto(f"{portal.url}{HOSTS}add/")
    page.fill("#id_name", name)
    page.select_option("#id_cell", cell.name)
    page.fill("#id_rack", "rack7")
    for column, total in (("vcpus", 64), ("memory_mb", 262144), ("disk_gb", 2000)):
        page.fill(f"#id_total_{column}", str(total))
    page.fill("#id_traits", "SSD")
    shoot(page)
    page.get_by_role("button", name="Save and continue editing").click()
    expect(message(page)).to_contain_text(name)
    page.get_by_role("link", name="Issue one").click()
    page.locator("#content form input[type=submit]").first.click()
    token = page.locator(".record-once input").input_value()
    page.goto(page.url)
    assert token not in page.content(), "it is shown once"
    assert complaints == []


def test_how_many_more_fit(page: Page, portal: Any, cell: Cell, host: Host, shoot: Any) -> None:
    for vcpus in (8, 8, 3):
        host(heartbeat="none", amounts={"vcpus": vcpus, "memory_mb": 65536, "disk_gb": 100})
    page.goto(f"{portal.url}{REQUESTS}headroom/")
    page.select_option("#id_resource_class", "compute")
    page.fill("#id_amounts", "vcpus=4 memory_mb=4096")
    page.select_option("#id_cell", cell.name)
    page.get_by_role("button", name="Count").click()
    row = page.locator("tr", has_text=cell.name).last
    expect(row).to_contain_text("4")
    expect(row).to_contain_text("vcpus")
    shoot(page)


def test_why_nothing_fits(page: Page, portal: Any, cell: Cell, host: Host, shoot: Any) -> None:
    host("rack1-small", heartbeat="none")
    refused = ask(portal, cell, vcpus=12)
    assert refused["status"] == 409, refused
    page.goto(f"{portal.url}{REQUESTS}{refused['request_id']}/change/")
    page.get_by_role("link", name="Explain").first.click()
    expect(page.locator("#content")).to_contain_text("vcpus 8 instead of 12")
    shoot(page)


def test_a_host_is_drained(page: Page, portal: Any, cell: Cell, host: Host, shoot: Any) -> None:
    own = host("rack1-a", heartbeat="none")
    ask(portal, cell)
    page.goto(f"{portal.url}{HOSTS}{own.id}/change/")
    page.get_by_role("link", name="Drain…").click()
    expect(page.locator("#content")).to_contain_text("web-1")
    shoot(page)
    page.get_by_role("button", name="Yes, drain it").click()
    assert page.locator("#id_reason").evaluate("field => field.matches(':invalid')"), "a reason has to be given"
    say_why(page, "Yes, drain it", "its power supply is changed")
    expect(page.locator("#content")).to_contain_text("its power supply is changed")
    assert ask(portal, cell)["status"] == 409
    page.goto(f"{portal.url}{HOSTS}{own.id}/change/")
    page.select_option("#id_state", "enabled")
    page.fill("#id_state_reason", "it has a new one")
    page.get_by_role("button", name="Save and continue editing").click()
    expect(page.locator("#id_state")).to_have_value("enabled")
    expect(page.locator("#content")).to_contain_text("it has a new one")
    assert "request_id" in ask(portal, cell)


def test_work_is_planned(page: Page, portal: Any, cell: Cell, host: Host, shoot: Any) -> None:
    own = host("rack1-b", heartbeat="none")
    page.goto(f"{portal.url}{HOSTS}{own.id}/change/")
    page.get_by_role("link", name="Plan maintenance…").click()
    expect(page.locator("#id_provider")).to_have_value(str(own.id))
    page.fill("#id_from_at", f"{DAY}T08:00")
    page.fill("#id_until_at", f"{DAY}T07:00")
    page.fill("#id_reason", "new firmware")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".errorlist").first).to_be_visible()
    expect(page.locator("#id_reason")).to_have_value("new firmware")
    page.fill("#id_until_at", f"{DAY}T12:00")
    shoot(page)
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("#result_list")).to_contain_text("new firmware")


def test_two_operators_and_one_host(page: Page, second: Page, portal: Any, host: Host, shoot: Any) -> None:
    own = host("rack1-c", heartbeat="none")
    for one in (page, second):
        one.goto(f"{portal.url}{HOSTS}{own.id}/change/")
    page.fill("#id_rack", "rack-of-the-first")
    page.get_by_role("button", name="Save and continue editing").click()
    expect(message(page)).to_contain_text("rack1-c")
    second.fill("#id_rack", "rack-of-the-second")
    second.fill("#id_zone", "north")
    second.get_by_role("button", name="Save and continue editing").click()
    both = second.locator("#current-values")
    expect(both).to_contain_text("rack-of-the-first")
    expect(both).to_contain_text("rack-of-the-second")
    expect(second.locator("#id_zone")).to_have_value("north")
    shoot(second)
    row = read_provider(own.id)[1].row
    assert (row["rack"], row["zone"] or "") == ("rack-of-the-first", ""), "nothing of the second's is written yet"
    both.get_by_role("link", name="Open the current values").click()
    expect(second.locator("#id_rack")).to_have_value("rack-of-the-first")
    second.fill("#id_zone", "north")
    second.get_by_role("button", name="Save and continue editing").click()
    expect(message(second)).to_contain_text("rack1-c")
    row = read_provider(own.id)[1].row
    assert (row["rack"], row["zone"]) == ("rack-of-the-first", "north")


def test_a_claim_goes_elsewhere(page: Page, portal: Any, cell: Cell, host: Host, shoot: Any) -> None:
    hosts = [host(name) for name in ("rack1-d", "rack2-d")]
    placed = ask(portal, cell)
    first = uuid.UUID(placed["claims"][0]["provider"])
    page.goto(f"{portal.url}{CLAIMS}{placed['claims'][0]['id']}/change/")
    page.get_by_role("link", name="Place it anew…").click()
    shoot(page)
    say_why(page, "Yes, place it anew", "its disk makes noises")
    other = next(own for own in hosts if own.id != first)
    expect(page.locator("#content")).to_contain_text(other.row["name"])
    assert {own.id: available(own) for own in hosts} == {first: 8, other.id: 6}


def test_released_while_its_host_takes_it(page: Page, portal: Any, cell: Cell, host: Host, shoot: Any) -> None:
    """Whichever comes first, the sum is right, and the operator is told which it was."""
    own = host("rack1-e", heartbeat="none")
    for wait in (0.0, 0.15, 0.6):
        placed = ask(portal, cell)
        claim_id = uuid.UUID(placed["claims"][0]["id"])
        building(claim_id, own.id)
        page.goto(f"{portal.url}{CLAIMS}{claim_id}/change/")
        page.get_by_role("link", name="Release…").click()
        page.fill("#id_reason", "nobody needs it")
        agent = threading.Timer(wait, takes, [claim_id, own])
        agent.start()
        page.get_by_role("button", name="Yes, release").click()
        page.wait_for_load_state()
        agent.join()
        assert re.search("was asked to stop|it was consumed", page.locator("#container").inner_text())
        shoot(page)
        portal.call("DELETE", f"/api/requests/{placed['request_id']}")
        gives_back(uuid.UUID(placed["request_id"]), claim_id, own)
        assert available(own) == 8, wait


def takes(claim_id: uuid.UUID, own: OwnRow) -> None:
    """As its agent does when the instance is there."""
    with suppress(ClaimGone):
        built(claim_id, own.id)


def gives_back(request_id: uuid.UUID, claim_id: uuid.UUID, own: OwnRow) -> None:
    """As its agent does when it is told that the request is over: what it built is gone, or it stops building."""
    with suppress(NotFound, ClaimGone, Conflict):
        destroyed(request_id, own.id)
    with suppress(NotFound, ClaimGone, Conflict):
        not_built(claim_id, own.id, "stopped")


def test_more_is_sold_than_there_is(page: Page, portal: Any, cell: Cell, host: Host, shoot: Any) -> None:
    hosts = [host(f"rack3-{n}", heartbeat="none") for n in range(3)]
    page.goto(f"{portal.url}{HOSTS}?cell={cell.name}")
    page.get_by_label("All on this page").check()
    page.get_by_role("button", name="Reserved amounts and ratios of the chosen…").click()
    page.fill("#id_ratio_vcpus", "4")
    page.fill("#id_reserved_vcpus", "2")
    page.get_by_role("button", name="Show what becomes of them").click()
    confirm = page.get_by_role("button", name="Yes, set them")
    expect(page.locator("#content")).to_contain_text("30")
    shoot(page)
    confirm.click()
    expect(message(page)).to_be_visible()
    assert [available(own) for own in hosts] == [30] * 3


def test_a_dead_host_is_taken_away(page: Page, portal: Any, cell: Cell, host: Host, shoot: Any) -> None:
    own = host("rack1-f")
    placed = ask(portal, cell)
    silence(locate(own.id))
    page.goto(f"{portal.url}{HOSTS}{own.id}/change/")
    page.get_by_role("link", name="Decommission…").click()
    say_why(page, "Yes, drain it", "it burnt")
    page.goto(f"{portal.url}{REQUESTS}{placed['request_id']}/delete/")
    page.fill("#id_reason", "its host burnt")
    page.check("#id_force")
    shoot(page)
    page.locator("#content form input[type=submit]").first.click()
    expect(message(page)).to_be_visible()
    page.goto(f"{portal.url}{HOSTS}{own.id}/decommission/")
    say_why(page, "Yes, remove it", "it burnt")
    expect(message(page)).to_contain_text("rack1-f")
    with pytest.raises(NotFound):
        read_provider(own.id)

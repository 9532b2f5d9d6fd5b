"""The map of a cell in a real browser: one canvas, found, narrowed, opened by keyboard, taken away."""

import csv
import io
import json
import re
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from providers.cells import Cell
from providers.change import Changes, change
from providers.heartbeat import silence
from providers.records import OwnRow, locate, read_provider
from tests.browser.test_live_page import open_cell, release, schedule

pytestmark = [pytest.mark.browser, pytest.mark.slow]
Host = Callable[..., OwnRow]


def pixels(page: Page) -> set[str]:
    """The colours on the map, as they are painted."""
    found = page.evaluate(
        """() => {
          const canvas = document.getElementById('tiles');
          const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
          const found = new Set();
          for (let at = 0; at < data.length; at += 4 * 7) found.add(`${data[at]} ${data[at + 1]} ${data[at + 2]}`);
          return [...found];
        }"""
    )
    return set(found)


def tiles(page: Page) -> int:
    return int(page.locator("#tiles").get_attribute("data-tiles") or 0)


def test_a_claim_is_seen_on_the_map_and_goes(
    page: Page, portal: Any, cell: Cell, host: Host, complaints: list[str]
) -> None:
    host("h1", heartbeat="none")
    open_cell(page, portal, cell)
    page.emulate_media(reduced_motion="reduce")
    expect(page.locator("#tiles")).to_have_attribute("data-tiles", "1")
    free = pixels(page)
    claim_id = schedule(portal, cell, 8)
    expect(page.locator('[data-figure="claims in flight"] dd')).to_have_text("1")
    page.wait_for_timeout(300)
    held = pixels(page)
    assert "255 127 42" in held  # the mark of a claim in flight
    assert "253 234 69" in held  # nothing is free
    release(portal, claim_id)
    expect(page.locator('[data-figure="claims in flight"] dd')).to_have_text("0")
    page.wait_for_timeout(300)
    assert pixels(page) == free
    assert [one for one in complaints if "willReadFrequently" not in one] == []  # that is for `pixels` above


def test_it_is_narrowed_by_words_and_facets_and_the_address_says_how(
    page: Page, portal: Any, cell: Cell, host: Host, complaints: list[str]
) -> None:
    for number in range(6):
        host(f"h{number}", heartbeat="none", rack=f"r{number % 3}", zone="z1", traits=["SSD"] if number < 2 else [])
    host("pool", resource_class="block_storage", amounts={"capacity_gb": 500}, heartbeat="none", rack="r1", zone="z2")
    open_cell(page, portal, cell)
    expect(page.locator("#tiles")).to_have_attribute("data-tiles", "7")
    page.click('[data-facet="rack"] summary')
    expect(page.locator('[data-facet="rack"] .choices label')).to_have_count(3)
    page.check('[data-facet="rack"] label:has-text("r1") input')
    expect(page.locator("#tiles")).to_have_attribute("data-tiles", "3")
    page.keyboard.press("Escape")
    page.click('[data-facet="class"] summary')
    page.check('[data-facet="class"] label:has-text("Compute") input')
    expect(page.locator("#tiles")).to_have_attribute("data-tiles", "2")
    expect(page.locator("#found")).to_have_text("2 of 7")
    page.select_option("#colour", "state")
    page.select_option("#group", "zone")
    address = page.url
    assert all(one in address for one in ("rack=r1", "class=compute", "colour=state", "group=zone"))

    # A colleague sees the same.
    page.goto("about:blank")
    page.goto(address)
    expect(page.locator("#tiles")).to_have_attribute("data-tiles", "2")
    expect(page.locator("#colour")).to_have_value("state")
    page.click(".chip:has-text('Rack: r1')")
    expect(page.locator("#tiles")).to_have_attribute("data-tiles", "6")
    page.go_back()
    expect(page.locator("#tiles")).to_have_attribute("data-tiles", "2")
    page.fill("#filter", "ssd")
    expect(page.locator("#found")).to_have_text("1 of 7")
    assert complaints == []


def test_hosts_that_come_go_and_change_are_on_the_map(page: Page, portal: Any, cell: Cell, host: Host) -> None:
    own = host("h1")
    open_cell(page, portal, cell)
    expect(page.locator("#tiles")).to_have_attribute("data-tiles", "1")
    page.select_option("#colour", "state")
    page.select_option("#group", "state")
    host("h2")
    expect(page.locator("#tiles")).to_have_attribute("data-tiles", "2")
    version = read_provider(own.id)[1].state_version
    change(own.id, version, Changes({"state": "draining", "state_reason": "test"}, {}, {}))
    expect(page.locator('[data-figure="not enabled"] dd')).to_have_text("1")
    page.wait_for_timeout(300)
    assert "230 159 0" in pixels(page)
    silence(locate(own.id))
    expect(page.locator('[data-figure="silent"] dd')).to_have_text("1")
    page.wait_for_timeout(300)
    assert "0 0 0" in pixels(page)  # hatched


def test_by_keyboard_to_a_host_and_why_not_there(
    page: Page, portal: Any, cell: Cell, host: Host, complaints: list[str]
) -> None:
    first = host("alpha", heartbeat="none", rack="r1")
    host("beta", heartbeat="none", rack="r1")
    claim_id = schedule(portal, cell, 3)
    open_cell(page, portal, cell)
    expect(page.locator("#tiles")).to_have_attribute("data-tiles", "2")
    page.keyboard.press("g")
    page.keyboard.press("m")
    expect(page.locator("#map")).to_be_focused()
    expect(page.locator("#said")).to_contain_text("alpha")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#said")).to_contain_text("beta")
    page.keyboard.press("Home")
    page.keyboard.press("Enter")
    drawer = page.locator("#drawer")
    expect(drawer.locator("h2")).to_be_focused()
    expect(drawer.locator("h2")).to_have_text("alpha")
    assert f"host={first.id}" in page.url
    expect(drawer).to_contain_text("cpu_arch")
    expect(drawer.locator(".sums tbody tr").first).to_contain_text("vCPU")
    expect(drawer.locator(".lines").last).to_contain_text("host registered")
    page.fill("#try-vcpus", "900")
    page.press("#try-vcpus", "Enter")
    expect(drawer.locator(".tester [role=status]")).to_contain_text("It does not fit")
    page.fill("#try-vcpus", "1")
    page.press("#try-vcpus", "Enter")
    expect(drawer.locator(".tester [role=status]")).to_contain_text("It fits here")
    page.keyboard.press("Escape")
    expect(drawer).to_be_hidden()
    expect(page.locator("#map")).to_be_focused()
    assert "host=" not in page.url

    page.keyboard.press("v")
    expect(page.locator("tr[data-host]")).to_have_count(2)
    page.keyboard.press("?")
    expect(page.locator("#help")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#help")).to_be_hidden()
    page.keyboard.press("/")
    expect(page.locator("#filter")).to_be_focused()
    page.keyboard.type("beta")
    expect(page.locator("tr[data-host]")).to_have_count(1)
    page.keyboard.press("Escape")
    expect(page.locator("tr[data-host]")).to_have_count(2)
    release(portal, claim_id)
    assert complaints == []


def test_the_table_is_sorted_by_any_amount(page: Page, portal: Any, cell: Cell, host: Host) -> None:
    for name, vcpus in (("a", 4), ("b", 16), ("c", 8)):
        host(name, heartbeat="none", amounts={"vcpus": vcpus, "memory_mb": 1024, "disk_gb": 10})
    page.goto(f"{portal.url}/cells/{cell.name}/?view=table")
    names = page.locator("tr[data-host] th button")
    expect(names).to_have_text(["a", "b", "c"])
    page.click("thead th:has-text('avail.') >> nth=0")
    expect(names).to_have_text(["b", "c", "a"])
    expect(page.locator("[aria-sort=descending]")).to_have_count(1)
    page.click("thead th:has-text('avail.') >> nth=0")
    expect(names).to_have_text(["a", "c", "b"])
    assert "sort=vcpus.available" in page.url


def test_what_is_seen_is_taken_away(page: Page, portal: Any, cell: Cell, host: Host, tmp_path: Path) -> None:
    host("=cmd()", heartbeat="none", rack="r1")
    host("plain, with a comma", heartbeat="none", rack="r2")
    open_cell(page, portal, cell)
    expect(page.locator("#tiles")).to_have_attribute("data-tiles", "2")

    def take(kind: str) -> Path:
        page.click("#take summary")
        with page.expect_download() as begun:
            page.click(f'[data-take="{kind}"]')
        path = tmp_path / begun.value.suggested_filename
        begun.value.save_as(path)
        return path

    rows = list(csv.DictReader(io.StringIO(take("csv").read_text())))
    assert {row["name"] for row in rows} == {"'=cmd()", "plain, with a comma"}
    assert rows[0]["vcpus.available"] == "8"
    said = json.loads(take("json").read_text())
    assert (said["cell"], len(said["hosts"])) == (cell.name, 2)
    assert take("png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    page.click("#take summary")
    page.click('[data-take="link"]')
    address = page.input_value("#address")
    assert re.search(r"at=20\d\d-", address)


def test_light_dark_and_a_phone(page: Page, portal: Any, cell: Cell, host: Host, complaints: list[str]) -> None:
    for number in range(30):
        host(f"host-{number}", heartbeat="none", rack=f"r{number % 4}")
    open_cell(page, portal, cell)
    light = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.click("#theme")
    page.click("#theme")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != light
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    expect(page.locator("#tiles")).to_have_attribute("data-tiles", "30")
    for width in (390, 768, 1440, 2300):
        page.set_viewport_size({"width": width, "height": 800})
        page.wait_for_timeout(200)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"too wide for {width}"
        assert tiles(page) == 30
    assert complaints == []


def test_where_websockets_are_blocked_it_polls(page: Page, portal: Any, cell: Cell, host: Host) -> None:
    own = host("h1", heartbeat="none")
    page.add_init_script(
        "window.WebSocket = class { constructor() { setTimeout(() => this.onclose({ code: 1006 }), 20); } };"
        "WebSocket.OPEN = 1;"
    )
    page.goto(f"{portal.url}/cells/{cell.name}/?view=table")
    expect(page.locator("#badge")).to_have_text("polling")
    available = page.locator(f'tr[data-host="{own.id}"] td[data-amount="vcpus"][data-part="available"]')
    expect(available).to_have_text("8")
    claim_id = schedule(portal, cell, 3)
    expect(available).to_have_text("5")
    release(portal, claim_id)
    expect(available).to_have_text("8")


def test_events_wait_while_somebody_reads(page: Page, portal: Any, cell: Cell, host: Host) -> None:
    host("h1", heartbeat="none")
    open_cell(page, portal, cell)
    feed = page.locator("#feed li")
    first = schedule(portal, cell, 1)
    expect(page.locator('#feed li[data-type="claim.claimed"]')).to_have_count(1)
    page.keyboard.press("p")
    before = feed.count()
    release(portal, first)
    expect(page.locator("#fresh")).to_contain_text("new – show")
    assert feed.count() == before
    page.click("#fresh")
    expect(page.locator('#feed li[data-type="claim.released"]')).to_have_count(1)
    page.click('#topics [data-topic="claims"]')
    expect(page.locator('#feed li[data-topic="claims"]')).to_have_count(0)
    page.reload()
    expect(page.locator('#topics [data-topic="claims"]')).to_have_attribute("aria-pressed", "false")
    expect(page.locator('#feed li[data-topic="requests"]').first).to_be_visible()


def test_many_small_groups_become_a_tile_each(page: Page, portal: Any) -> None:
    page.goto(f"{portal.url}/login/")
    found = page.evaluate(
        """() => import('/static/dashboard/layout.js').then(({ layOut, placeOf, tileAt }) => {
          const groups = (n, of) => Array.from({ length: n }, (_, key) => ({ key: `r${key}`, count: of }));
          const fine = layOut(groups(250, 40), 1000, 560), coarse = layOut(groups(5000, 40), 1000, 560);
          let wrong = 0;
          for (let n = 0; n < 10000; n += 1) {
            const { x, y } = placeOf(fine, n);
            if (tileAt(fine, x + 1, y + 1) !== n) wrong += 1;
          }
          const inside = fine.blocks.every((one) => one.x >= 0 && one.x + one.width <= 1000);
          const sizes = { fine: [fine.isCoarse, fine.pitch], coarse: [coarse.isCoarse, coarse.blocks[0].count] };
          return { wrong, inside, ...sizes };
        })"""
    )
    assert found["wrong"] == 0
    assert found["inside"] is True
    assert found["fine"][0] is False
    assert found["fine"][1] >= 4
    assert found["coarse"] == [True, 5000]


def test_another_host_of_the_name(page: Page, portal: Any, cell: Cell, host: Host) -> None:
    """A link to a host that is gone opens no drawer, and says nothing wrong."""
    host("h1", heartbeat="none")
    page.goto(f"{portal.url}/cells/{cell.name}/?host={uuid.uuid4()}&at=nonsense&colour=x&group=x&zoom=x&sort=x")
    expect(page.locator("#badge")).to_have_text("live")
    expect(page.locator("#drawer")).to_be_hidden()
    expect(page.locator("#tiles")).to_have_attribute("data-tiles", "1")

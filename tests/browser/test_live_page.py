"""The whole way: a request by REST, a claim in Cassandra, and its amounts on a page that nobody loads again."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from providers.cells import Cell
from providers.records import OwnRow
from providers.register import NewProvider, register

pytestmark = [pytest.mark.browser, pytest.mark.slow]
Host = Callable[..., OwnRow]


def schedule(portal: Any, cell: Cell, vcpus: int) -> str:
    body = {
        "consumer": "web-1",
        "project": "shop",
        "cell": cell.name,
        "resources": [{"resource_class": "compute", "amounts": {"vcpus": vcpus, "memory_mb": 1024, "disk_gb": 10}}],
    }
    answer = portal.call("POST", "/api/schedule", **body)
    assert answer.status_code == 201, answer.text
    claim_id: str = answer.json()["claims"][0]["id"]
    return claim_id


def release(portal: Any, claim_id: str) -> None:
    answer = portal.call("DELETE", f"/api/claims/{claim_id}")
    assert answer.status_code == 204, answer.text


def open_cell(page: Page, portal: Any, cell: Cell, how: str = "") -> None:
    page.goto(f"{portal.url}/cells/{cell.name}/{how}")
    expect(page.locator("#badge")).to_have_text("live")


def amount(page: Page, own: OwnRow, part: str) -> Any:
    return page.locator(f'tr[data-host="{own.id}"] td[data-amount="vcpus"][data-part="{part}"]')


def test_amounts_drop_and_come_back_without_a_reload(
    page: Page, portal: Any, cell: Cell, host: Host, complaints: list[str]
) -> None:
    own = host("rack1-host1", heartbeat="none")
    page.goto(f"{portal.url}/")
    page.click(f'a:text-is("{cell.name}")')
    page.wait_for_url(f"{portal.url}/cells/{cell.name}/")
    expect(page.locator("#badge")).to_have_text("live")
    page.evaluate("window.neverReloaded = true")
    page.click('[data-view-as="table"]')
    expect(amount(page, own, "available")).to_have_text("8")

    claim_id = schedule(portal, cell, 3)
    expect(amount(page, own, "available")).to_have_text("5")
    expect(amount(page, own, "claimed")).to_have_text("3")
    expect(page.locator(f'tr[data-claim="{claim_id}"]')).to_contain_text("web-1")
    expect(page.locator('[data-figure="claims in flight"] dd')).to_have_text("1")

    release(portal, claim_id)
    expect(amount(page, own, "available")).to_have_text("8")
    expect(page.locator("tr[data-claim]")).to_have_count(0)

    late = host("rack1-host2", heartbeat="none")
    expect(amount(page, late, "total")).to_have_text("8")
    assert page.evaluate("window.neverReloaded")
    assert complaints == []


def test_the_page_outlives_the_portal(page: Page, portal: Any, cell: Cell, host: Host) -> None:
    own = host("rack1-host1", heartbeat="none")
    open_cell(page, portal, cell, "?view=table")
    page.evaluate("window.neverReloaded = true")
    expect(amount(page, own, "available")).to_have_text("8")

    portal.kill()
    expect(page.locator("#badge")).to_contain_text("reconnecting")
    portal.start()
    schedule(portal, cell, 5)
    expect(page.locator("#badge")).to_have_text("live", timeout=60_000)
    expect(amount(page, own, "available")).to_have_text("3", timeout=60_000)
    schedule(portal, cell, 2)
    expect(amount(page, own, "available")).to_have_text("1")
    assert page.evaluate("window.neverReloaded")


def test_the_filter_and_the_keyboard(page: Page, portal: Any, cell: Cell, host: Host, complaints: list[str]) -> None:
    names = ["alpha", "beta", "beta-2"]
    for name in names:
        host(name, heartbeat="none")
    host("pool", resource_class="block_storage", amounts={"capacity_gb": 500}, heartbeat="none")
    open_cell(page, portal, cell, "?view=table")
    rows = page.locator("tr[data-host]")
    expect(rows).to_have_count(4)
    page.keyboard.press("/")
    page.keyboard.type("beta")
    expect(page.locator("#found")).to_have_text("2 of 4")
    expect(page.locator("tr[data-host]:visible")).to_have_count(2)
    page.keyboard.press("Escape")
    expect(page.locator("tr[data-host]:visible")).to_have_count(4)
    for width in (390, 1440):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"too wide for {width}"
    assert complaints == []


def test_a_name_is_text_and_an_empty_cell_says_what_to_do(
    page: Page, portal: Any, cell: Cell, complaints: list[str]
) -> None:
    page.goto(f"{portal.url}/cells/{cell.name}/?view=table")
    expect(page.locator("#no-hosts")).to_contain_text("run_agent")
    nasty = "<img src=x onerror=document.title='owned'>"
    register(NewProvider(name=nasty, cell=cell.name, resource_class="compute", properties={"cpu_arch": "x86_64"}))
    expect(page.locator("tr[data-host] th")).to_contain_text(nasty)
    expect(page.locator("#no-hosts")).to_be_hidden()
    assert page.title().startswith(cell.name)
    page.goto(f"{portal.url}/cells/no-such-cell-{uuid.uuid4().hex[:4]}/")
    expect(page.locator("h1")).to_have_text("No such cell")
    assert [one for one in complaints if "404" not in one] == []

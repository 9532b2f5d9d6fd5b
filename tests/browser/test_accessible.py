"""No page has a serious fault that axe finds; the keyboard's walk is in test_map.py."""

from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from providers.cells import Cell
from tests.browser.test_live_page import schedule

pytestmark = [pytest.mark.browser, pytest.mark.slow]
GRAVE = ("serious", "critical")


def faults(page: Page) -> list[str]:
    found = Axe().run(page).response["violations"]
    return [f"{one['id']}: {one['nodes'][0]['html'][:200]}" for one in found if one["impact"] in GRAVE]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_no_page_has_a_serious_fault(page: Page, portal: Any, cell: Cell, host: Callable[..., Any], theme: Any) -> None:
    page.emulate_media(color_scheme=theme)
    for number in range(5):
        own = host(f"h{number}", heartbeat="none", rack=f"r{number % 2}", traits=["SSD"])
    schedule(portal, cell, 2)
    for path in ("/", f"/cells/{cell.name}/", f"/cells/{cell.name}/?view=table", f"/cells/{cell.name}/?host={own.id}"):
        page.goto(portal.url + path)
        expect(page.locator("#badge")).to_contain_text("live")
        page.wait_for_timeout(500)
        assert faults(page) == [], path
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    assert faults(page) == []
    page.context.clear_cookies()
    page.goto(f"{portal.url}/login/")
    assert faults(page) == []

"""The time line in a real browser: back to how a cell was, and to live again with one key."""

import datetime as dt
import time
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from dashboard import checkpoints
from dashboard.snapshot import load
from events.tail import head_cursor
from providers.cells import Cell
from providers.projection import projector
from tests.browser.test_live_page import amount, open_cell, release, schedule

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_back_and_to_live_again(
    page: Page, portal: Any, cell: Cell, host: Callable[..., Any], complaints: list[str]
) -> None:
    own = host("h1", heartbeat="none")
    projector().drain()
    checkpoints.put(cell.home, load(cell.home), head_cursor(), dt.datetime.now(dt.UTC))
    claim_id = schedule(portal, cell, 3)
    time.sleep(0.5)
    then = dt.datetime.now(dt.UTC)
    time.sleep(0.5)
    release(portal, claim_id)
    open_cell(page, portal, cell, "?view=table")
    expect(amount(page, own, "available")).to_have_text("8")

    page.goto(f"{portal.url}/cells/{cell.name}/?view=table&at={then.isoformat().replace('+00:00', 'Z')}")
    expect(page.locator("#badge")).to_have_text("the past")
    expect(amount(page, own, "available")).to_have_text("5")
    expect(page.locator(f'tr[data-claim="{claim_id}"]')).to_be_visible()
    expect(page.locator("#when-said")).to_contain_text("as it was")
    other = schedule(portal, cell, 1)  # what happens now stays behind the past
    page.wait_for_timeout(1500)
    expect(amount(page, own, "available")).to_have_text("5")

    page.keyboard.press("l")
    expect(page.locator("#badge")).to_have_text("live")
    expect(amount(page, own, "available")).to_have_text("7")
    assert "at=" not in page.url
    page.focus("#when")
    for _ in range(3):
        page.keyboard.press("ArrowLeft")
    expect(page.locator("#timeline")).not_to_have_attribute("data-state", "asking")
    expect(page.locator("#when-said")).not_to_have_text("now")
    page.keyboard.press("End")
    expect(page.locator("#badge")).to_have_text("live")
    release(portal, other)
    assert [one for one in complaints if "404" not in one] == []

"""The pages under their Content-Security-Policy, in a browser that holds them to it: no complaint in the console."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from providers.cells import Cell

pytestmark = [pytest.mark.browser, pytest.mark.slow]
ADMIN = (
    *(
        "",
        "password_change/",
        "conductor/requestrecord/headroom/",
        "conductor/requestrecord/audit/",
        "auth/user/",
        "auth/user/add/",
    ),
    *("auth/group/", "auth/group/add/", "api/token/", "providers/cellrecord/", "providers/cellrecord/add/"),
    *("providers/computerecord/", "providers/computerecord/add/", "providers/resourceclassrecord/add/"),
    *("claims/claimrecord/", "conductor/requestrecord/"),
)


def test_no_page_breaks_its_policy(
    page: Page, portal: Any, cell: Cell, host: Callable[..., Any], complaints: list[str]
) -> None:
    own = host(heartbeat="none")
    pages = [f"/admin/{path}" for path in ADMIN] + ["/", f"/cells/{cell.name}/"]
    pages += [f"/admin/providers/computerecord/{own.id}/{kind}/" for kind in ("change", "delete", "history")]
    for path in pages:
        answer = page.goto(portal.url + path)
        assert answer is not None
        assert answer.status == 200, path
        page.wait_for_load_state("load")
        assert complaints == [], path


def test_the_admins_own_scripts_and_styles_work(
    page: Page, portal: Any, cell: Cell, host: Callable[..., Any], complaints: list[str]
) -> None:
    host(heartbeat="none")
    host(heartbeat="none")
    page.goto(f"{portal.url}/admin/providers/computerecord/?cell={cell.name}")
    ticks = page.locator("tbody .chosen input")
    page.check("#choose-all")
    assert all(ticks.nth(n).is_checked() for n in range(ticks.count()))
    expect(page.locator("td.number").first).to_have_css("text-align", "right")
    assert complaints == []


def test_what_is_slipped_in_does_not_run(page: Page, portal: Any, complaints: list[str]) -> None:
    page.goto(f"{portal.url}/admin/")
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"window.ran = 1\">')")
    page.wait_for_timeout(300)
    assert page.evaluate("window.ran") is None
    assert any("Content Security Policy" in said for said in complaints)

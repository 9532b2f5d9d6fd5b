"""The admin's lists in a real browser, from a real portal: rows sorted and chosen, and files that arrive in parts."""

import json

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.slow]
LIST = "/admin/providers/computerecord/"
SIZES = {"host-10": 12, "host-9": 4, "host-2": 100}


@pytest.fixture
def hosts(cell, host):
    """Three hosts in a cell of their own; its name."""
    for name, vcpus in SIZES.items():
        host(name, heartbeat="none", amounts={"vcpus": vcpus, "memory_mb": 1024, "disk_gb": 10})
    return cell.name


def names(page):
    return page.locator("#result_list tbody th").all_inner_texts()


def test_a_header_sorts_the_rows(portal, hosts, page):
    page.goto(f"{portal.url}{LIST}?cell={hosts}")
    came = names(page)
    header = page.get_by_role("columnheader", name="Vcpus")
    assert header.get_attribute("aria-sort") == "none"
    header.get_by_role("button").click()
    assert (names(page), header.get_attribute("aria-sort")) == (["host-9", "host-10", "host-2"], "ascending")
    header.get_by_role("button").press("Enter")
    assert (names(page), header.get_attribute("aria-sort")) == (["host-2", "host-10", "host-9"], "descending")
    header.get_by_role("button").press("Enter")
    assert (names(page), header.get_attribute("aria-sort")) == (came, "none")
    page.get_by_role("button", name="Name", exact=True).click()
    assert names(page) == ["host-2", "host-9", "host-10"]
    assert page.locator(".record-sorted").count() == 0  # there is no other page


def test_rows_are_chosen_and_no_more_than_can_be_done(portal, hosts, page):
    page.goto(f"{portal.url}{LIST}?cell={hosts}")
    everything = page.get_by_label("All on this page")
    everything.check()
    page.get_by_label("Choose ").first.uncheck()
    assert everything.evaluate("box => box.indeterminate")
    page.get_by_role("button", name="Disable the chosen…").click()
    assert "Disable 2 providers?" in page.inner_text("#content-main")
    assert page.url.count("provider=") == 2


def test_a_list_arrives_as_a_file(portal, hosts, page):
    page.goto(f"{portal.url}{LIST}?cell={hosts}")
    with page.expect_download() as begun:
        page.get_by_role("link", name="JSON").click()
    whole = json.loads(begun.value.path().read_text())
    assert (begun.value.suggested_filename, whole["complete"]) == ("computerecord.json", True)
    assert {row["name"]: row["vcpus"] for row in whole["rows"]} == SIZES

"""Every field that a page of the admin asks for says what it is, where it is asked for."""

import pytest

CLASSES = ("compute", "baremetal", "blockstorage", "network", "ownclass")
ADD = (
    *(f"providers/{name}record/add/" for name in CLASSES),
    *("providers/cellrecord/add/", "providers/aggregaterecord/add/", "providers/resourceclassrecord/add/"),
    *("providers/maintenancerecord/add/", "conductor/policyrecord/add/"),
)
ASK = ("conductor/requestrecord/headroom/", "conductor/requestrecord/groups/")


def unexplained(form):
    return [bound.name for bound in form if not bound.is_hidden and not bound.field.help_text]


@pytest.mark.parametrize("path", ADD)
def test_forms_that_make_or_change_something(cell, browser, path):
    assert unexplained(browser.get(f"/admin/{path}").context["adminform"].form) == []


@pytest.mark.parametrize("path", ASK)
def test_forms_that_ask_for_something(cell, browser, path):
    assert unexplained(browser.get(f"/admin/{path}").context["form"]) == []


@pytest.mark.parametrize("action", ["drain", "decommission"])
def test_what_is_done_to_a_host(host, browser, action):
    own = host(heartbeat="none")
    assert unexplained(browser.get(f"/admin/providers/computerecord/{own.id}/{action}/").context["form"]) == []


def test_amounts_of_several(host, browser):
    own = host(heartbeat="none")
    answer = browser.get(f"/admin/providers/computerecord/amounts/?provider={own.id}")
    assert unexplained(answer.context["form"]) == []

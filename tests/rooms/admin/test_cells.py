"""Cells through the admin: list, add, change, delete, history, and a Cassandra that is not there."""

import uuid

import pytest
from django.contrib.admin.models import ADDITION, CHANGE, DELETION, LogEntry

from providers import cells
from providers.refusals import NotFound
from store.failures import StoreUnavailable

LIST = "/admin/providers/cellrecord/"


def page(name):
    return f"{LIST}{name.replace('_', '_5F')}/change/"


def test_a_cell_comes_changes_and_goes(cassandra, browser, opened):
    name = f"cell-{uuid.uuid4().hex[:8]}"
    made = browser.post(f"{LIST}add/", opened(browser, f"{LIST}add/", name=name, description="first"), follow=True)
    assert "was added successfully" in made.content.decode()
    assert (cells.find(name).description, cells.find(name).datacenter) == ("first", "dc1")
    assert name in browser.get(LIST).content.decode()

    changed = browser.post(page(name), opened(browser, page(name), state="disabled", description="second"))
    assert changed.headers["Location"] == LIST
    assert (cells.find(name).state, cells.find(name).description) == ("disabled", "second")

    deleted = browser.post(f"{LIST}{name}/delete/", {"post": "yes"}, follow=True)
    assert "was deleted successfully" in deleted.content.decode()
    with pytest.raises(NotFound):
        cells.find(name)
    flags = LogEntry.objects.filter(object_id=name).order_by("id").values_list("action_flag", flat=True)
    assert list(flags) == [ADDITION, CHANGE, DELETION]


def test_its_name_and_data_centre_are_for_ever(cell, browser, opened):
    browser.post(
        page(cell.name), opened(browser, page(cell.name), name="other", datacenter="elsewhere", state="disabled")
    )
    now = cells.find(cell.name)
    assert (now.name, now.datacenter, now.state) == (cell.name, cell.datacenter, "disabled")


def test_a_name_that_is_taken_is_a_form_error(cell, browser, opened, errors_of):
    answer = browser.post(f"{LIST}add/", opened(browser, f"{LIST}add/", name=cell.name, description="mine"))
    assert f"cell {cell.name} exists" in errors_of(answer)
    assert cells.find(cell.name).description == ""


def test_a_form_that_was_overtaken_is_refused_and_shows_what_is_there(cell, browser, opened, errors_of):
    mine = opened(browser, page(cell.name), description="mine")
    cells.change(cell.name, description="theirs")
    answer = browser.post(page(cell.name), mine)
    assert "Changed meanwhile" in errors_of(answer)
    assert list(answer.context["current_values"]) == [("Description", "mine", "theirs")]
    assert cells.find(cell.name).description == "theirs"


def test_a_used_cell_is_not_deleted(cell, host, browser):
    host()
    answer = browser.post(f"{LIST}{cell.name}/delete/", {"post": "yes"})
    assert answer.status_code == 200
    assert "has providers" in answer.content.decode()
    assert cells.find(cell.name) == cell


def test_its_history_says_who_changed_what(cell, browser, opened):
    browser.post(page(cell.name), opened(browser, page(cell.name), description="new"))
    history = browser.get(f"{LIST}{cell.name}/history/").content.decode()
    assert "Changed Description." in history
    assert "admin-0" in history


def test_a_cell_that_is_not_there(cassandra, browser):
    answer = browser.get(page("nowhere"), follow=True)
    assert answer.redirect_chain[-1][0] == LIST
    assert "There is no cell nowhere" in answer.content.decode()


@pytest.mark.parametrize("path", ["", "add/", "x/change/", "x/delete/", "x/history/"])
def test_without_cassandra_every_page_says_so(browser, monkeypatch, path):
    def away(*args, **kwargs):
        raise StoreUnavailable("Cassandra at 127.0.0.1:9042 cannot be reached")

    monkeypatch.setattr(cells, "all_cells", away)
    monkeypatch.setattr(cells, "find", away)
    monkeypatch.setattr("providers.admin_forms.datacenters", away)
    answer = browser.get(f"{LIST}{path}")
    assert answer.status_code == 503
    assert "cannot be reached" in answer.content.decode()
    assert answer.headers["Retry-After"] == "5"


def test_losing_cassandra_while_saving_keeps_what_was_typed(cell, browser, opened, errors_of, monkeypatch):
    mine = opened(browser, page(cell.name), description="typed")

    def away(*args, **kwargs):
        raise StoreUnavailable("too few replicas alive in dc1")

    monkeypatch.setattr(cells, "change", away)
    answer = browser.post(page(cell.name), mine)
    assert "too few replicas alive in dc1" in errors_of(answer)
    assert 'value="typed"' in answer.content.decode()

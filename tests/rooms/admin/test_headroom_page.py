"""The admin's page of headroom and `manage.py headroom`: the same numbers, a wrong shape said on the page."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from conductor.place import schedule
from conductor.types import ScheduleRequest
from scheduler.types import Resource

PAGE = "/admin/conductor/requestrecord/headroom/"


def ask(cell, vcpus):
    body = {"resources": [{"resource_class": "compute", "amounts": {"vcpus": vcpus}}]}
    resource = Resource("compute", {"vcpus": vcpus})
    return schedule(ScheduleRequest("me", "p", (resource,), body, "somebody", cell=cell.name))


def row_of(answer, cell):
    """The line of a cell in the first table."""
    assert answer.status_code == 200
    return next(row for row in answer.context["sections"][0].rows if row[0] == cell.name)


def test_the_page_counts_a_shape(sign_in, cell, host):
    host(), host(state="disabled")
    shape = {"resource_class": "compute", "amounts": "vcpus=3, memory_mb=1024", "cell": cell.name}
    answer = sign_in("viewer").get(PAGE, shape)
    assert row_of(answer, cell)[1:5] == ["2", "1", "2", "vcpus on 1"]
    assert "25% of 8" in row_of(answer, cell)[5]
    assert row_of(answer, cell)[6] == "state 1"
    assert "From 1 of 1 shards." in answer.content.decode()


def test_without_a_shape_it_shows_what_was_asked_for_lately(sign_in, cell, host):
    host()
    for _ in range(2):
        ask(cell, vcpus=3)
    client = sign_in("operator")
    assert f'href="{PAGE}"' in client.get("/admin/").content.decode()
    titles = [section.title for section in client.get(PAGE).context["sections"]]
    assert any(title.startswith("compute: vcpus 3 (asked for ") for title in titles)


@pytest.mark.parametrize("amounts", ["", "vcpus", "vcpus=two", "vcpus=0", "gpus=1", f"vcpus={'9' * 30}"])
def test_a_wrong_shape_is_said_on_the_page(browser, cell, amounts):
    answer = browser.get(PAGE, {"resource_class": "compute", "amounts": amounts, "cell": cell.name})
    assert (answer.status_code, answer.context["sections"]) == (200, [])
    assert answer.context["form"].errors["amounts"]


def test_nobody_without_a_role_sees_it(sign_in, cassandra):
    assert sign_in("nobody").get(PAGE).status_code == 403


def printed(*words):
    out = StringIO()
    call_command("headroom", *words, stdout=out)
    return out.getvalue()


def test_the_command_prints_the_same(cell, host):
    host()
    ask(cell, vcpus=5)
    lines = [line.split("  ") for line in printed("compute", "vcpus=2", "--cell", cell.name).splitlines()]
    found = [[word.strip() for word in line if word.strip()] for line in lines]
    assert [cell.name, "1", "1", "1", "vcpus on 1", "vcpus 33% of 3", "-"] in found
    assert "compute: vcpus 5 (asked for 1 times)" in printed("--cell", cell.name)


@pytest.mark.parametrize(
    "words", [["gold", "vcpus=1"], ["compute"], ["compute", "vcpus=x"], ["compute", "nodes=1"], ["--cell", "nowhere"]]
)
def test_a_command_that_makes_no_sense_says_so(cassandra, words):
    with pytest.raises(CommandError):
        printed(*words)

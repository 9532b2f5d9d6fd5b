"""An operator's own resource classes through the admin, and their providers; the built-in ones are to read."""

import uuid

import pytest

from providers.records import read_provider
from providers.resource_classes import custom
from providers.resource_classes.kind import AMOUNT, INTEGER, PROPERTY, STRING, Column

CLASSES, PROVIDERS = "/admin/providers/resourceclassrecord/", "/admin/providers/ownclassrecord/"


def page(name, verb="change"):
    return f"{CLASSES}{name.replace('_', '_5F')}/{verb}/"


def row(number, name, unit="", kind=AMOUNT, of_type=INTEGER):
    parts = {"name": name, "unit": unit, "kind": kind, "type": of_type}
    return {f"{part}_{number}": value for part, value in parts.items()}


@pytest.fixture
def own_class(cassandra):
    """A class with an amount and a property; its name."""
    name = f"own_{uuid.uuid4().hex[:8]}"
    columns = [Column("licenses", "license", AMOUNT), Column("grade", "", PROPERTY, INTEGER)]
    custom.create(name, columns)
    return name


def test_one_is_made_row_by_row_without_javascript(cassandra, browser, opened):
    name = f"own_{uuid.uuid4().hex[:8]}"
    sent = opened(browser, f"{CLASSES}add/", name=name, **row(0, "licenses", "license"), **row(2, "slots", "slot"))
    more = browser.post(f"{CLASSES}add/", sent | {"_more": "More rows"})
    assert custom.load(name) is None  # nothing is saved yet
    form = more.context["adminform"].form
    assert not form.errors
    kept = {bound.name: bound.value() for bound in form}
    assert (kept["name"], kept["name_0"], kept["unit_2"], kept["rows"]) == (name, "licenses", "slot", 8)
    for bound in form:  # what a browser would send
        sent.setdefault(bound.name, bound.value() or next((v for v, _ in getattr(bound.field, "choices", ())), ""))
    sent |= {"rows": 8, **row(6, "grade", "", PROPERTY, STRING)}
    done = browser.post(f"{CLASSES}add/", sent, follow=True)
    assert "was added successfully" in done.content.decode()
    assert custom.load(name).columns == (
        Column("licenses", "license", AMOUNT, INTEGER),
        Column("slots", "slot", AMOUNT, INTEGER),
        Column("grade", "", PROPERTY, STRING),
    )
    assert name in browser.get(CLASSES).content.decode()
    columns = browser.get(page(name)).context["sections"][1]
    assert list(columns.rows[0]) == ["licenses", "license", AMOUNT, INTEGER]


@pytest.mark.parametrize(
    ("rows", "field", "said"),
    [
        ({**row(1, "ok"), **row(3, "Bad Name")}, "name_3", "lower-case"),
        (row(2, "seats", "", AMOUNT, STRING), "type_2", "integer (amounts always are)"),
        (row(0, "grade", "", PROPERTY, STRING), "__all__", "at least one must be an amount"),
        ({**row(0, "twice"), **row(1, "twice")}, "__all__", "names must differ"),
        ({}, "__all__", "1 to 50 columns"),
        ({**row(0, "ok"), "unit_1": "seat"}, "name_1", "needs a name"),
        (row(0, "ok", "x" * 64), "unit_0", "at most 63"),
        ({**row(0, "ok"), "kind_0": "magic"}, "kind_0", "valid choice"),
    ],
)
def test_a_mistake_is_said_beside_its_row(cassandra, browser, opened, rows, field, said):
    name = f"own_{uuid.uuid4().hex[:8]}"
    answer = browser.post(f"{CLASSES}add/", opened(browser, f"{CLASSES}add/", name=name, **rows))
    assert answer.status_code == 200
    errors = answer.context["adminform"].form.errors
    assert said.lower() in str(errors[field]).lower()
    assert custom.load(name) is None


@pytest.mark.parametrize("rows", ["", "-1", "999999999", "x", "²"])
def test_any_number_of_rows_is_taken_as_one_that_can_be(cassandra, browser, rows):
    answer = browser.post(f"{CLASSES}add/", {"name": "x", "rows": rows, "_more": "1"})
    assert answer.status_code == 200
    assert len(answer.context["adminform"].form.fields) <= 2 + 4 * 50


def test_a_name_that_is_taken(cassandra, browser, opened, errors_of, own_class):
    for name, said in ((own_class, f"resource class {own_class} exists"), ("compute", "is a built-in resource class")):
        answer = browser.post(f"{CLASSES}add/", opened(browser, f"{CLASSES}add/", name=name, **row(0, "a")))
        assert said in errors_of(answer)


def test_the_built_in_ones_are_listed_and_stay(cassandra, browser):
    listed = {key: cells for _, cells, key in browser.get(CLASSES).context["rows"]}
    assert {"compute", "baremetal", "block_storage", "network"} <= set(listed)
    assert listed["compute"][-1][0] == "built in"
    text = browser.get(page("block_storage")).content.decode()
    assert "capacity_gb" in text
    assert "/admin/providers/blockstoragerecord/" in text
    assert "deletelink" not in text
    for verb in ("delete", "change"):
        assert browser.post(page("compute", verb), {"post": "yes"}).status_code == 403


def test_who_may(own_class, sign_in):
    for role in ("viewer", "operator"):
        client = sign_in(role)
        assert client.get(page(own_class)).status_code == 200
        assert client.get(f"{CLASSES}add/").status_code == 403
        assert client.post(page(own_class, "delete"), {"post": "yes"}).status_code == 403
    assert custom.load(own_class) is not None


def test_its_providers_and_why_it_is_not_deleted_before_them(cell, browser, opened, errors_of, own_class):
    add = f"{PROVIDERS}add/"
    lines = {"inventory": "licenses: 10, 2, 1.5", "properties": "grade: 3"}
    sent = opened(browser, add, name="vault", cell=cell.name, resource_class=own_class, heartbeat="none", **lines)
    assert "is not `total, reserved, ratio`" in errors_of(browser.post(add, sent | {"inventory": "licenses: lots"}))
    bad = browser.post(add, sent | {"inventory": "seats: 1"})
    assert "Seats is not an amount of" in str(bad.context["adminform"].form.errors["inventory"])
    answer = browser.post(add, sent | {"_continue": "1"})
    provider_id = uuid.UUID(answer.headers["Location"].split("/")[-3])
    assert read_provider(provider_id)[1].amounts == {"licenses": 13}
    its_page = f"{PROVIDERS}{provider_id}/change/"
    browser.post(its_page, opened(browser, its_page, inventory="licenses: 20"))
    assert read_provider(provider_id)[1].available == {"licenses": 20}
    assert "vault" in browser.get(PROVIDERS, {"resource_class": own_class}).content.decode()

    facts = dict(browser.get(page(own_class)).context["sections"][0].facts)
    assert f"?resource_class={own_class}" in facts["Providers"]
    assert ">1<" in facts["Providers"]
    refused = browser.post(page(own_class, "delete"), {"post": "yes"}).content.decode()
    assert f"Not deleted: resource class {own_class} has 1 provider: delete them first" in refused
    browser.post(f"{PROVIDERS}{provider_id}/delete/", {"post": "yes"})
    done = browser.post(page(own_class, "delete"), {"post": "yes"}, follow=True)
    assert "was deleted successfully" in done.content.decode()
    gone = browser.get(page(own_class), follow=True).content.decode()
    assert f"There is no resource class {own_class}" in gone
    assert own_class not in {key for *_, key in browser.get(CLASSES).context["rows"]}

"""Providers of each class through the admin."""

import uuid

import pytest
from django.contrib.admin.models import LogEntry

from claims.take import take
from claims.types import Member, Order, Taken, claim_id
from providers.change import Changes, change
from providers.records import read_provider
from providers.refusals import NotFound
from providers.register import NewProvider, register

MODELS = {
    "compute": "computerecord",
    "baremetal": "baremetalrecord",
    "block_storage": "blockstoragerecord",
    "network": "networkrecord",
}
FIELDS = {
    "compute": {
        "total_vcpus": 8,
        "ratio_vcpus": 4.0,
        "reserved_vcpus": 2,
        "total_memory_mb": 1024,
        "prop_cpu_arch": "arm",
    },
    "baremetal": {"prop_cpus": 64, "prop_cpu_arch": "x86_64"},
    "block_storage": {"total_capacity_gb": 1000, "total_iops": 5000, "prop_media": "ssd"},
    "network": {"total_ipv4_addresses": 254, "total_bandwidth_mbps": 10_000, "prop_physical_network": "net1"},
}
AMOUNTS = {
    "compute": {"vcpus": 30, "memory_mb": 1024, "disk_gb": 0},
    "baremetal": {"nodes": 1},
    "block_storage": {"capacity_gb": 1000, "iops": 5000},
    "network": {"ipv4_addresses": 254, "bandwidth_mbps": 10_000},
}


def listing(resource_class="compute"):
    return f"/admin/providers/{MODELS.get(resource_class, 'ownclassrecord')}/"


def page(provider_id, resource_class="compute"):
    return f"{listing(resource_class)}{provider_id}/change/"


def claim_on(own, vcpus=2):
    tree, own = read_provider(own.id)
    amounts = {"vcpus": vcpus, "memory_mb": vcpus * 512}
    request_id = uuid.uuid4()
    member = Member(claim_id(request_id, 0, 0, 0), 0, own.id, own.row["name"], "compute", amounts, own.state_version)
    order = Order(tree.home, tree.root_id, own.state_version, request_id, 0, "someone", "project", (member,))
    assert take(order) == Taken()
    return member.claim_id


@pytest.mark.parametrize("resource_class", sorted(MODELS))
def test_a_provider_comes_changes_and_goes(cell, browser, opened, resource_class):
    name = f"{resource_class}-{uuid.uuid4().hex[:6]}"
    add = f"{listing(resource_class)}add/"
    labels = {"traits": "SSD, FAST", "aggregates": "row-1", "rack": "r1", "zone": "z1", "heartbeat": "none"}
    sent = opened(browser, add, name=name, cell=cell.name, **labels, **FIELDS[resource_class])
    answer = browser.post(add, sent | {"_continue": "1"})
    assert answer.status_code == 302, answer.context["adminform"].form.errors
    provider_id = uuid.UUID(answer.headers["Location"].split("/")[-3])
    _, own = read_provider(provider_id)
    assert own.amounts == own.available == AMOUNTS[resource_class]
    assert (own.row["name"], own.row["rack"], own.row["heartbeat"]) == (name, "r1", "none")
    assert set(own.row["traits"]) == {"SSD", "FAST"}
    assert name in browser.get(listing(resource_class), {"cell": cell.name}).content.decode()
    assert name in browser.get(listing(resource_class), {"q": name}).content.decode()

    url = page(provider_id, resource_class)
    text = browser.get(url).content.decode()
    assert "available (the sum)" in text
    assert "always" in text
    browser.post(url, opened(browser, url, state="draining", state_reason="repairs", traits="SSD"))
    _, own = read_provider(provider_id)
    assert (own.row["state"], own.row["state_reason"], set(own.row["traits"])) == ("draining", "repairs", {"SSD"})
    assert own.state_version == 2
    assert own.amounts == AMOUNTS[resource_class]
    assert name in browser.get(listing(resource_class), {"cell": cell.name, "state": "draining"}).content.decode()
    assert name not in browser.get(listing(resource_class), {"cell": cell.name, "state": "enabled"}).content.decode()

    deleted = browser.post(f"{listing(resource_class)}{provider_id}/delete/", {"post": "yes"}, follow=True)
    assert "was deleted successfully" in deleted.content.decode()
    with pytest.raises(NotFound):
        read_provider(provider_id)
    assert LogEntry.objects.filter(object_id=str(provider_id)).count() == 3


def test_only_what_was_changed_is_changed(host, browser, opened):
    own = host(heartbeat="none")
    claim_on(own)
    browser.post(page(own.id), opened(browser, page(own.id), total_vcpus=10, reserved_vcpus=1))
    _, now = read_provider(own.id)
    assert (now.amounts["vcpus"], now.available["vcpus"]) == (9, 7)
    assert now.amounts["memory_mb"] == own.amounts["memory_mb"]
    assert now.row["name"] == own.row["name"]


def test_a_form_that_was_overtaken_overwrites_nothing(host, browser, opened, errors_of):
    own = host(heartbeat="none")
    mine = opened(browser, page(own.id), state_reason="mine", state="disabled")
    change(own.id, 1, Changes({"state_reason": "theirs"}, {}, {}))
    change(own.id, 2, Changes({"zone": "z9"}, {}, {}))
    answer = browser.post(page(own.id), mine)
    said = errors_of(answer)
    assert "current state_version is 3" in said
    assert "opened at 1" in said
    assert ("Reason", "mine", "theirs") in answer.context["current_values"]
    _, now = read_provider(own.id)
    assert (now.row["state"], now.row["state_reason"], now.row["zone"]) == ("enabled", "theirs", "z9")

    again = browser.post(page(own.id), mine)  # saving once more does not help: only opening it again does
    assert "current state_version is 3" in errors_of(again)
    browser.post(page(own.id), opened(browser, page(own.id), state_reason="both"))
    assert read_provider(own.id)[1].row["state_reason"] == "both"


def test_one_that_is_overtaken_inside_the_transaction_too(host, browser, opened, errors_of, monkeypatch):
    """The check before the transaction is a courtesy; the transaction decides."""
    own = host(heartbeat="none")
    mine = opened(browser, page(own.id), state_reason="mine")
    real = change

    def later(*args):
        real(own.id, 1, Changes({"state_reason": "theirs"}, {}, {}))
        return real(*args)

    monkeypatch.setattr("providers.provider_admin.change", later)
    assert "current state_version is 2" in errors_of(browser.post(page(own.id), mine))
    assert read_provider(own.id)[1].row["state_reason"] == "theirs"


@pytest.mark.parametrize("version", ["", "0", "99", "x"])
def test_a_form_without_the_right_version_saves_nothing(host, browser, opened, errors_of, version):
    own = host(heartbeat="none")
    answer = browser.post(page(own.id), opened(browser, page(own.id), zone="z9", state_version=version))
    assert errors_of(answer)
    assert read_provider(own.id)[1].row["zone"] == ""


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("total_vcpus", "-1", "greater than or equal to 0"),
        ("total_vcpus", str(2**53), "less than or equal to"),
        ("total_vcpus", "many", "whole number"),
        ("ratio_vcpus", "0", "Must be above 0"),
        ("reserved_vcpus", "9", "but is -1"),
        ("name", "", "required"),
        ("name", "x" * 256, "at most 255"),
        ("name", "a\x07b", "ontrol characters"),
        ("state", "sleeping", "not one of the available choices"),
        ("traits", "a," + "x" * 256, "longer than 255"),
        ("ratio_vcpus", "nan", "a number"),
        ("ratio_vcpus", "1e999", "a number"),
        ("prop_cpu_arch", "", "1-255 characters"),
    ],
)
def test_bad_input_is_a_form_error_and_changes_nothing(host, browser, opened, errors_of, field, value, said):
    own = host(heartbeat="none")
    answer = browser.post(page(own.id), opened(browser, page(own.id), **{field: value}))
    assert said in errors_of(answer)
    assert read_provider(own.id)[1].row == own.row


def test_its_cell_and_parent_are_for_ever(host, browser, opened):
    own = host(heartbeat="none")
    browser.post(page(own.id), opened(browser, page(own.id), cell="other", parent=str(uuid.uuid4()), zone="z2"))
    _, now = read_provider(own.id)
    assert (now.row["cell"], now.row["parent_id"], now.row["zone"]) == (own.row["cell"], None, "z2")


def test_one_in_use_is_not_deleted_and_says_by_what(host, cell, browser):
    own = host(heartbeat="none")
    register(NewProvider(name="gpu", cell=cell.name, resource_class="compute", parent=own.id))
    claim = claim_on(own)
    answer = browser.post(f"{listing()}{own.id}/delete/", {"post": "yes"})
    text = answer.content.decode()
    assert answer.status_code == 200
    assert "1 claims, 0 instances, 1 children" in text
    assert str(claim) in text
    assert read_provider(own.id)[1].id == own.id


def test_a_child_names_its_parent_and_its_parent_the_child(host, cell, browser, opened):
    own = host("the-parent", heartbeat="none")
    sent = opened(browser, f"{listing()}add/", name="the-child", cell=cell.name, parent=str(own.id), heartbeat="none")
    answer = browser.post(f"{listing()}add/", sent | {"_continue": "1"}, follow=True)
    assert "the-parent" in answer.content.decode()
    assert "the-child" in browser.get(page(own.id)).content.decode()


def test_an_unknown_parent_is_an_error_beside_its_field(cell, browser, opened):
    sent = opened(browser, f"{listing()}add/", name="child", cell=cell.name, parent=str(uuid.uuid4()))
    answer = browser.post(f"{listing()}add/", sent)
    assert "No provider" in str(answer.context["adminform"].form.errors["parent"])


def test_pages_follow_each_other_without_gaps(host, cell, browser, monkeypatch):
    monkeypatch.setattr("store.record_admin.RecordAdmin.page_size", 3)
    made = {str(host(heartbeat="none").id) for _ in range(7)}
    seen, url = [], f"{listing()}?cell={cell.name}"
    for _ in range(5):
        answer = browser.get(url)
        seen += [link.split("/")[-3] for link, *_ in answer.context["rows"]]
        if not answer.context["next_url"]:
            break
        url = listing() + answer.context["next_url"]
    assert len(seen) == 7
    assert set(seen) == made


def test_a_garbled_cursor_is_said_not_thrown(cell, browser):
    answer = browser.get(listing(), {"cell": cell.name, "next": "%%%"})
    assert answer.status_code == 200
    assert "not a cursor" in answer.context["refusal"]


def test_each_class_has_its_own_pages(host, browser):
    own = host(heartbeat="none")
    answer = browser.get(page(own.id, "network"), follow=True)
    assert "There is no network provider" in answer.content.decode()
    for key in ("nonsense", str(uuid.uuid4())):
        assert browser.get(page(key)).status_code == 302


def test_one_that_goes_while_its_page_is_made(host, browser, monkeypatch):
    own = host(heartbeat="none")
    read = "providers.provider_admin.read_provider"
    answers = iter([read_provider(own.id)])

    def once(provider_id):
        found = next(answers, None)
        if found is None:
            raise NotFound(f"no provider {provider_id}")
        return found

    monkeypatch.setattr(read, once)
    answer = browser.get(page(own.id))
    assert answer.status_code == 200
    assert f"no provider {own.id} (any more)" in answer.content.decode()

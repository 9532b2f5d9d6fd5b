"""Policies and aggregates in the admin: a new version, an older one brought back, the shadow; who may what."""

import uuid

import pytest
from django.contrib.admin.models import LogEntry

from conductor import policies
from conductor.policy_differences import note_difference
from providers import aggregates
from providers.aggregates import Changes
from providers.records import read_provider

POLICIES, OTHERS = "/admin/conductor/policyrecord/", "/admin/conductor/policydifferencerecord/"
AGGREGATES = "/admin/providers/aggregaterecord/"
pytestmark = pytest.mark.usefixtures("own_policy")


def page(version, verb="change"):
    return f"{POLICIES}{version}/{verb}/"


def states(client):
    return {key: cells[1][0] for _, cells, key in client.get(POLICIES).context["rows"]}


def test_a_new_version_is_made_by_form(browser, opened):
    assert states(browser) == {"0": "in force"}
    sent = opened(browser, f"{POLICIES}add/", reason="pack them", weighers="free_amount: -2\nbalance: 0.5", subset=3)
    sent["filters"] = [name for name in sent["filters"] if name != "traits"]
    done = browser.post(f"{POLICIES}add/", sent, follow=True)
    assert "was added successfully" in done.content.decode()
    now = policies.current().in_force
    assert (now.version, now.reason, now.policy.subset) == (1, "pack them", 3)
    assert now.created_by.startswith("admin-")
    assert now.policy.weighers == {"free_amount": -2.0, "balance": 0.5}
    assert "traits" not in now.policy.filters
    assert {"alive", "state", "capacity"} <= set(now.policy.filters)
    assert states(browser) == {"1": "in force", "0": ""}
    shown = browser.get(page(1))
    changed = {row[0]: row[1:] for row in shown.context["sections"][1].rows}
    assert changed["subset"] == ["5", "3"]
    assert changed["weighers"][1] == "free_amount -2, balance 0.5"
    assert LogEntry.objects.filter(object_id="1").exists()


@pytest.mark.parametrize(
    ("changes", "field", "said"),
    [
        ({"weighers": "luck: 1"}, "weighers", "is no weigher"),
        ({"weighers": "free_amount: much"}, "weighers", "is not a number"),
        ({"subset": 0}, "subset", "1 to 1000"),
        ({"sweep_seconds": "x"}, "sweep_seconds", "number"),
        ({"filters": ["magic"]}, "filters", "magic"),
        ({"reason": ""}, "reason", "required"),
    ],
)
def test_a_mistake_is_said_beside_its_field(browser, opened, changes, field, said):
    sent = opened(browser, f"{POLICIES}add/", **({"reason": "x"} | changes))
    answer = browser.post(f"{POLICIES}add/", sent)
    assert answer.status_code == 200
    assert said in str(answer.context["adminform"].form.errors[field])
    assert policies.current().latest == 0


def test_a_form_that_was_overtaken(browser, opened, errors_of):
    sent = opened(browser, f"{POLICIES}add/", reason="mine", subset=2)
    policies.put({"subset": 9}, 0, "bob", "quicker")
    answer = browser.post(f"{POLICIES}add/", sent)
    assert "version 1 is in force" in errors_of(answer)
    assert policies.current().in_force.policy.subset == 9


def test_an_older_one_is_brought_back(browser):
    policies.put({"subset": 2}, 0, "ann", "first")
    policies.put({"subset": 3}, 1, "ann", "second")
    tools = dict(browser.get(page(1)).context["tools"])
    question = browser.get(tools["Bring it back"])
    assert question.context["sections"][0].rows == [["subset", "3", "2"]]
    assert browser.post(tools["Bring it back"], {"reason": ""}).status_code == 200
    done = browser.post(tools["Bring it back"], {"reason": "3 was too many"}, follow=True)
    assert "Version 3 says what 1 does" in done.content.decode()
    now = policies.current().in_force
    assert (now.version, now.policy.subset, now.reason) == (3, 2, "3 was too many")
    assert "Bring back: version 1" in LogEntry.objects.get(object_id="3").change_message
    assert browser.get(page(77), follow=True).status_code == 200
    assert browser.get(page(77, "bring-back"), follow=True).status_code == 200


def test_the_shadow_and_what_it_would_have_chosen(browser, opened):
    sent = opened(browser, f"{POLICIES}add/", reason="what if", subset=2, as_shadow="on")
    browser.post(f"{POLICIES}add/", sent)
    assert states(browser) == {"1": "shadow", "0": "in force"}
    request_id = uuid.uuid4()
    note_difference(request_id, 0, 1, "compute", ["host-a"], ["host-b"])
    text = browser.get(page(1)).content.decode()
    assert "host-b" in text
    assert OTHERS in text
    listed = browser.get(OTHERS)
    assert str(request_id)[:8] in listed.content.decode()
    url = next(row.url for row in listed.context["rows"] if "host-b" in str(row.cells))
    assert "host-a" in browser.get(url).content.decode()
    browser.post(page(0, "shadow"), {"reason": "the settings as the shadow"})
    assert policies.current().shadow.version == 2
    done = browser.post(dict(browser.get(page(2)).context["tools"])["End the shadow"], {"post": "yes"}, follow=True)
    assert "The shadow has ended" in done.content.decode()
    assert policies.current().shadow is None
    assert "No shadow policy runs" in browser.get(f"{POLICIES}end-shadow/", follow=True).content.decode()


@pytest.mark.parametrize("url", [POLICIES, OTHERS])
def test_a_cursor_that_is_none(browser, url):
    for cursor in ("banana", "²", "-1", "9" * 30):
        answer = browser.get(url, {"next": cursor})
        assert (answer.status_code, answer.context["refusal"]) == (200, "next: is not a cursor of this list")


def test_only_admins_write_policies(sign_in):
    for role in ("viewer", "operator"):
        client = sign_in(role)
        for url in (POLICIES, OTHERS, page(0)):
            assert client.get(url).status_code == 200
        assert client.get(page(0)).context["tools"] == ()
        for url in (f"{POLICIES}add/", page(0, "bring-back"), page(0, "shadow"), f"{POLICIES}end-shadow/"):
            assert client.post(url, {"reason": "x"}).status_code == 403
    admin = sign_in("admin")
    assert admin.post(page(0), {"subset": 1}).status_code == 403
    assert admin.post(page(0, "delete"), {"post": "yes"}).status_code == 403
    assert policies.current().latest == 0


def test_an_aggregate_is_made_changed_and_deleted_by_an_operator(sign_in, opened, errors_of, host):
    operator, name = sign_in("operator"), f"agg-{uuid.uuid4().hex[:8]}"
    own = host(aggregates=frozenset({name}))
    add = f"{AGGREGATES}add/"
    sent = opened(operator, add, name=name, tenants="bank, shop", weighers="free_amount: -1")
    assert "Luck is no weigher" in errors_of(operator.post(add, sent | {"weighers": "luck: 1"}))
    assert "was added successfully" in operator.post(add, sent, follow=True).content.decode()
    made = aggregates.find(name)
    assert (made.tenants, made.weighers) == (frozenset({"bank", "shop"}), {"free_amount": -1.0})
    url = f"{AGGREGATES}{name}/change/"
    text = operator.get(url).content.decode()
    assert own.row["name"] in text
    assert name in operator.get(AGGREGATES).content.decode()

    stale = opened(operator, url, tenants="shop")
    aggregates.change(name, 1, Changes("by another"))
    assert "current version is 2" in errors_of(operator.post(url, stale))
    operator.post(url, opened(operator, url, tenants="shop"))
    assert aggregates.find(name).tenants == frozenset({"shop"})
    assert aggregates.find(name).description == "by another"

    refused = operator.post(f"{AGGREGATES}{name}/delete/", {"post": "yes"}).content.decode()
    assert f"aggregate {name} has 1 provider" in refused
    assert name in read_provider(own.id)[1].row["aggregates"]
    assert sign_in("viewer").get(url).status_code == 200
    assert sign_in("viewer").get(add).status_code == 403

"""From the admin to the live pages; and a provider with the whole tree that it is in."""

import uuid

from django.test import override_settings
from django.urls import path

from claims.take import take
from claims.types import Member, Order, Taken, claim_id
from providers.admin_sections import on_site
from providers.records import read_provider
from providers.register import NewProvider, register
from store.record_values import plain

HOSTS = "/admin/providers/computerecord/"


def claim_on(own):
    tree, own = read_provider(own.id)
    request_id = uuid.uuid4()
    member = Member(claim_id(request_id, 0, 0, 0), 0, own.id, own.row["name"], "compute", {"vcpus": 2}, 1)
    root = tree.providers[tree.root_id]
    order = Order(tree.home, tree.root_id, root.state_version, request_id, 0, "someone", "project", (member,))
    assert take(order) == Taken()
    return member.claim_id


def test_a_cell_a_provider_and_a_claim_lead_to_the_live_page(host, cell, sign_in):
    own = host(heartbeat="none")
    claim = claim_on(own)
    viewer = sign_in("viewer")
    live = f"/cells/{cell.name}/"
    pages = ("providers/cellrecord/" + cell.name, f"providers/computerecord/{own.id}", f"claims/claimrecord/{claim}")
    for page in pages:
        answer = viewer.get(f"/admin/{page}/change/")
        assert ("View on site", live) in answer.context["tools"]
        assert f'href="{live}"' in answer.content.decode()
    assert viewer.get(live).status_code == 200


class Bare:
    """A portal without a dashboard."""

    urlpatterns = [path("nothing/", lambda request: None)]


def test_without_a_dashboard_there_is_no_link():
    with override_settings(ROOT_URLCONF=Bare):
        assert on_site("cell1") == []


def tree_of(client, provider_id):
    answer = client.get(f"{HOSTS}{provider_id}/change/")
    [section] = [one for one in answer.context["sections"] if one.title == "Tree"]
    return [[plain(value) for value in row] for row in section.rows], answer.content.decode()


def test_a_tree_is_seen_as_one_from_each_of_its_providers(host, cell, sign_in):
    root = host("the-root", heartbeat="none")

    def child(name, parent):
        made = NewProvider(name=name, cell=cell.name, resource_class="compute", parent=parent, state="disabled")
        return register(made)[1].id

    left, right = child("left", root.id), child("right", root.id)
    leaf = child("leaf", left)
    claim_on(root)
    viewer = sign_in("viewer")
    rows, text = tree_of(viewer, left)
    assert [row[0] for row in rows] == ["the-root", "└ left (this one)", "\u2003└ leaf", "└ right"]
    assert [row[2] for row in rows] == ["enabled", "disabled", "disabled", "disabled"]
    assert rows[0][1:] == ["compute", "enabled", "disk_gb 100 of 100, memory_mb 8\u202f192 of 8\u202f192, vcpus 6 of 8"]
    assert f'href="{HOSTS}{leaf}/change/"' in text
    assert f'href="{HOSTS}{root.id}/change/"' in text
    for one, marked in ((root.id, 0), (leaf, 2), (right, 3)):
        names = [row[0] for row in tree_of(viewer, one)[0]]
        assert [name.endswith("(this one)") for name in names] == [at == marked for at in range(4)]


def test_one_that_stands_alone_says_so(host, browser):
    rows, text = tree_of(browser, host(heartbeat="none").id)
    assert rows == []
    assert "nothing is above or below it" in text

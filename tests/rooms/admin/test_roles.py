"""Who may see and do what in the admin: viewers look, operators drain, admins do everything, others see nothing."""

import pytest
from django.contrib.auth.models import User

from providers.records import read_provider

CELLS, HOSTS = "/admin/providers/cellrecord/", "/admin/providers/computerecord/"
CLAIMS, REQUESTS = "/admin/claims/claimrecord/", "/admin/conductor/requestrecord/"
LISTS = (CELLS, HOSTS, CLAIMS, REQUESTS)


def test_someone_without_a_role_sees_nothing(cell, host, sign_in):
    own, client = host(), sign_in("nobody")
    for url in (
        *LISTS,
        f"{CELLS}add/",
        f"{HOSTS}{own.id}/change/",
        f"{HOSTS}{own.id}/history/",
        f"{HOSTS}{own.id}/delete/",
    ):
        assert client.get(url).status_code == 403, url
    assert "computerecord" not in client.get("/admin/").content.decode()


def test_nobody_gets_in_without_signing_in(client, db):
    for url in LISTS:
        assert client.get(url).headers["Location"].startswith("/admin/login/")


def test_a_viewer_looks(cell, host, sign_in, opened):
    own, client = host(), sign_in("viewer")
    for url in LISTS:
        assert client.get(url).status_code == 200, url
    page = f"{HOSTS}{own.id}/change/"
    text = client.get(page).content.decode()
    assert "available (the sum)" in text
    assert 'name="_save"' not in text
    assert all(b.field.disabled for b in client.get(page).context["adminform"].form if b.name != "state_version")
    assert client.post(page, opened(client, page, state="draining")).status_code == 403
    assert client.post(f"{HOSTS}{own.id}/delete/", {"post": "yes"}).status_code == 403
    assert client.get(f"{HOSTS}add/").status_code == 403
    assert client.post(f"{CELLS}add/", {"name": "x", "datacenter": "dc1", "state": "enabled"}).status_code == 403
    assert client.get(f"{CELLS}{cell.name}/history/").status_code == 200
    assert read_provider(own.id)[1].row == own.row


def test_an_operator_drains_and_changes_nothing_else(cell, host, sign_in, opened):
    own, client = host(), sign_in("operator")
    page = f"{HOSTS}{own.id}/change/"
    sent = opened(client, page, state="draining", state_reason="new disks", name="mine", total_vcpus=99)
    assert client.post(page, sent).status_code == 302
    _, now = read_provider(own.id)
    assert (now.row["state"], now.row["state_reason"]) == ("draining", "new disks")
    assert (now.row["name"], now.totals) == (own.row["name"], own.totals)
    assert client.post(f"{HOSTS}{own.id}/delete/", {"post": "yes"}).status_code == 403
    assert client.get(f"{HOSTS}add/").status_code == 403
    cell_page = f"{CELLS}{cell.name}/change/"
    assert client.post(cell_page, opened(client, cell_page, state="disabled")).status_code == 403


def test_an_admin_and_a_superuser_do_everything(cell, sign_in, opened, client):
    client.force_login(User.objects.create_superuser("root"))
    for someone in (sign_in("admin"), client):
        for url in (
            *LISTS,
            f"{CELLS}add/",
            f"{HOSTS}add/",
            f"{CELLS}{cell.name}/change/",
            f"{CELLS}{cell.name}/delete/",
        ):
            assert someone.get(url).status_code == 200, url
        assert all(entry in someone.get("/admin/").content.decode() for entry in LISTS)


@pytest.mark.parametrize("role", ["viewer", "operator"])
def test_claims_and_requests_are_to_read(cassandra, sign_in, role):
    for url in (CLAIMS, REQUESTS):
        assert sign_in(role).get(f"{url}add/").status_code == 403
        assert sign_in("admin").get(f"{url}add/").status_code == 403


def test_someone_whose_account_was_closed_is_out(cassandra, sign_in):
    client = sign_in("admin")
    assert client.get(CELLS).status_code == 200
    User.objects.update(is_active=False)
    assert client.get(CELLS).status_code == 302

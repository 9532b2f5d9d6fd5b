"""What `make run` makes on its first start, and what the second one leaves alone."""

import json
import stat

import pytest
from django.contrib.auth import authenticate, get_user_model
from django.core.management import call_command

from agents.node.configuration import read_configuration
from agents.node.provider_configuration import Measured
from api import tokens
from api.management.commands import create_fleet
from api.models import Token
from api.simulated_hosts import simulated_hosts
from providers import cells
from providers.find import read_cell


@pytest.fixture
def var(db, tmp_path, settings):
    settings.VAR_DIR = tmp_path
    return tmp_path


def said(capsys):
    return capsys.readouterr().out.strip()


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_the_admin_is_made_once_and_rotated_on_demand(var, capsys):
    call_command("create_admin")
    password, token = (var / "admin-password").read_text().strip(), (var / "admin-token").read_text().strip()
    assert authenticate(username="admin", password=password).is_superuser
    assert tokens.are_valid([token])
    assert mode(var / "admin-password") == mode(var / "admin-token") == 0o600
    assert password not in said(capsys)
    call_command("create_admin")
    assert said(capsys) == "there already"
    assert (var / "admin-password").read_text().strip() == password
    call_command("create_admin", "--rotate")
    fresh = (var / "admin-password").read_text().strip()
    assert authenticate(username="admin", password=password) is None
    assert authenticate(username="admin", password=fresh) is not None
    assert not tokens.are_valid([token])
    assert tokens.are_valid([(var / "admin-token").read_text().strip()])


def test_a_lost_token_is_made_anew_and_a_changed_password_is_kept(var):
    call_command("create_admin")
    old = (var / "admin-token").read_text().strip()
    (var / "admin-token").unlink()
    (var / "admin-password").unlink()
    user = get_user_model().objects.get(username="admin")
    user.set_password("chosen by a person")
    user.save()
    call_command("create_admin")
    assert tokens.are_valid([(var / "admin-token").read_text().strip()])
    assert not tokens.are_valid([old])
    assert not (var / "admin-password").exists()
    assert authenticate(username="admin", password="chosen by a person") is not None


@pytest.fixture
def fleet(var, cassandra, monkeypatch):
    """A cell of this test's own in place of cell1."""
    monkeypatch.setattr(create_fleet, "CELL", f"fleet-{var.name}")
    return var / "agents"


def hosts_there():
    return {image["name"]: image for image in read_cell(cells.find(create_fleet.CELL).home)}


def test_the_fleet_is_made_once_and_its_agents_can_read_their_files(fleet, capsys):
    call_command("create_fleet", "--hosts", "12")
    there = hosts_there()
    assert len(there) == 13
    classes = [image["resource_class"] for image in there.values()]
    assert {name: classes.count(name) for name in set(classes)} == {
        "compute": 10, "baremetal": 1, "block_storage": 1, "network": 1,
    }  # fmt: skip
    real = read_configuration(str(fleet / "this-host.json"), {})
    assert (real.builder, len(real.providers)) == ("process", 1)
    assert isinstance(real.providers[0].inventory, Measured)
    assert real.default_image in real.images
    simulated = read_configuration(str(fleet / "simulated-fleet.json"), {})
    assert (simulated.builder, len(simulated.providers)) == ("noop", 12)
    assert mode(fleet / "this-host.json") == mode(fleet / "simulated-fleet.json") == 0o600
    assert {there[p.name]["id"] for p in simulated.providers} == {p.provider_id for p in simulated.providers}
    assert tokens.are_valid(p.token for p in (*real.providers, *simulated.providers))
    said(capsys)
    call_command("create_fleet", "--hosts", "12")
    assert "there already" in said(capsys)
    assert read_configuration(str(fleet / "simulated-fleet.json"), {}) == simulated


def test_a_lost_or_worthless_file_gets_new_tokens(fleet):
    call_command("create_fleet", "--hosts", "4")
    path = fleet / "simulated-fleet.json"
    kept = json.loads(path.read_text()) | {"poll_interval": 9}
    path.write_text(json.dumps(kept))
    old = [p["token"] for p in kept["providers"]]
    Token.objects.all().delete()
    call_command("create_fleet", "--hosts", "4")
    now = json.loads(path.read_text())
    assert now["poll_interval"] == 9  # the owner's
    assert tokens.are_valid(p["token"] for p in now["providers"])
    assert not tokens.are_valid(old)
    path.unlink()
    call_command("create_fleet", "--hosts", "4")
    assert tokens.are_valid(p["token"] for p in json.loads(path.read_text())["providers"])
    assert len(hosts_there()) == 5


def test_another_address_of_the_portal_reaches_the_files(fleet, settings):
    call_command("create_fleet", "--hosts", "4")
    before = json.loads((fleet / "this-host.json").read_text())
    settings.PORTAL_PORT = 8123
    call_command("create_fleet", "--hosts", "4")
    after = json.loads((fleet / "this-host.json").read_text())
    assert after == before | {"portal": "http://127.0.0.1:8123"}


def test_a_fleet_grows(fleet):
    call_command("create_fleet", "--hosts", "4")
    few = {name: image["id"] for name, image in hosts_there().items()}
    call_command("create_fleet", "--hosts", "10")
    many = {name: image["id"] for name, image in hosts_there().items()}
    assert len(many) == 11
    assert few.items() <= many.items()


def test_a_hundred_hosts_are_mixed():
    hosts = list(simulated_hosts(100))
    assert hosts == list(simulated_hosts(100))
    assert len({host.name for host in hosts}) == 100
    assert {host.rack for host in hosts} == {"r1", "r2", "r3", "r4"}
    assert {host.zone for host in hosts} == {"z1", "z2"}
    assert len({tuple(host.totals.values()) for host in hosts if host.resource_class == "compute"}) > 2
    assert len({(host.rack, host.zone) for host in hosts}) == 4  # a rack is in one zone

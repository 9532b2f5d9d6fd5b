"""Guessing passwords at both doors: how often, from where, how long it lasts, and what the answers give away."""

import statistics
import time

import pytest
from axes.models import AccessAttempt
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client

from tests.security.conftest import PASSWORD

DOORS = ("/login/", "/admin/login/")
HERE, THERE = "192.0.2.7", "198.51.100.9"


@pytest.fixture(autouse=True)
def limits(settings, db):
    settings.LOGIN_FAILURES = settings.AXES_FAILURE_LIMIT = 3
    settings.LOGIN_FAILURES_ADDRESS = 8
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # quick: it is not what is tested


@pytest.fixture
def boss(db):
    return User.objects.create_superuser("boss", password=PASSWORD)


def knock(door, name, password, address=HERE, **headers):
    said = {"username": name, "password": password}
    return Client(REMOTE_ADDR=address, headers=headers).post(door, said)


def fail(door, name, times, **where):
    return [knock(door, name, f"wrong {number}", **where).status_code for number in range(times)]


@pytest.mark.parametrize("door", DOORS)
def test_one_too_many_is_told_when_to_come_back(boss, door):
    assert fail(door, "boss", 3) == [200, 200, 429]
    answer = knock(door, "boss", PASSWORD)
    assert answer.status_code == 429
    assert 0 < int(answer["Retry-After"]) <= 900
    assert "Try again in 15 minutes." in answer.content.decode()
    assert "sessionid" not in answer.cookies
    assert "no-store" in answer["Cache-Control"]


def test_both_doors_count_together(boss):
    assert fail(DOORS[0], "boss", 2) == [200, 200]
    assert fail(DOORS[1], "boss", 1) == [429]
    assert knock(DOORS[0], "boss", PASSWORD).status_code == 429


def test_from_elsewhere_the_admin_gets_in_and_so_do_others_from_here(boss):
    User.objects.create_user("other", password=PASSWORD)
    fail(DOORS[0], "boss", 5)
    assert knock(DOORS[0], "boss", PASSWORD, address=THERE).status_code == 302
    assert knock(DOORS[0], "other", PASSWORD).status_code == 302
    assert knock(DOORS[0], "boss", PASSWORD).status_code == 429


def test_it_ends_by_itself_however_often_one_knocks_meanwhile(boss, settings):
    fail(DOORS[0], "boss", 3)
    counted = AccessAttempt.objects.get()
    fail(DOORS[0], "boss", 5)
    assert AccessAttempt.objects.get().attempt_time == counted.attempt_time
    AccessAttempt.objects.update(attempt_time=counted.attempt_time - settings.AXES_COOLOFF_TIME)
    assert knock(DOORS[0], "boss", PASSWORD).status_code == 302


def test_a_login_forgets_ones_own_wrong_passwords_and_nobody_elses(boss):
    User.objects.create_user("mole", password=PASSWORD)
    for _ in range(2):
        assert fail(DOORS[0], "boss", 1) == [200]
        assert knock(DOORS[0], "mole", PASSWORD).status_code == 302
    assert fail(DOORS[0], "boss", 1) == [429]
    fail(DOORS[0], "mole", 2)
    assert knock(DOORS[0], "mole", PASSWORD).status_code == 302
    assert fail(DOORS[0], "mole", 2) == [200, 200]


def test_one_password_for_many_names_is_stopped_by_address(boss):
    assert [knock(DOORS[0], f"name-{n}", "spring").status_code for n in range(8)] == [200] * 7 + [429]
    assert knock(DOORS[0], "boss", PASSWORD).status_code == 429
    assert knock(DOORS[0], "boss", PASSWORD, address=THERE).status_code == 302


def test_another_program_in_the_header_is_the_same_guesser(boss):
    assert [knock(DOORS[0], "boss", "wrong", User_Agent=f"b{n}").status_code for n in range(3)] == [200, 200, 429]


def test_all_addresses_of_an_ipv6_network_are_one(boss):
    seen = [knock(DOORS[0], "boss", "wrong", address=f"2001:db8:1:2::{n}").status_code for n in range(1, 4)]
    assert seen == [200, 200, 429]
    assert knock(DOORS[0], "boss", PASSWORD, address="2001:db8:1:3::1").status_code == 302


def test_an_address_in_a_header_counts_behind_a_proxy_only(boss, settings):
    assert [knock(DOORS[0], "boss", "no", X_Forwarded_For=f"203.0.113.{n}").status_code for n in range(3)][-1] == 429
    settings.BEHIND_PROXY = True
    said = [knock(DOORS[0], "boss", "no", X_Forwarded_For=f"203.0.113.{n}, {THERE}").status_code for n in range(3)]
    assert said == [200, 200, 429]  # what the client put before the proxy's word changes nothing
    assert knock(DOORS[0], "boss", PASSWORD, X_Forwarded_For="203.0.113.77").status_code == 302
    assert knock(DOORS[0], "boss", PASSWORD, X_Forwarded_For="no address").status_code == 429


def test_an_admin_unlocks_by_command(boss, capsys):
    fail(DOORS[0], "boss", 3)
    call_command("axes_list_attempts")
    assert HERE in capsys.readouterr().out
    call_command("axes_reset_username", "boss")
    assert knock(DOORS[0], "boss", PASSWORD).status_code == 302


@pytest.mark.parametrize("door", DOORS)
def test_who_exists_is_not_told(boss, door):
    User.objects.create_user("closed", password=PASSWORD, is_active=False)
    User.objects.create_user("no-staff", password=PASSWORD)
    wrong = [("boss", "wrong"), ("nobody", "wrong"), ("closed", PASSWORD)]
    if door == "/admin/login/":
        wrong.append(("no-staff", PASSWORD))
    said = {str(knock(door, name, password).context["form"].non_field_errors()) for name, password in wrong}
    assert len(said) == 1
    fail(door, "nobody", 3)
    assert knock(door, "nobody", "wrong").status_code == 429  # as for one who exists


def test_a_wrong_name_takes_as_long_as_a_wrong_password(settings):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.PBKDF2PasswordHasher"]
    User.objects.create_superuser("boss", password=PASSWORD)
    settings.LOGIN_FAILURES = settings.AXES_FAILURE_LIMIT = settings.LOGIN_FAILURES_ADDRESS = 1000

    def took(name):
        began = time.process_time()
        knock(DOORS[0], name, "wrong")
        return time.process_time() - began

    took("boss")
    known, unknown = (statistics.median(took(name) for _ in range(5)) for name in ("boss", "nobody"))
    assert 0.5 < known / unknown < 2


@pytest.mark.parametrize("name", ["x" * 1_000_000, "a\x00b", "'; DROP TABLE auth_user; --", "\u202eboss", ""])
def test_names_that_are_none(boss, name):
    for door in DOORS:
        answer = knock(door, name, "wrong")
        assert answer.status_code == 200
    assert AccessAttempt.objects.filter(username="boss").count() == 0


def test_no_password_is_kept_or_logged(boss, caplog):
    caplog.set_level("DEBUG")
    knock("/login/?next=/&password=in-the-address", "boss", "my-secret-word")
    knock(DOORS[0], "typed-in-the-wrong-field", "x")
    kept = str(list(AccessAttempt.objects.values("get_data", "post_data", "path_info")))
    for secret in ("my-secret-word", "in-the-address"):
        assert secret not in kept + caplog.text
    assert "typed-in-the-wrong-field" not in caplog.text

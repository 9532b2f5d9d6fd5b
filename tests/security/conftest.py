"""People with each role in a browser, and callers with each role over REST."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client

from tests.rooms.api.cast import admin, agent_of, callers, cell_of_api, new_host, operator, viewer

__all__ = ["admin", "agent_of", "callers", "cell_of_api", "new_host", "operator", "viewer"]

PASSWORD = "a-long-enough-password"


@pytest.fixture(autouse=True)
def quick_passwords(settings: Any) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture(autouse=True)
def not_the_policy_of_others(own_policy: str) -> None:
    """What an attacker puts in force here decides for no other test."""


@pytest.fixture
def person(db: None) -> Callable[..., User]:
    """Makes a user of the admin with a role, or with none (`nobody`), and a password."""

    def make(role: str, **values: Any) -> User:
        name = f"{role}-{User.objects.count()}"
        made = User.objects.create_user(name, password=PASSWORD, **({"is_staff": True} | values))
        if role != "nobody":
            made.groups.add(Group.objects.get_or_create(name=role)[0])
        return made

    return make


@pytest.fixture
def sign_in(person: Callable[..., User]) -> Callable[..., Client]:
    """A client signed in with a role, or with none (`nobody`)."""

    def make(role: str, **options: Any) -> Client:
        client = Client(raise_request_exception=False, **options)
        client.force_login(person(role))
        return client

    return make

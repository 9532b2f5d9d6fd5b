"""People with each role, and ways to open, fill in and send the admin's forms."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client


@pytest.fixture
def sign_in(db: None) -> Callable[[str], Client]:
    """A client signed in with a role (`admin`, `operator`, `viewer`) or with none."""

    def make(role: str) -> Client:
        user = User.objects.create_user(f"{role}-{User.objects.count()}", is_staff=True)
        if role != "nobody":
            user.groups.add(Group.objects.get_or_create(name=role)[0])
        client = Client()
        client.force_login(user)
        return client

    return make


@pytest.fixture
def browser(sign_in: Callable[[str], Client]) -> Client:
    """An admin's client."""
    return sign_in("admin")


@pytest.fixture
def opened() -> Callable[..., dict[str, Any]]:
    """Opens a form page; what it would send unchanged, and the changes."""

    def read(client: Client, url: str, **changes: Any) -> dict[str, Any]:
        answer = client.get(url)
        assert answer.status_code == 200, answer
        form = answer.context["adminform"].form
        values = {b.name: first_choice(b.field) if b.value() in (None, "") else b.value() for b in form}
        return {name: "" if value is None else value for name, value in (values | changes).items()}

    return read


@pytest.fixture
def errors_of() -> Callable[[Any], str]:
    """All errors of a form page, as text; the page must be a form page."""

    def read(answer: Any) -> str:
        assert answer.status_code == 200, (answer.status_code, answer.headers)
        return " ".join(str(error) for errors in answer.context["adminform"].form.errors.values() for error in errors)

    return read


def first_choice(field: Any) -> Any:
    """What a browser sends for a select that nobody touched."""
    return next((value for value, _ in getattr(field, "choices", ())), None)

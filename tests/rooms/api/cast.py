"""Fixtures that the API's tests and the stories share."""

import itertools
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.core.cache import cache

from api import tokens
from tests.rooms.api.portal import Portal

_numbers = itertools.count(1)


@pytest.fixture
def callers(db: Any, cassandra: Any) -> dict[str, Portal]:
    """Role -> a caller with that role; `nobody` has no token, `stranger` a user without a role."""
    cache.clear()
    made = {"nobody": Portal()}
    for role in ("viewer", "operator", "admin", "stranger"):
        user = get_user_model().objects.create_user(f"{role}-{next(_numbers)}")
        if role != "stranger":
            user.groups.add(Group.objects.get(name=role))
        made[role] = Portal(tokens.issue(user, role))
    return made


@pytest.fixture
def admin(callers: dict[str, Portal]) -> Portal:
    return callers["admin"]


@pytest.fixture
def operator(callers: dict[str, Portal]) -> Portal:
    return callers["operator"]


@pytest.fixture
def viewer(callers: dict[str, Portal]) -> Portal:
    return callers["viewer"]


@pytest.fixture
def cell_of_api(admin: Portal) -> str:
    """The name of a cell of this test's own, made through the API."""
    name = f"api-{uuid4().hex[:8]}"
    assert admin.post("/api/cells", {"name": name}).status == 201
    return name


@pytest.fixture
def new_host(admin: Portal, cell_of_api: str) -> Callable[..., dict[str, Any]]:
    """Registers a compute host through the API: alive, 8 vCPU, 8192 MiB, 100 GiB unless said otherwise."""

    def make(**changes: Any) -> dict[str, Any]:
        body = {
            "name": f"host-{next(_numbers)}",
            "cell": cell_of_api,
            "resource_class": "compute",
            "amounts": {"vcpus": 8, "memory_mb": 8192, "disk_gb": 100},
        }
        made = admin.post("/api/providers", body | changes)
        assert made.status == 201, made
        if made.body["heartbeat"] == "agent":
            assert admin.post(f"/api/providers/{made.body['id']}/heartbeat").status == 200
        return made.body

    return make


@pytest.fixture
def agent_of(callers: dict[str, Portal]) -> Callable[[dict[str, Any]], Portal]:
    """The agent of a provider, with a token of its own."""

    def make(provider: dict[str, Any]) -> Portal:
        issued = tokens.issue_for_providers([(UUID(provider["id"]), provider["name"])])
        return Portal(issued[UUID(provider["id"])])

    return make


def request_for(cell: str, **changes: Any) -> dict[str, Any]:
    """A schedule request for 2 vCPU and 1024 MiB in a cell."""
    return {
        "consumer": "someone",
        "project": "a-project",
        "cell": cell,
        "resources": [{"resource_class": "compute", "amounts": {"vcpus": 2, "memory_mb": 1024}}],
    } | changes

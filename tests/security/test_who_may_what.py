"""Who may what, in one table: every page of the admin, every route of the API, every WebSocket, for every role.

The table is written down here and compared with all there is, so what is new must be entered.
"""

import datetime as dt
import uuid
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from channels.testing import WebsocketCommunicator
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import get_resolver, reverse

from api import tokens
from api.authenticate import AGENT
from api.microversions import NEWEST
from api.models import Token
from api.urls import urlpatterns
from conductor import policies
from dashboard import follow
from sched_portal.asgi import application
from tests.rooms.api.cast import request_for

ROOT, ADMIN, OPERATOR, VIEWER, NOBODY = "superuser", "admin", "operator", "viewer", "nobody"
PEOPLE = (NOBODY, VIEWER, OPERATOR, ADMIN, ROOT)  # each may what those before it may
NO_ONE = "no one"

# Model: who may look; add; change; delete.
MODELS = {
    "providers_aggregaterecord": (VIEWER, OPERATOR, OPERATOR, OPERATOR),
    "providers_cellrecord": (VIEWER, ADMIN, ADMIN, ADMIN),
    "providers_resourceclassrecord": (VIEWER, ADMIN, NO_ONE, ADMIN),
    "providers_heartbeatrecord": (VIEWER, NO_ONE, NO_ONE, NO_ONE),
    "providers_maintenancerecord": (VIEWER, OPERATOR, NO_ONE, OPERATOR),
    "events_eventrecord": (VIEWER, NO_ONE, NO_ONE, NO_ONE),
    "claims_claimrecord": (VIEWER, NO_ONE, NO_ONE, NO_ONE),
    "conductor_policyrecord": (VIEWER, ADMIN, NO_ONE, NO_ONE),
    "conductor_policydifferencerecord": (VIEWER, NO_ONE, NO_ONE, NO_ONE),
    "conductor_requestrecord": (VIEWER, NO_ONE, NO_ONE, OPERATOR),
    "providers_computerecord": (VIEWER, ADMIN, OPERATOR, ADMIN),
    "providers_baremetalrecord": (VIEWER, ADMIN, OPERATOR, ADMIN),
    "providers_blockstoragerecord": (VIEWER, ADMIN, OPERATOR, ADMIN),
    "providers_networkrecord": (VIEWER, ADMIN, OPERATOR, ADMIN),
    "providers_ownclassrecord": (VIEWER, ADMIN, OPERATOR, ADMIN),
    "admin_logentry": (VIEWER, NO_ONE, NO_ONE, NO_ONE),
    "api_token": (ADMIN, NO_ONE, ADMIN, NO_ONE),
    "auth_user": (ROOT, ROOT, ROOT, ROOT),
    "auth_group": (ROOT, ROOT, ROOT, ROOT),
}
# Other pages: who may look; who may send.
PAGES = {
    "auth_user_password_change": (ROOT, ROOT),
    "claims_claimrecord_tell-again": (OPERATOR, OPERATOR),
    "claims_claimrecord_give-time": (OPERATOR, OPERATOR),
    "claims_claimrecord_move": (OPERATOR, OPERATOR),
    "claims_claimrecord_suspect": (OPERATOR, OPERATOR),
    "conductor_release_claims": (OPERATOR, OPERATOR),
    "conductor_move_claims": (OPERATOR, OPERATOR),
    "conductor_tell_claims": (OPERATOR, OPERATOR),
    "conductor_end_requests": (OPERATOR, OPERATOR),
    "conductor_groups": (VIEWER, VIEWER),
    "conductor_policy_end_shadow": (ADMIN, ADMIN),
    "conductor_policy_back": (ADMIN, ADMIN),
    "conductor_policy_shadow": (ADMIN, ADMIN),
    "conductor_headroom": (VIEWER, VIEWER),
    "conductor_audit": (VIEWER, ADMIN),
    "api_token_provider": (VIEWER, ADMIN),
}
OF_PROVIDERS = {
    "drain": (VIEWER, OPERATOR),
    "decommission": (ADMIN, ADMIN),
    "changes": (VIEWER, VIEWER),
    "state_enable": (OPERATOR, OPERATOR),
    "state_disable": (OPERATOR, OPERATOR),
    "state_drain": (OPERATOR, OPERATOR),
    "amounts": (ADMIN, ADMIN),
}
# Django's own pages, for whoever may log in to the admin; the last two tell no records.
FOR_ALL = {"index", "login", "logout", "password_change", "password_change_done", "jsi18n", "app_list"}
DJANGOS = FOR_ALL | {"autocomplete", "view_on_site"}

API = {
    AGENT: "POST:provider-heartbeat POST:provider-report POST:request-destroyed POST:claim-building "
    "POST:claim-consume POST:claim-failed",
    "anyone": "GET:versions GET:schema",
    VIEWER: "GET:cells GET:cell GET:resource-classes GET:resource-class GET:providers GET:provider GET:provider-claims "
    "GET:provider-instances GET:provider-history GET:provider-drain GET:provider-maintenance POST:explain GET:requests "
    "GET:request GET:request-explain GET:claims GET:claim GET:aggregates GET:aggregate GET:policy GET:policy-versions "
    "GET:policy-version GET:policy-shadow GET:policy-differences GET:capacity GET:headroom POST:headroom GET:events "
    "GET:whoami",
    OPERATOR: "PATCH:provider POST:provider-drain POST:provider-maintenance DELETE:maintenance POST:schedule "
    "POST:schedule-commit DELETE:request DELETE:claim POST:aggregates POST:aggregate-members PATCH:aggregate "
    "DELETE:aggregate",
    ADMIN: "POST:cells PATCH:cell DELETE:cell POST:resource-classes DELETE:resource-class POST:providers "
    "DELETE:provider POST:provider-token DELETE:provider-token POST:provider-decommission POST:policy "
    "POST:policy-restore POST:policy-shadow DELETE:policy-shadow POST:inventory",
}
# The same deed by two doors: the route, and the admin's page (its name, and which of its columns).
ALIKE = {
    "POST:cells": ("providers_cellrecord", 1),
    "PATCH:cell": ("providers_cellrecord", 2),
    "DELETE:cell": ("providers_cellrecord", 3),
    "POST:resource-classes": ("providers_resourceclassrecord", 1),
    "DELETE:resource-class": ("providers_resourceclassrecord", 3),
    "POST:providers": ("providers_computerecord", 1),
    "PATCH:provider": ("providers_computerecord", 2),
    "DELETE:provider": ("providers_computerecord", 3),
    "POST:aggregates": ("providers_aggregaterecord", 1),
    "PATCH:aggregate": ("providers_aggregaterecord", 2),
    "DELETE:aggregate": ("providers_aggregaterecord", 3),
    "POST:provider-maintenance": ("providers_maintenancerecord", 1),
    "DELETE:maintenance": ("providers_maintenancerecord", 3),
    "DELETE:request": ("conductor_requestrecord", 3),
    "POST:policy": ("conductor_policyrecord", 1),
    "DELETE:claim": ("conductor_release_claims", 1),
    "POST:policy-restore": ("conductor_policy_back", 1),
    "POST:policy-shadow": ("conductor_policy_shadow", 1),
    "DELETE:policy-shadow": ("conductor_policy_end_shadow", 1),
    "POST:provider-token": ("api_token_provider", 1),
    "POST:provider-drain": ("providers_computerecord_drain", 1),
    "POST:provider-decommission": ("providers_computerecord_decommission", 1),
    "POST:inventory": ("providers_computerecord_amounts", 1),
    "GET:provider-history": ("providers_computerecord_changes", 0),
    "GET:headroom": ("conductor_headroom", 0),
}


def names_in(resolver: Any) -> Iterator[str]:
    for one in resolver.url_patterns:
        if hasattr(one, "url_patterns"):
            yield from names_in(one)
        elif one.name:
            yield one.name


def admin_names() -> set[str]:
    (found,) = [one for one in get_resolver().url_patterns if getattr(one, "app_name", "") == "admin"]
    return set(names_in(found)) - DJANGOS


def table() -> dict[str, tuple[str, str]]:
    """Every page of the admin -> who may look at it, who may send it."""
    pages = dict(PAGES)
    for model, (look, add, change, delete) in MODELS.items():
        pages[f"{model}_changelist"] = (look, look)
        pages[f"{model}_add"] = (add, add)
        pages[f"{model}_change"] = (look, change)
        pages[f"{model}_history"] = (look, look)
        pages[f"{model}_delete"] = (delete, delete)
        if "DELETE:provider" in API[ADMIN] and model in PROVIDERS:
            pages |= {f"{model}_{name}": who for name, who in OF_PROVIDERS.items()}
    del pages["providers_ownclassrecord_amounts"]  # each class has its own: those are set over the API
    return pages


PROVIDERS = {f"providers_{name}record" for name in ("compute", "baremetal", "blockstorage", "network", "ownclass")}


def test_every_page_of_the_admin_is_in_the_table():
    assert admin_names() == set(table())


def test_the_api_is_in_the_table():
    routes = {one.name: one.callback.view_class.roles for one in urlpatterns if one.name != "unknown"}
    said = {f"{method}:{name}": role for name, roles in routes.items() for method, role in roles.items()}
    assert said == {route: role for role, routes in API.items() for route in routes.split()}


def test_the_same_deed_needs_the_same_role_by_either_door():
    pages = {**MODELS, **table()}
    by_route = {route: role for role, routes in API.items() for route in routes.split()}
    for route, (page, column) in ALIKE.items():
        assert by_route[route] == pages[page][column], route
    writing = {route for role, routes in API.items() for route in routes.split() if not route.startswith("GET")}
    only_api = {"POST:explain", "POST:headroom", "POST:schedule", "POST:schedule-commit", "POST:aggregate-members"}
    assert writing - set(API[AGENT].split()) - set(ALIKE) == only_api | {"DELETE:provider-token"}


@pytest.fixture
def things(operator, admin, cell_of_api, new_host):
    """Something real for each page that is about one thing."""
    host = new_host()
    placed = operator.post("/api/schedule", request_for(cell_of_api)).body
    soon = (dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)).isoformat()
    newest = replace(operator, version=str(NEWEST))
    planned = newest.post(f"/api/providers/{host['id']}/maintenance", {"until": soon, "reason": "x"})
    assert planned.status == 201, planned
    aggregate = f"agg-{uuid.uuid4().hex[:6]}"
    assert newest.post("/api/aggregates", {"name": aggregate}).status == 201
    own_class = f"own_{uuid.uuid4().hex[:6]}"
    columns = [{"name": "licenses", "kind": "amount", "type": "integer"}]
    assert admin.post("/api/resource-classes", {"name": own_class, "columns": columns}).status == 201
    return {
        "providers_cellrecord": cell_of_api,
        "providers_computerecord": host["id"],
        "providers_maintenancerecord": f"{host['id']}.{planned.body['id']}",
        "providers_aggregaterecord": aggregate,
        "providers_resourceclassrecord": own_class.replace("_", "_5F"),
        "conductor_policyrecord": policies.current().in_force.version,
        "conductor_requestrecord": placed["request_id"] if "request_id" in placed else placed["id"],
        "claims_claimrecord": placed["claims"][0]["id"],
        "admin_logentry": LogEntry.objects.create(user=User.objects.first(), action_flag=2, object_repr="x").pk,
        "api_token": Token.objects.first().pk,
        "auth_user": User.objects.first().pk,
        "auth_group": Group.objects.first().pk,
    }


ABOUT = {
    "conductor_policy_back": "conductor_policyrecord",
    "conductor_policy_shadow": "conductor_policyrecord",
    "api_token_provider": "providers_computerecord",
}
ABOUT_NOTHING = (
    *("conductor_headroom", "conductor_audit", "conductor_groups", "conductor_policy_end_shadow"),
    *("conductor_release_claims", "conductor_move_claims", "conductor_tell_claims", "conductor_end_requests"),
)


def is_of_no_record(name: str) -> bool:
    """Whether a page's address has no key in it."""
    return name.endswith(("_changelist", "_add", "_amounts")) or "_state_" in name or name in ABOUT_NOTHING


def address(name: str, things: dict[str, Any]) -> tuple[str, bool]:
    """A page's address, and whether what it is about is there."""
    if is_of_no_record(name):
        return reverse(f"admin:{name}") + (f"?cell={things['providers_cellrecord']}" if "audit" in name else ""), True
    about = ABOUT.get(name) or next(model for model in MODELS if name.startswith(model))
    return reverse(f"admin:{name}", args=[things.get(about, str(uuid.uuid4()))]), about in things


def test_every_page_for_everybody(cassandra, person, things):
    clients = {}
    for role in PEOPLE:
        user = person("nobody" if role == ROOT else role, is_superuser=role == ROOT)
        clients[role] = Client(raise_request_exception=False)
        clients[role].force_login(user)
    wrong = []
    ends = ("_move", "_drain", "_decommission", "_delete")  # after what needs the thing as it is
    pages = sorted(
        table().items(), key=lambda page: max((ends.index(e) for e in ends if page[0].endswith(e)), default=-1)
    )
    for name, allowed in pages:
        url, is_there = address(name, things)
        for method, least in zip(("get", "post"), allowed, strict=True):
            if name.endswith(("_changelist", "_history")) and method == "post":
                continue  # a list takes no more than it shows
            for role in PEOPLE:
                said = getattr(clients[role], method)(url).status_code
                may = least != NO_ONE and PEOPLE.index(role) >= PEOPLE.index(least)
                is_right = (said in (200, 302)) if may else said in ((403, 405) if is_there else (403, 302))
                if not is_right or (role == NOBODY and said not in (403, 405) and "_history" not in name):
                    wrong.append(f"{role} {method} {name}: {said}, may: {may}")
            stranger = Client().generic(method.upper(), url)
            if stranger.status_code != 302 or "/admin/login/" not in stranger["Location"]:
                wrong.append(f"a stranger, {method} {name}: {stranger.status_code}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("role", [VIEWER, OPERATOR, ADMIN])
def test_no_role_gives_itself_another(role, sign_in, person):
    client, victim = sign_in(role), person("viewer")
    mine = User.objects.get(pk=client.session["_auth_user_id"])
    admins = Group.objects.get_or_create(name=ADMIN)[0].pk
    for user in (mine, victim):
        body = {"username": user.username, "is_superuser": "on", "is_staff": "on", "is_active": "on", "groups": admins}
        assert client.post(f"/admin/auth/user/{user.pk}/change/", body).status_code == 403
        new = {"password1": "taken-over-by-me", "password2": "taken-over-by-me"}
        assert client.post(f"/admin/auth/user/{user.pk}/password/", new).status_code == 403
    assert client.post("/admin/auth/user/add/", {"username": "mole"}).status_code == 403
    assert not User.objects.filter(is_superuser=True).exists()
    assert "/admin/auth/" not in client.get("/admin/").content.decode()


def test_without_staff_status_a_role_is_no_key_to_the_admin(cassandra, person):
    client = Client()
    client.force_login(person("admin", is_staff=False))
    assert client.get("/").status_code == 200
    assert "/admin/login/" in client.get("/admin/providers/cellrecord/")["Location"]


@pytest.mark.django_db(transaction=True)
async def test_the_sockets_know_the_same_roles(cell, host):
    def cast():
        found = {}
        for role in (NOBODY, VIEWER, OPERATOR, ADMIN):
            user = User.objects.create_user(f"{role}-{uuid.uuid4().hex[:6]}")
            if role != NOBODY:
                user.groups.add(Group.objects.get_or_create(name=role)[0])
            found[role] = tokens.issue(user, "test")
        own = host()
        return {**found, AGENT: tokens.issue_for_providers([(own.id, "host")])[own.id], "stranger": "sched_made-up"}

    welcome = 0
    codes = {NOBODY: 4403, VIEWER: welcome, OPERATOR: welcome, ADMIN: welcome, AGENT: 4403, "stranger": 4401}
    of_agents = {NOBODY: 4403, VIEWER: 4403, OPERATOR: 4403, ADMIN: 4403, AGENT: welcome, "stranger": 4401}
    people = await sync_to_async(cast)()
    for path, expected in ((f"/ws/cells/{cell.name}/", codes), ("/ws/agent/", of_agents)):
        for role, token in people.items():
            socket = WebsocketCommunicator(application, path, [(b"authorization", f"Token {token}".encode())])
            await socket.connect(timeout=45)
            said = await socket.receive_output(timeout=45)
            assert (said["code"] if said["type"] == "websocket.close" else welcome) == expected[role], (path, role)
            await socket.disconnect()
    await sync_to_async(follow.end_all)()

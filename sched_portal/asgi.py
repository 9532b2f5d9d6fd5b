"""The ASGI application that daphne serves: HTTP to Django, WebSockets to the dashboard and to the agents."""

import gc
import os
from types import SimpleNamespace
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sched_portal.settings")
django.setup(set_prefix=False)  # before anything that needs Django's apps

from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from django.urls import path, re_path  # noqa: E402
from rest_framework.exceptions import AuthenticationFailed  # noqa: E402

from agents.socket_protocol import ROUTE_SOCKET  # noqa: E402
from api.agent_socket import AgentSocket  # noqa: E402
from api.authenticate import TokenAuthentication  # noqa: E402
from dashboard.identify import Identify, refuse  # noqa: E402
from dashboard.routing import websocket_urlpatterns  # noqa: E402
from sched_portal.http import ThreadedHandler  # noqa: E402


def token_role(header: str) -> str | None:
    """The role that an Authorization header's token has, as in the API; None: it is not valid."""
    asked: Any = SimpleNamespace(META={"HTTP_AUTHORIZATION": header})
    try:
        found = TokenAuthentication().authenticate(asked)
    except AuthenticationFailed:
        return None
    return found[0].role if found else None


viewers = Identify(URLRouter([*websocket_urlpatterns, re_path("", refuse)]), token_role)
sockets = URLRouter([path(ROUTE_SOCKET.lstrip("/"), AgentSocket.as_asgi()), re_path("", viewers)])
application = ProtocolTypeRouter({"http": ThreadedHandler(), "websocket": sockets})

# A request makes thousands of objects and hardly a cycle: looking for some after every 700 costs a twentieth of the
# portal's time, and what was imported never goes.
gc.collect()
gc.freeze()
gc.set_threshold(20_000, 10, 10)

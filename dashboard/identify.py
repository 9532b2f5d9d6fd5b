"""Who opens a WebSocket: a program by its token, or a browser by its session.

A browser sends its cookies along with a WebSocket that any page opens, so a session counts only when the page is ours:
its Origin is the host it connects to, or one of CSRF_TRUSTED_ORIGINS. A token is no cookie: its page does not matter.
"""

from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

from channels.db import database_sync_to_async
from channels.sessions import SessionMiddlewareStack
from django.conf import settings
from django.contrib.auth import get_user
from django.http.request import split_domain_port, validate_host

from store.record_roles import role_of

Application = Callable[[Any, Any, Any], Awaitable[None]]
RoleNow = Callable[[], Awaitable[str | None]]
TokenRole = Callable[[str], str | None]  # an Authorization header -> the role it has; None: it is not valid


class Identify:
    """Puts `role` into the scope (None: not known who it is; empty: no role), and `role_now`, which looks again, for
    connections that live longer than a role. Refuses pages that are not ours."""

    def __init__(self, inner: Application, token_role: TokenRole) -> None:
        self._inner = inner
        self._with_session = SessionMiddlewareStack(self._by_session)
        self._token_role = database_sync_to_async(token_role)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        headers = {name: value.decode("latin1") for name, value in scope["headers"]}
        authorization, origin = headers.get(b"authorization"), headers.get(b"origin")
        if authorization is not None:
            await self._welcome(scope, receive, send, lambda: self._token_role(authorization))
        elif origin is None:  # no browser, so no session
            await self._inner({**scope, "role": None}, receive, send)
        elif is_ours(origin, headers.get(b"host", "")):
            await self._with_session(scope, receive, send)
        else:
            await refuse(scope, receive, send)

    async def _by_session(self, scope: Any, receive: Any, send: Any) -> None:
        key = scope["session"].session_key
        await self._welcome(scope, receive, send, lambda: _session_role(key))

    async def _welcome(self, scope: Any, receive: Any, send: Any, role_now: RoleNow) -> None:
        await self._inner({**scope, "role": await role_now(), "role_now": role_now}, receive, send)


@database_sync_to_async
def _session_role(key: str | None) -> str | None:
    store = import_module(settings.SESSION_ENGINE).SessionStore(key)
    user = get_user(_Request(store))  # type: ignore[arg-type]
    return (role_of(user) or "") if user.is_authenticated else None


class _Request:
    """What Django's `get_user` looks at: it checks the session against the user's password as for a page."""

    def __init__(self, session: Any) -> None:
        self.session = session


def is_ours(origin: str | None, host: str) -> bool:
    """Whether a page of this origin may use its user's session here."""
    if not origin or not validate_host(split_domain_port(host)[0], settings.ALLOWED_HOSTS):
        return False
    parts = urlsplit(origin)
    if parts.scheme not in ("http", "https"):
        return False
    return parts.netloc.lower() == host.lower() or origin in settings.CSRF_TRUSTED_ORIGINS


async def refuse(scope: Any, receive: Any, send: Any) -> None:
    """Before it is accepted: the handshake is answered with 403."""
    await receive()
    await send({"type": "websocket.close"})
